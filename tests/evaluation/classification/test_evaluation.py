"""Bootstrap uncertainties against closed forms; what an evaluation reports."""

import json
import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hepml.errors import InputError
from hepml.evaluation import Discriminant, evaluate_probabilities, evaluate_scores
from hepml.evaluation.classification import _evaluation


def two_classes(jets=3000, seed=0):
    """Normal scores one and a half standard deviations apart: probabilities and labels."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, jets)
    score = 1 / (1 + np.exp(-1.5 * random.normal(1.5 * labels - 0.75)))
    return np.stack([1 - score, score], 1), labels


def delong_sigma(scores, signal):
    """The standard deviation of the AUC (DeLong, DeLong, Clarke-Pearson 1988)."""
    positive, negative = scores[signal], scores[~signal]
    greater = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    return math.sqrt(
        greater.mean(1).var(ddof=1) / len(positive) + greater.mean(0).var(ddof=1) / len(negative)
    )


def test_the_uncertainty_of_the_area_is_delong_s():
    probabilities, labels = two_classes()
    (found,) = evaluate_probabilities(
        probabilities, labels, ["qcd", "top"], replicas=400
    ).discriminations
    assert found.auc.value == pytest.approx(roc_auc_score(labels, probabilities[:, 1]), abs=1e-12)
    # 400 replicas know a standard deviation to 1 / sqrt(800) = 3.5 %.
    expected = delong_sigma(probabilities[:, 1], labels == 1)
    assert found.auc.uncertainty == pytest.approx(expected, rel=0.12)


def test_a_bootstrap_without_replacement_is_noticed(monkeypatch):
    monkeypatch.setattr(
        _evaluation.Bootstrap, "draw", lambda self, x, _: [np.ones_like(x)] * self.replicas
    )
    probabilities, labels = two_classes()
    (found,) = evaluate_probabilities(probabilities, labels, ["qcd", "top"]).discriminations
    assert found.auc.uncertainty < 0.1 * delong_sigma(probabilities[:, 1], labels == 1)


def test_the_uncertainty_of_the_accuracy_is_binomial_within_classes():
    probabilities, labels = two_classes()
    found = evaluate_probabilities(probabilities, labels, ["qcd", "top"], replicas=400).accuracy
    correct = probabilities.argmax(1) == labels
    variance = sum((labels == c).sum() * correct[labels == c].var() for c in (0, 1))
    assert found.uncertainty == pytest.approx(math.sqrt(variance) / len(labels), rel=0.12)


def test_the_uncertainty_of_the_rejection_counts_the_jets_and_the_moving_cut():
    # Scores with densities 2s and 2(1 - s): at the cut t, eS = 1 - t^2 and eB = (1 - t)^2.
    random = np.random.default_rng(3)
    labels = np.repeat([0, 1], 20000)
    score = np.sqrt(random.random(40000))
    score = np.where(labels == 1, score, 1 - score)
    (found,) = evaluate_probabilities(
        np.stack([1 - score, score], 1), labels, ["qcd", "top"], replicas=400
    ).discriminations
    for efficiency, rejection in found.rejections.items():
        cut = math.sqrt(1 - efficiency)
        passing = (1 - cut) ** 2
        slope = (1 - cut) / cut
        sigma = math.sqrt(
            (passing * (1 - passing) + slope**2 * efficiency * (1 - efficiency)) / 20000
        )
        assert abs(1 / rejection.value - passing) < 4 * sigma
        assert rejection.uncertainty == pytest.approx(rejection.value**2 * sigma, rel=0.15)


def test_the_band_holds_the_curve_and_shrinks_with_the_sample():
    widths = []
    for jets in (1000, 16000):
        found = evaluate_probabilities(*two_classes(jets), ["qcd", "top"]).discriminations[0]
        assert (found.background_low <= found.background_high).all()
        middle = slice(60, 180)
        inside = (found.background_low <= found.background_efficiency) & (
            found.background_efficiency <= found.background_high
        )
        assert inside[middle].mean() > 0.9
        widths.append((found.background_high - found.background_low)[middle].mean())
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.2)


def test_the_same_seed_gives_the_same_numbers():
    first, second, other = (
        evaluate_probabilities(*two_classes(500), ["qcd", "top"], seed=seed).to_dict()
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first["accuracy"] != other["accuracy"]


def test_no_background_at_all_becomes_a_lower_limit():
    score = np.concatenate([np.linspace(0, 0.4, 300), np.linspace(0.3, 1, 100)])
    labels = np.repeat([0, 1], [300, 100])
    evaluation = evaluate_probabilities(np.stack([1 - score, score], 1), labels, ["qcd", "top"])
    rejection = evaluation.discriminations[0].rejections[0.3]
    assert rejection.value == math.inf
    assert rejection.lower_limit == pytest.approx(300 / 2.9957, rel=1e-4)
    assert "NaN" not in json.dumps(evaluation.to_dict(), allow_nan=False)


def test_weights_of_the_background_lower_the_limit():
    score = np.array([0.1, 0.1, 0.9])
    weights = np.array([3.0, 1.0, 1.0])
    found = evaluate_probabilities(
        np.stack([1 - score, score], 1), np.array([0, 0, 1]), ["qcd", "top"], weights=weights
    )
    # Sixteen over ten: the weights count as 1.6 jets.
    assert found.discriminations[0].rejections[0.5].lower_limit == pytest.approx(1.6 / 2.9957, 1e-4)


@pytest.mark.parametrize("weighted", [False, True])
def test_each_class_against_the_rest_agrees_with_scikit_learn(weighted):
    random = np.random.default_rng(2)
    labels = random.integers(0, 3, 600)
    probabilities = random.dirichlet(np.ones(3), 600) + 0.5 * np.eye(3)[labels]
    probabilities /= probabilities.sum(1, keepdims=True)
    weights = random.exponential(size=600) if weighted else None
    found = evaluate_probabilities(probabilities, labels, "abc", weights=weights, replicas=2)
    areas = [
        roc_auc_score(labels == c, probabilities[:, c], sample_weight=weights) for c in range(3)
    ]
    assert [d.auc.value for d in found.discriminations] == pytest.approx(areas, abs=1e-12)
    assert [d.rows for d in found.discriminations] == [
        (int((labels == c).sum()), int((labels != c).sum())) for c in range(3)
    ]


def test_what_no_replica_changes_has_no_uncertainty():
    labels = np.arange(41) % 2
    probabilities = np.full((41, 2), (0.7, 0.3))
    found = evaluate_probabilities(probabilities, labels, ["qcd", "top"], weights=np.full(41, 0.1))
    assert found.accuracy.uncertainty == 0.0
    assert found.discriminations[0].auc.uncertainty == 0.0


def test_jets_without_weight_do_not_count():
    probabilities, labels = two_classes(400)
    weights = (np.arange(400) % 2).astype(float)
    half = evaluate_probabilities(probabilities, labels, ["qcd", "top"], weights=weights)
    kept = evaluate_probabilities(probabilities[1::2], labels[1::2], ["qcd", "top"])
    assert half.to_dict() == kept.to_dict()


def test_absent_classes_are_left_out_and_listed():
    probabilities = np.tile([0.5, 0.3, 0.2], (10, 1))
    found = evaluate_probabilities(probabilities, np.arange(10) % 2, "abc")
    assert [str(d.pair) for d in found.discriminations] == ["a/b+c", "b/a+c"]
    assert [str(pair) for pair in found.absent] == ["c/a+b"]


def test_named_pairs_leave_other_jets_out():
    probabilities, labels = two_classes(400)
    three = np.concatenate([probabilities * 0.9, np.full((400, 1), 0.1)], 1)
    extra = np.tile([0.1, 0.1, 0.8], (50, 1))
    found = evaluate_probabilities(
        np.concatenate([three, extra]),
        np.concatenate([labels, np.full(50, 2)]),
        ["qcd", "top", "w"],
        pairs=[Discriminant(("top",), ("qcd",))],
    ).discriminations[0]
    assert found.auc.value == pytest.approx(roc_auc_score(labels, probabilities[:, 1]), abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros(400, int)}, "got 400 rows of qcd"),
        ({"labels": np.full(400, 2)}, "labels: expected numbers from 0 to 1, got 2 to 2"),
        ({"labels": np.zeros(3, int)}, "labels: expected one for each of the 400 rows"),
        ({"class_names": ["a", "b", "c"]}, "one column for each of the classes a, b, c"),
        ({"weights": np.ones(3)}, "weights: expected one for each of the 400 rows"),
        ({"probabilities": np.full((400, 2), np.nan)}, "NaN for 400 of 400 rows"),
        ({"replicas": 1}, "replicas: expected at least 2"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_bad_input_is_named(change, message):
    probabilities, labels = two_classes(400)
    arguments = {"probabilities": probabilities, "labels": labels, "class_names": ["qcd", "top"]}
    with pytest.raises(InputError, match=message):
        evaluate_probabilities(**(arguments | change))


def test_no_jets_at_all_is_an_error():
    with pytest.raises(InputError, match="got 0 rows of no class"):
        evaluate_probabilities(np.zeros((0, 2)), np.zeros(0, int), ["qcd", "top"])


def test_a_score_has_the_curve_of_the_probability_that_rises_with_it():
    probabilities, labels = two_classes(400)
    # Steps that float64 resolves, so that the order is the same.
    score = np.round(np.log(probabilities[:, 1] / probabilities[:, 0]), 6)
    weights = np.linspace(0.5, 2, 400)
    found = evaluate_scores(score, labels, ["qcd", "top"], weights=weights)
    expected = evaluate_probabilities(probabilities, labels, ["qcd", "top"], weights=weights)
    assert found.accuracy is None
    assert found.confusion is None
    assert found.to_dict()["pairs"] == expected.to_dict()["pairs"]
    json.dumps(found.to_dict(), allow_nan=False)
    with pytest.raises(InputError, match="scores: expected numbers, got NaN for 1 of 400"):
        evaluate_scores(np.where(np.arange(400) == 3, np.nan, score), labels, ["qcd", "top"])
    with pytest.raises(InputError, match="replicas: expected at least 2"):
        evaluate_scores(score, labels, ["qcd", "top"], replicas=1)


def test_negative_weights_are_evaluated_and_those_that_cancel_refused():
    probabilities, labels = two_classes(2000)
    random = np.random.default_rng(5)
    weights = np.where(random.random(2000) < 0.2, -1.0, 1.0)
    found, plain = (
        evaluate_probabilities(probabilities, labels, ["qcd", "top"], weights=w, replicas=300)
        for w in (weights, None)
    )
    # A fifth of negative weights leaves 0.6² of the jets' power.
    auc, expected = found.discriminations[0].auc, plain.discriminations[0].auc
    assert abs(auc.value - expected.value) < 4 * auc.uncertainty
    assert auc.uncertainty / expected.uncertainty == pytest.approx(1 / 0.6, rel=0.2)
    assert found.rows == 2000
    json.dumps(found.to_dict(), allow_nan=False)
    even = np.where(np.arange(2000) % 4 < 2, -1.0, 1.0)
    even[:2] = 3.0
    with pytest.raises(InputError, match=r"negative and positive weights cancel|sum to"):
        evaluate_probabilities(probabilities, labels, ["qcd", "top"], weights=even)
