"""Curves and counts against scikit-learn, ties and weights included."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from hepml.errors import InputError
from hepml.evaluation import Estimate, accuracy, confusion_matrix, roc_curve
from hepml.evaluation.classification._metrics import Ranking


@st.composite
def samples(draw):
    """Scores with or without ties, jets of both kinds, with or without weights."""
    jets = draw(st.integers(2, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = random.normal(size=jets)
    if (levels := draw(st.sampled_from([0, 1, 3]))) > 0:
        scores = np.round(scores * levels) / levels
    signal = random.random(jets) < draw(st.floats(0.1, 0.9))
    signal[:2] = True, False
    weights = random.exponential(size=jets) if draw(st.booleans()) else None
    if weights is not None and draw(st.booleans()):
        weights[2:] *= random.random(jets - 2) < 0.5
    return scores, signal, weights


def worst_difference(sample, ranking=Ranking):
    """The largest difference of area and background efficiencies to scikit-learn's."""
    scores, signal, weights = sample
    curve = ranking(scores, signal, weights).curve()
    fpr, tpr, _ = sklearn_metrics.roc_curve(
        signal, scores, sample_weight=weights, drop_intermediate=False
    )
    # Between the attained efficiencies, where rounding cannot decide which cut is meant.
    efficiencies = (np.unique(tpr)[:-1] + np.unique(tpr)[1:]) / 2
    expected = [fpr[np.argmax(tpr >= efficiency)] for efficiency in efficiencies]
    area = sklearn_metrics.roc_auc_score(signal, scores, sample_weight=weights)
    return max(abs(curve.area - area), *np.abs(curve.background_at(efficiencies) - expected))


@given(samples())
def test_curves_agree_with_scikit_learn(sample):
    assert worst_difference(sample) < 1e-12


def test_the_comparison_notices_ties_that_are_split():
    class SplitsTies(Ranking):
        def __init__(self, scores, signal, weights):
            super().__init__(np.arange(len(scores), dtype=float), signal, weights)
            self.order = np.argsort(-scores, kind="stable")
            self.signal = signal[self.order].astype(float)
            self.background = 1 - self.signal

    scores, signal = np.array([1.0, 1.0, 0.0, 0.0]), np.array([False, True, True, False])
    assert worst_difference((scores, signal, None)) < 1e-12
    assert worst_difference((scores, signal, None), SplitsTies) > 0.1


@given(samples())
def test_points_of_the_curve_are_scikit_learn_s(sample):
    scores, signal, weights = sample
    curve = roc_curve(scores, signal, weights)
    fpr, tpr, thresholds = sklearn_metrics.roc_curve(
        signal, scores, sample_weight=weights, drop_intermediate=False
    )
    # scikit-learn leaves out scores that only jets without weight have.
    rows = np.isin(curve.thresholds, thresholds)
    np.testing.assert_allclose(curve.background_efficiency[rows], fpr, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.signal_efficiency[rows], tpr, rtol=0, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_accuracy_and_confusion_agree_with_scikit_learn(weighted):
    random = np.random.default_rng(1)
    probabilities = random.dirichlet(np.ones(4), size=500)
    labels = random.integers(0, 4, 500)
    weights = random.exponential(size=500) if weighted else None
    taken = probabilities.argmax(1)
    assert accuracy(probabilities, labels, weights) == pytest.approx(
        sklearn_metrics.accuracy_score(labels, taken, sample_weight=weights), abs=1e-12
    )
    np.testing.assert_allclose(
        confusion_matrix(probabilities, labels, weights),
        sklearn_metrics.confusion_matrix(labels, taken, sample_weight=weights),
        rtol=0,
        atol=1e-12 * 500,
    )


def test_a_class_without_jets_keeps_its_row():
    matrix = confusion_matrix(np.array([[0.1, 0.9, 0.0]]), np.array([0]))
    assert matrix.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_efficiency_at_one_keeps_all_signal_whatever_the_rounding():
    weights = np.full(10, 0.1)
    curve = roc_curve(np.arange(10.0), np.arange(10) % 2 == 1, weights)
    assert curve.background_at(np.array([0.0, 1.0])).tolist() == [0.0, pytest.approx(0.8)]


SCORES, SIGNAL = np.array([0.1, 0.7, 0.8]), np.array([False, True, True])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.array([0.1, np.nan, 0.8]), SIGNAL), "NaN for 1 of 3 rows, first in row 1"),
        ((SCORES, np.ones(3, bool)), "got no background among 3 rows"),
        ((SCORES, np.zeros(3, bool)), "got no signal among 3 rows"),
        ((np.zeros(0), np.zeros(0, bool)), "got no signal among 0 rows"),
        ((SCORES, SIGNAL, np.array([1.0, -2.0, 1.0])), "got weights of signal that sum to -1"),
        ((SCORES, SIGNAL, np.array([0.0, -2.0, 3.0])), "got no background"),
        ((SCORES, SIGNAL, np.array([1.0, 1.0, np.inf])), "got inf in row 2"),
        ((SCORES, SIGNAL, np.array([0.0, 1.0, 1.0])), "got no background"),
        ((SCORES, SIGNAL[:2]), r"one for each of the 3 rows, got an array of shape \(2,\)"),
        ((SCORES, SIGNAL, np.ones(4)), r"weights: .*got an array of shape \(4,\)"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        roc_curve(*arguments)


@pytest.mark.usefixtures("unchecked_types")
def test_lengths_of_tables_are_compared():
    for function in (accuracy, confusion_matrix):
        with pytest.raises(InputError, match=r"labels: expected one for each of the 3 rows"):
            function(np.ones((3, 2)), np.zeros(2, int))


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.91349, 0.00118), "0.9135 ± 0.0012"),
        (Estimate(1234.5, 123.4), "1234 ± 123"),
        (Estimate(1.0, 0.0), "1 ± 0"),
        (Estimate(math.inf, math.nan, 333.8), "> 334 (95% CL)"),
    ],
)
def test_estimates_are_printed_with_two_digits_of_the_uncertainty(estimate, text):
    assert str(estimate) == text


def test_infinite_estimates_become_null():
    assert Estimate(math.inf, math.nan, 3.0).to_dict() == {
        "value": None,
        "uncertainty": None,
        "lower_limit_95": 3.0,
    }


@given(st.integers(0, 2**32 - 1))
def test_signed_weights_as_scikit_learn_has_them_and_beyond(seed):
    random = np.random.default_rng(seed)
    signal = np.arange(80) % 2 == 1
    scores = np.round(random.normal(size=80) + signal, 1)
    weights = random.exponential(size=80) * np.where(random.random(80) < 0.2, -1, 1)
    weights[:2] = 20.0
    curve = roc_curve(scores, signal, weights)
    fpr, tpr, _ = sklearn_metrics.roc_curve(
        signal, scores, sample_weight=weights, drop_intermediate=False
    )
    np.testing.assert_allclose(curve.background_efficiency, fpr, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.signal_efficiency, tpr, rtol=0, atol=1e-12)
    # The share of ordered pairs, which scikit-learn refuses where the curve turns back.
    ordered = (np.sign(scores[signal][:, None] - scores[~signal]) + 1) / 2
    share = weights[signal] @ ordered @ weights[~signal]
    share /= weights[signal].sum() * weights[~signal].sum()
    assert curve.area == pytest.approx(share, abs=1e-12)
    if (np.diff(fpr) >= 0).all():
        area = sklearn_metrics.roc_auc_score(signal, scores, sample_weight=weights)
        assert curve.area == pytest.approx(area, abs=1e-12)
    probabilities = random.dirichlet([1, 1], 80)
    taken = probabilities.argmax(1)
    assert accuracy(probabilities, signal.astype(int), weights) == pytest.approx(
        sklearn_metrics.accuracy_score(signal, taken, sample_weight=weights), abs=1e-12
    )


def test_the_tightest_cut_is_the_first_that_keeps_enough():
    # The second signal jet takes away what the first brought.
    scores, signal = np.arange(6.0)[::-1], np.array([True, True, False, True, True, False])
    curve = roc_curve(scores, signal, np.array([2.0, -1.0, 1.0, 1.0, 2.0, 3.0]))
    assert curve.signal_efficiency.tolist() == [0.0, 0.5, 0.25, 0.25, 0.5, 1.0, 1.0]
    assert curve.background_at(np.array([0.3, 0.5, 0.6])).tolist() == [0.0, 0.0, 0.25]
    assert [curve.threshold_at(e) for e in (0.3, 0.6)] == [5.0, 1.0]


def test_weights_that_cancel_have_no_accuracy():
    with pytest.raises(InputError, match="weights: expected a sum that is positive"):
        accuracy(np.ones((2, 2)), np.zeros(2, int), np.array([1.0, -1.0]))
