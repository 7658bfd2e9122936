"""What a tagger reaches on a sample: its numbers with bootstrap uncertainties, pair by pair."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Int64

from hepml.errors import InputError
from hepml.training._metrics import (
    Estimate,
    Ranking,
    accuracy,
    check_lengths,
    checked_weights,
    confusion_matrix,
)
from hepml.training._pairs import Pair, default_pairs

EFFICIENCIES = (0.5, 0.3)
# No event where mu are expected has probability exp(-mu): 0.05 at this mu.
_EVENTS_AT_95_PERCENT = -math.log(0.05)
# The signal efficiencies at which the band of a ROC curve is kept.
_GRID = np.linspace(0.005, 1.0, 200)


@dataclass(frozen=True, eq=False)
class Discrimination:
    """How well a tagger tells the classes of a pair apart.

    Parameters
    ----------
    pair
        The classes.
    sets
        The numbers of signal and background jets.
    auc
        The area under the ROC curve.
    rejections
        1 / background efficiency at the signal efficiencies that are the keys.
    signal_efficiency, background_efficiency
        The ROC curve on an even grid of signal efficiencies.
    background_low, background_high
        The band around it that holds 68.3 % of the replicas.
    """

    pair: Pair
    sets: tuple[int, int]
    auc: Estimate
    rejections: dict[float, Estimate]
    signal_efficiency: Float[np.ndarray, " points"]
    background_efficiency: Float[np.ndarray, " points"]
    background_low: Float[np.ndarray, " points"]
    background_high: Float[np.ndarray, " points"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the curve."""
        return {
            "signal": list(self.pair.signal),
            "background": list(self.pair.background),
            "signal_sets": self.sets[0],
            "background_sets": self.sets[1],
            "auc": self.auc.to_dict(),
            "rejection": {f"{at:g}": x.to_dict() for at, x in self.rejections.items()},
        }


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a tagger reaches on a sample.

    Parameters
    ----------
    class_names
        The names of the classes.
    sets
        The number of jets.
    accuracy
        The fraction whose most probable class is the true one.
    discriminations
        One for each pair of which the sample has signal and background.
    absent
        The pairs left out, because the sample has no signal or no background of theirs.
    confusion
        The weight of the jets of each true class (row) taken for each class (column).
    replicas, seed
        Of the bootstrap.
    """

    class_names: tuple[str, ...]
    sets: int
    accuracy: Estimate
    discriminations: tuple[Discrimination, ...]
    absent: tuple[Pair, ...]
    confusion: Float[np.ndarray, "classes classes"]
    replicas: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "classes": list(self.class_names),
            "sets": self.sets,
            "accuracy": self.accuracy.to_dict(),
            "pairs": {str(d.pair): d.to_dict() for d in self.discriminations},
            "absent": [str(pair) for pair in self.absent],
            "confusion": self.confusion.tolist(),
            "bootstrap": {"replicas": self.replicas, "seed": self.seed},
        }


def evaluate_probabilities(
    probabilities: Float[np.ndarray, "jets classes"],
    labels: Int[np.ndarray, " jets"],
    class_names: Sequence[str],
    *,
    weights: Float[np.ndarray, " jets"] | None = None,
    pairs: Sequence[Pair] | None = None,
    replicas: int = 100,
    seed: int = 0,
) -> Evaluation:
    r"""Accuracy, AUC and background rejection with bootstrap uncertainties.

    Parameters
    ----------
    probabilities
        The probability of each class for each jet.
    labels
        The number of the true class of each jet.
    class_names
        The names of the classes.
    weights
        Non-negative weights; one for each jet by default.
    pairs
        What to tell from what; by default as :func:`default_pairs`.
    replicas, seed
        The number of bootstrap replicas, and the seed of their random numbers.

    Raises
    ------
    InputError
        If lengths differ, a probability is NaN, a label is not a class, a weight is negative, fewer
        than two replicas are asked for, or no pair has both signal and background.

    Notes
    -----
    A replica draws as many jets as there are, with replacement, within each class: the numbers of
    jets of the classes are a choice of the sample and no result. All taggers that are evaluated on
    the same jets in the same order meet the same replicas.

    The uncertainty of accuracy and AUC is their standard deviation over the replicas. That of the
    rejection R = 1/eB follows from that of the background efficiency to first order,
    sigma(R) = R^2 sigma(eB), and so stays finite when no background passes in some replica. When
    none passes in the sample itself, R is infinite and a lower limit is given: at 95 % confidence
    fewer than 3.0 jets are expected, hence R > N/3.0 with N the (effective) number of background
    jets.

    torchmetrics has the same curves, but neither weights nor uncertainties for them.
    """
    probabilities = np.asarray(probabilities, np.float64)
    _check_table(probabilities, labels, class_names, replicas)
    weights = checked_weights(weights, len(labels))
    if not weights.all():
        # Then every replica of a class has a positive sum of weights.
        probabilities, labels, weights = (x[weights > 0] for x in (probabilities, labels, weights))
    rankings: list[tuple[Pair, Bool[np.ndarray, " jets"], Ranking]] = []
    absent: list[Pair] = []
    for pair in default_pairs(class_names) if pairs is None else pairs:
        signal, chosen = pair.is_signal(labels, class_names)
        if weights[signal].any() and weights[chosen & ~signal].any():
            scores = pair.scores(probabilities[chosen], class_names)
            rankings.append((pair, chosen, Ranking(scores, signal[chosen], weights[chosen])))
        else:
            absent.append(pair)
    if not rankings:
        present = [class_names[i] for i in np.unique(labels)]
        raise InputError(
            "sample",
            expected="jets of at least two classes, both sides of "
            + " or ".join(map(str, absent[:3])),
            got=f"{len(labels)} jets of {', '.join(present) or 'no class'}",
            fix="evaluate a sample that has signal and background",
        )
    correct = np.where(probabilities.argmax(1) == labels, weights, 0.0)
    accuracies = []
    curves: list[list[Float[np.ndarray, " numbers"]]] = [[] for _ in rankings]
    for counts in _bootstrap(labels, replicas, seed):
        accuracies.append((correct @ counts) / (weights @ counts))
        for (_, chosen, ranking), replica in zip(rankings, curves, strict=True):
            curve = ranking.curve(counts[chosen])
            points = curve.background_at(np.append(EFFICIENCIES, _GRID))
            replica.append(np.append(curve.area, points))
    return Evaluation(
        tuple(class_names),
        len(labels),
        Estimate(accuracy(probabilities, labels, weights), _spread(np.array(accuracies))),
        tuple(
            _discrimination(pair, ranking, np.stack(replica))
            for (pair, _, ranking), replica in zip(rankings, curves, strict=True)
        ),
        tuple(absent),
        confusion_matrix(probabilities, labels, weights),
        replicas,
        seed,
    )


def _bootstrap(
    labels: Int[np.ndarray, " jets"], replicas: int, seed: int
) -> Iterator[Int64[np.ndarray, " jets"]]:
    """How often each jet enters each replica, drawn with replacement within its class."""
    random = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    for _ in range(replicas):
        counts = np.empty(len(labels), np.int64)
        for jets in members:
            drawn = random.integers(len(jets), size=len(jets))
            counts[jets] = np.bincount(drawn, minlength=len(jets))
        yield counts


def _discrimination(
    pair: Pair, ranking: Ranking, replicas: Float[np.ndarray, "replicas numbers"]
) -> Discrimination:
    """The numbers of the sample with the spread of (area, background efficiencies) around them."""
    curve = ranking.curve()
    rejections = {}
    for column, efficiency in enumerate(EFFICIENCIES, start=1):
        sigma = _spread(replicas[:, column])
        passing = float(curve.background_at(np.array([efficiency]))[0])
        if passing > 0:
            rejections[efficiency] = Estimate(1 / passing, sigma / passing**2)
        else:
            effective = ranking.background.sum() ** 2 / (ranking.background**2).sum()
            limit = float(effective) / _EVENTS_AT_95_PERCENT
            rejections[efficiency] = Estimate(math.inf, math.nan, limit)
    # The shares of a normal distribution below minus and plus one standard deviation.
    low, high = np.quantile(replicas[:, 1 + len(EFFICIENCIES) :], (0.15866, 0.84134), axis=0)
    return Discrimination(
        pair,
        (int((ranking.signal > 0).sum()), int((ranking.background > 0).sum())),
        Estimate(curve.area, _spread(replicas[:, 0])),
        rejections,
        _GRID,
        curve.background_at(_GRID),
        low,
        high,
    )


def _spread(values: Float[np.ndarray, " replicas"]) -> float:
    """The standard deviation; zero where the values differ by rounding alone."""
    sigma = float(np.std(values, ddof=1))
    return sigma if sigma > 1e-12 * float(np.abs(values).max()) else 0.0


def _check_table(
    probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str], replicas: int
) -> None:
    """Refuse shapes, labels and numbers of replicas that do not fit."""
    if probabilities.ndim != 2 or probabilities.shape[1] != len(class_names):
        raise InputError(
            "probabilities",
            expected=f"one column for each of the classes {', '.join(class_names)}",
            got=f"an array of shape {probabilities.shape}",
            fix="give the class names of the tagger, in its order",
        )
    check_lengths("labels", labels, len(probabilities))
    if np.isnan(probabilities).any():
        bad = np.isnan(probabilities).any(1)
        raise InputError(
            "probabilities",
            expected="numbers",
            got=f"NaN for {int(bad.sum())} of {len(bad)} jets, first for jet {int(bad.argmax())}",
            fix="drop these jets, or look for the reason in the network and its input",
        )
    if len(labels) and not (labels.min() >= 0 and labels.max() < len(class_names)):
        raise InputError(
            "labels",
            expected=f"numbers from 0 to {len(class_names) - 1}",
            got=f"{labels.min()} to {labels.max()}",
            fix="number the classes in the order of their names",
        )
    if replicas < 2:
        raise InputError(
            "replicas",
            expected="at least 2",
            got=str(replicas),
            fix="100 give an uncertainty good to 7 %",
        )
