"""How well scores separate classes: accuracy, confusion, ROC curves; numbers with uncertainty."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int64, Shaped

from hepml.errors import InputError


@dataclass(frozen=True, eq=False)
class RocCurve:
    """The efficiencies of all cuts ``score >= threshold``, from the tightest to the loosest.

    The first point is the cut that keeps nothing; rows with equal scores enter together.

    Parameters
    ----------
    signal_efficiency, background_efficiency
        The fraction of (the weight of) the signal and of the background that each cut keeps.
    thresholds
        The score of each cut; infinite for the first.
    """

    signal_efficiency: Float[np.ndarray, " cuts"]
    background_efficiency: Float[np.ndarray, " cuts"]
    thresholds: Float[np.ndarray, " cuts"]

    @property
    def area(self) -> float:
        """The area under the signal efficiency as a function of the background efficiency."""
        return float(np.trapezoid(self.signal_efficiency, self.background_efficiency))

    def background_at(
        self, signal_efficiency: Float[np.ndarray, " points"]
    ) -> Float[np.ndarray, " points"]:
        """Background efficiency of the tightest cut that keeps at least this much signal."""
        kept: Float[np.ndarray, " points"] = self.background_efficiency[
            self._cuts(signal_efficiency)
        ]
        return kept

    def threshold_at(self, signal_efficiency: float) -> float:
        """The score of the tightest cut that keeps at least this much signal."""
        return float(self.thresholds[self._cuts(np.array([signal_efficiency]))[0]])

    def _cuts(
        self, signal_efficiency: Float[np.ndarray, " points"]
    ) -> Int64[np.ndarray, " points"]:
        """The number of the first cut that keeps at least this much signal."""
        # With negative weights a looser cut may keep less.
        kept = np.maximum.accumulate(self.signal_efficiency)
        # Rounding may leave the loosest cut a little below one.
        cuts: Int64[np.ndarray, " points"] = np.minimum(
            np.searchsorted(kept, signal_efficiency), len(kept) - 1
        )
        return cuts


def roc_curve(
    scores: Float[np.ndarray, " rows"],
    signal: Bool[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> RocCurve:
    r"""Signal and background efficiency of every cut on a score.

    .. math:: \epsilon(t) = \sum_{i: s_i \ge t} w_i \Big/ \sum_i w_i

    Parameters
    ----------
    scores
        A number for each row (jet, particle, ...), larger for signal.
    signal
        Which rows are signal; the others are background.
    weights
        The weight of each row; one by default.

    Raises
    ------
    InputError
        If a score is NaN, a weight is not finite, or the weights of signal or background do not
        have a positive sum.

    Notes
    -----
    With negative weights, as of events at next-to-leading order, a looser cut may keep less: the
    curve turns back. Its area is still the weighted share of the pairs of signal and background
    that the score puts in order. scikit-learn gives the same numbers, but no area under a curve
    that turns back.

    Examples
    --------
    >>> curve = roc_curve(np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, False, True, False]))
    >>> curve.area, curve.background_at(np.array([0.5, 1.0])).tolist()
    (0.75, [0.0, 0.5])
    """
    return Ranking(scores, signal, weights).curve()


class Ranking:
    """Rows sorted once by falling score, for the curves of any multiplicities of the rows."""

    def __init__(
        self,
        scores: Float[np.ndarray, " rows"],
        signal: Bool[np.ndarray, " rows"],
        weights: Float[np.ndarray, " rows"] | None,
    ) -> None:
        check_lengths("signal", signal, len(scores))
        weights = checked_weights(weights, len(scores))
        if np.isnan(scores).any():
            raise InputError(
                "scores",
                expected="numbers",
                got=f"NaN for {int(np.isnan(scores).sum())} of {len(scores)} rows, "
                f"first in row {int(np.isnan(scores).argmax())}",
                fix="drop these, or look for the reason in the network and its input",
            )
        for name, of_kind in (("signal", signal), ("background", ~signal)):
            if not weights[of_kind].sum() > 0:
                found = f"weights of {name} that sum to {weights[of_kind].sum():.6g}"
                raise InputError(
                    name,
                    expected="signal and background with a positive sum of weights",
                    got=found if weights[of_kind].any() else f"no {name} among {len(scores)} rows",
                    fix="evaluate a sample that has both, or without weights",
                )
        self.order = np.argsort(-scores, kind="stable")
        ranked = scores[self.order]
        self.last_of_score = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        self.thresholds = np.append(np.inf, ranked[self.last_of_score])
        signal = signal[self.order]
        self.signal = np.where(signal, weights[self.order], 0.0)
        self.background = np.where(signal, 0.0, weights[self.order])

    def curve(self, counts: Shaped[np.ndarray, " rows"] | None = None) -> RocCurve:
        """The ROC curve when each row enters this often (once by default)."""
        multiplicity = 1 if counts is None else counts[self.order]
        return RocCurve(
            self._efficiency(self.signal * multiplicity),
            self._efficiency(self.background * multiplicity),
            self.thresholds,
        )

    def _efficiency(self, weights: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " cuts"]:
        """The fraction of the weights that each cut keeps."""
        kept = np.append(0.0, np.cumsum(weights)[self.last_of_score])
        if not kept[-1] > 0:
            raise cancelling(kept[-1])
        fraction: Float[np.ndarray, " cuts"] = kept / kept[-1]
        return fraction


def accuracy(
    probabilities: Float[np.ndarray, "rows classes"],
    labels: Int[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> float:
    """The fraction of (the weight of) the rows whose most probable class is the true one."""
    check_lengths("labels", labels, len(probabilities))
    correct = probabilities.argmax(1) == labels
    weights = checked_weights(weights, len(labels))
    if not weights.sum() > 0:
        raise cancelling(float(weights.sum()))
    return float(np.average(correct, weights=weights))


def confusion_matrix(
    probabilities: Float[np.ndarray, "rows classes"],
    labels: Int[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"] | None = None,
) -> Float[np.ndarray, "classes classes"]:
    """The weight of what is of each true class (row) and taken for each class (column)."""
    check_lengths("labels", labels, len(probabilities))
    classes = probabilities.shape[1]
    weights = checked_weights(weights, len(labels))
    cells = np.bincount(labels * classes + probabilities.argmax(1), weights, classes * classes)
    return cells.reshape(classes, classes)


def checked_weights(
    weights: Float[np.ndarray, " rows"] | None, rows: int
) -> Float[np.ndarray, " rows"]:
    """The weights in float64, or ones."""
    if weights is None:
        return np.ones(rows)
    check_lengths("weights", weights, rows)
    bad = ~np.isfinite(weights)
    if bad.any():
        raise InputError(
            "weights",
            expected="finite numbers",
            got=f"{weights[bad][0]} in row {int(bad.argmax())} ({int(bad.sum())} such rows)",
            fix="give other weights, or evaluate without weights",
        )
    return weights.astype(np.float64)


def cancelling(total: float) -> InputError:
    """The error of weights whose sum is not above 0 in every replica of the sample."""
    return InputError(
        "weights",
        expected="a sum that is positive, beyond what the bootstrap varies it by",
        got=f"{total:.6g} in a replica of the sample: negative and positive weights cancel",
        fix="evaluate more jets, or without weights",
    )


def check_lengths(name: str, values: np.ndarray, rows: int) -> None:
    """Refuse an array that does not hold one number for each row."""
    if values.shape != (rows,):
        raise InputError(
            name,
            expected=f"one for each of the {rows} rows",
            got=f"an array of shape {values.shape}",
            fix="give scores, labels and weights of the same rows",
        )
