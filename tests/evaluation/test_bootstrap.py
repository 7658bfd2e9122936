"""Replicas of rows that depend on each other, against closed forms."""

import numpy as np
import pytest

from hepml.errors import InputError
from hepml.evaluation import evaluate_probabilities
from hepml.evaluation._bootstrap import Bootstrap


def spread_of_mean(values, set_index):
    draws = Bootstrap(400, 1).draw(np.zeros(len(values), int), set_index)
    return np.std([counts @ values / counts.sum() for counts in draws])


def test_rows_of_one_set_are_taken_together():
    """Eight equal rows of each set know as much as one."""
    random = np.random.default_rng(0)
    of_sets = random.normal(size=500)
    rows, set_index = np.repeat(of_sets, 8), np.repeat(np.arange(500), 8)
    assert spread_of_mean(rows, set_index) == pytest.approx(500**-0.5, rel=0.15)
    # Planted: as if the rows knew nothing of each other.
    assert spread_of_mean(rows, None) == pytest.approx(4000**-0.5, rel=0.15)
    order = random.permutation(len(rows))
    assert spread_of_mean(rows[order], set_index[order]) == pytest.approx(500**-0.5, rel=0.15)


def test_a_class_in_one_set_alone_is_in_every_replica():
    labels = np.array([1, 1, *[0] * 40])
    for counts in Bootstrap(50, 0).draw(labels, np.arange(42) // 2):
        assert counts[labels == 1].sum() > 0
        np.testing.assert_array_equal(counts[::2], counts[1::2])


@pytest.mark.usefixtures("unchecked_types")
def test_areas_of_particles_that_repeat_are_those_of_sets():
    random = np.random.default_rng(3)
    labels = random.integers(0, 3, 600)
    probabilities = random.dirichlet(np.ones(3), 600) + np.eye(3)[labels]
    probabilities /= probabilities.sum(1, keepdims=True)
    sets = evaluate_probabilities(probabilities, labels, "abc", replicas=200)
    index = np.repeat(np.arange(600), 5)
    particles = evaluate_probabilities(
        probabilities[index], labels[index], "abc", replicas=200, set_index=index
    )
    assert particles.rows == 3000
    assert particles.macro_auc.value == pytest.approx(sets.macro_auc.value, abs=1e-12)
    areas = [each.auc.value for each in particles.discriminations]
    assert particles.macro_auc.value == pytest.approx(np.mean(areas), abs=1e-15)
    # The numbers of sets of the classes vary as well.
    assert particles.macro_auc.uncertainty == pytest.approx(sets.macro_auc.uncertainty, rel=0.3)
    with pytest.raises(InputError, match="set_index: expected one for each of the 600 rows"):
        evaluate_probabilities(probabilities, labels, "abc", set_index=index)


def test_two_classes_and_named_pairs_have_no_macro_area():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]])
    assert evaluate_probabilities(probabilities, np.array([0, 0, 1]), "ab").macro_auc is None


def test_one_replica_has_no_spread():
    with pytest.raises(InputError, match="replicas: expected at least 2, got 1"):
        Bootstrap(1, 0)
