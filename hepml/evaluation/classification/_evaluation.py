"""What a tagger reaches on a sample: its numbers with bootstrap uncertainties, pair by pair."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from hepml.errors import InputError
from hepml.evaluation._bootstrap import Bootstrap
from hepml.evaluation._estimate import Estimate
from hepml.evaluation.classification._discriminants import Discriminant, default_discriminants
from hepml.evaluation.classification._discrimination import (
    EFFICIENCIES,
    GRID,
    Discrimination,
    discrimination,
    spread,
)
from hepml.evaluation.classification._metrics import (
    Ranking,
    accuracy,
    cancelling,
    check_lengths,
    checked_weights,
    confusion_matrix,
)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a tagger reaches on a sample.

    Parameters
    ----------
    class_names
        The names of the classes.
    rows
        The number of jets, particles, ...: of what has a class.
    accuracy
        The fraction whose most probable class is the true one; None of a score, which names none.
    macro_auc
        The mean of the AUC of each class against all others, over the classes that the sample has;
        None of two classes, of named pairs and of a score.
    discriminations
        One for each pair of which the sample has signal and background.
    absent
        The pairs left out, because the sample has no signal or no background of theirs.
    confusion
        The weight of the rows of each true class (row) taken for each class (column); None of a
        score.
    replicas, seed
        Of the bootstrap.
    """

    class_names: tuple[str, ...]
    rows: int
    accuracy: Estimate | None
    macro_auc: Estimate | None
    discriminations: tuple[Discrimination, ...]
    absent: tuple[Discriminant, ...]
    confusion: Float[np.ndarray, "classes classes"] | None
    replicas: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "classes": list(self.class_names),
            "rows": self.rows,
            "accuracy": None if self.accuracy is None else self.accuracy.to_dict(),
            "macro_auc": None if self.macro_auc is None else self.macro_auc.to_dict(),
            "pairs": {str(d.pair): d.to_dict() for d in self.discriminations},
            "absent": [str(pair) for pair in self.absent],
            "confusion": None if self.confusion is None else self.confusion.tolist(),
            "bootstrap": {"replicas": self.replicas, "seed": self.seed},
        }


def evaluate_probabilities(
    probabilities: Float[np.ndarray, "rows classes"],
    labels: Int[np.ndarray, " rows"],
    class_names: Sequence[str],
    *,
    weights: Float[np.ndarray, " rows"] | None = None,
    set_index: Int[np.ndarray, " rows"] | None = None,
    pairs: Sequence[Discriminant] | None = None,
    replicas: int = 100,
    seed: int = 0,
) -> Evaluation:
    r"""Accuracy, AUC and background rejection with bootstrap uncertainties.

    Parameters
    ----------
    probabilities
        The probability of each class for each row: each jet, particle, edge, ...
    labels
        The number of the true class of each row.
    class_names
        The names of the classes.
    weights
        The weight of each row; one by default. Some may be negative.
    set_index
        The set that each row belongs to, where rows are the particles or edges of sets.
    pairs
        What to tell from what; by default as :func:`default_discriminants`.
    replicas, seed
        The number of bootstrap replicas, and the seed of their random numbers.

    Raises
    ------
    InputError
        If lengths differ, a probability is NaN, a label is not a class, a weight is not finite, the
        weights of a side cancel, fewer than two replicas are asked for, or no pair has both signal
        and background.

    Notes
    -----
    A replica draws as many rows as there are, with replacement, within each class: the numbers of
    rows of the classes are a choice of the sample and no result. Rows of the same set depend on
    each other: where `set_index` says which they are, a replica gives each set a weight from an
    exponential distribution (the Bayesian bootstrap). All taggers that are evaluated on the same
    rows in the same order meet the same replicas.

    The uncertainty of accuracy and AUC is their standard deviation over the replicas. That of the
    rejection R = 1/eB follows from that of the background efficiency to first order,
    sigma(R) = R^2 sigma(eB), and so stays finite when no background passes in some replica. When
    none passes in the sample itself, R is infinite and a lower limit is given: at 95 % confidence
    fewer than 3.0 rows are expected, hence R > N/3.0 with N the (effective) number of background
    rows.

    torchmetrics has the same curves, but neither weights nor uncertainties for them.
    """
    probabilities = np.asarray(probabilities, np.float64)
    _check_table(probabilities, labels, class_names)
    weights = checked_weights(weights, len(labels))
    if set_index is not None:
        check_lengths("set_index", set_index, len(labels))
    return _evaluation(
        labels,
        tuple(class_names),
        weights,
        lambda pair: pair.scores(probabilities, class_names),
        pairs,
        probabilities,
        Bootstrap(replicas, seed),
        set_index,
    )


def evaluate_scores(
    scores: Float[np.ndarray, " rows"],
    labels: Int[np.ndarray, " rows"],
    class_names: Sequence[str],
    *,
    weights: Float[np.ndarray, " rows"] | None = None,
    pairs: Sequence[Discriminant] | None = None,
    replicas: int = 100,
    seed: int = 0,
) -> Evaluation:
    """AUC and background rejection of a number that is larger for signal, such as another's score.

    Parameters
    ----------
    scores
        One for each row, of any scale.
    labels, class_names, weights, pairs, replicas, seed
        As for :func:`evaluate_probabilities`, where the errors are, too.

    Notes
    -----
    A score alone has no most probable class: there is no accuracy and no confusion.
    """
    scores = np.asarray(scores, np.float64)
    check_lengths("scores", scores, len(labels))
    _check_labels(labels, class_names)
    return _evaluation(
        labels,
        tuple(class_names),
        checked_weights(weights, len(labels)),
        lambda _: scores,
        pairs,
        None,
        Bootstrap(replicas, seed),
    )


def _evaluation(
    labels: Int[np.ndarray, " rows"],
    class_names: tuple[str, ...],
    weights: Float[np.ndarray, " rows"],
    scores_of: Callable[[Discriminant], Float[np.ndarray, " rows"]],
    pairs: Sequence[Discriminant] | None,
    probabilities: Float[np.ndarray, "rows classes"] | None,
    bootstrap: Bootstrap,
    set_index: Int[np.ndarray, " rows"] | None = None,
) -> Evaluation:
    """The numbers of all pairs, and accuracy and confusion where there are probabilities."""
    averages = pairs is None and len(class_names) > 2 and probabilities is not None
    pairs = default_discriminants(class_names) if pairs is None else pairs
    # A replica of a class draws rows that count.
    counted = weights != 0
    labels, weights = labels[counted], weights[counted]
    set_index = None if set_index is None else set_index[counted]
    rankings: list[tuple[Discriminant, Bool[np.ndarray, " rows"], Ranking]] = []
    absent: list[Discriminant] = []
    for pair in pairs:
        signal, chosen = pair.is_signal(labels, class_names)
        if signal.any() and (chosen & ~signal).any():
            scores = scores_of(pair)[counted][chosen]
            rankings.append((pair, chosen, Ranking(scores, signal[chosen], weights[chosen])))
        else:
            absent.append(pair)
    if not rankings:
        present = [class_names[i] for i in np.unique(labels)]
        raise InputError(
            "sample",
            expected="two classes at least, both sides of " + " or ".join(map(str, absent[:3])),
            got=f"{len(labels)} rows of {', '.join(present) or 'no class'}",
            fix="evaluate a sample that has signal and background",
        )
    correct = None
    if probabilities is not None:
        probabilities = probabilities[counted]
        correct = np.where(probabilities.argmax(1) == labels, weights, 0.0)
    accuracies = []
    curves: list[list[Float[np.ndarray, " numbers"]]] = [[] for _ in rankings]
    for counts in bootstrap.draw(labels, set_index):
        if correct is not None:
            total = float(weights @ counts)
            if not total > 0:
                raise cancelling(total)
            accuracies.append((correct @ counts) / total)
        for (_, chosen, ranking), replica in zip(rankings, curves, strict=True):
            curve = ranking.curve(counts[chosen])
            points = curve.background_at(np.append(EFFICIENCIES, GRID))
            replica.append(np.append(curve.area, points))
    found = None
    if probabilities is not None:
        found = Estimate(accuracy(probabilities, labels, weights), spread(np.array(accuracies)))
    discriminations = tuple(
        discrimination(pair, ranking, np.stack(replica))
        for (pair, _, ranking), replica in zip(rankings, curves, strict=True)
    )
    macro = None
    if averages:
        areas = np.mean([np.stack(replica)[:, 0] for replica in curves], axis=0)
        macro = Estimate(float(np.mean([d.auc.value for d in discriminations])), spread(areas))
    return Evaluation(
        class_names,
        len(labels),
        found,
        macro,
        discriminations,
        tuple(absent),
        None if probabilities is None else confusion_matrix(probabilities, labels, weights),
        bootstrap.replicas,
        bootstrap.seed,
    )


def _check_table(probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> None:
    """Refuse shapes and labels that do not fit."""
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
            got=f"NaN for {int(bad.sum())} of {len(bad)} rows, first in row {int(bad.argmax())}",
            fix="drop these, or look for the reason in the network and its input",
        )
    _check_labels(labels, class_names)


def _check_labels(labels: np.ndarray, class_names: Sequence[str]) -> None:
    """Refuse labels that are no classes."""
    if len(labels) and not (labels.min() >= 0 and labels.max() < len(class_names)):
        raise InputError(
            "labels",
            expected=f"numbers from 0 to {len(class_names) - 1}",
            got=f"{labels.min()} to {labels.max()}",
            fix="number the classes in the order of their names",
        )
