"""Scores of one group of classes against another."""

import numpy as np
import pytest

from hepml.errors import InputError
from hepml.evaluation import Discriminant, default_discriminants

NAMES = ("b", "c", "uds", "g")


def test_the_score_is_the_probability_given_the_classes_of_the_pair():
    probabilities = np.array([[0.2, 0.3, 0.1, 0.4], [0.0, 1.0, 0.0, 0.0]])
    pair = Discriminant.parse("b/uds+g")
    np.testing.assert_allclose(pair.scores(probabilities, NAMES), [0.2 / 0.7, 0.5], atol=1e-15)
    signal, chosen = pair.is_signal(np.array([0, 1, 2, 3]), NAMES)
    assert signal.tolist() == [True, False, False, False]
    assert chosen.tolist() == [True, False, True, True]


def test_two_purest_jets_keep_their_order():
    # The sums of these rows differ from one by more than the first column's rows differ.
    probabilities = np.array([[1 - 2e-16, 4e-16], [1.0, 5e-16]])
    scores = Discriminant.parse("top/qcd").scores(probabilities, ("top", "qcd"))
    assert scores[1] > scores[0]


def test_by_default_the_last_of_two_or_each_against_the_rest():
    assert [str(pair) for pair in default_discriminants(("qcd", "top"))] == ["top/qcd"]
    assert [str(pair) for pair in default_discriminants(NAMES)] == [
        "b/c+uds+g",
        "c/b+uds+g",
        "uds/b+c+g",
        "g/b+c+uds",
    ]


@pytest.mark.parametrize("text", ["b", "b/", "/c", "b/c/uds", "b/b+c", "b+/c", ""])
def test_malformed_pairs_say_how_to_write_one(text):
    with pytest.raises(InputError, match=r"write for example b/uds\+g"):
        Discriminant.parse(text)


def test_unknown_classes_are_named():
    with pytest.raises(InputError, match=r"expected classes among b, c, uds, g, got tau"):
        Discriminant.parse("b/uds+tau").scores(np.ones((1, 4)) / 4, NAMES)
