"""Kinematics beside scores: efficiencies against them, shapes after a cut, calibration."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hepml.evaluation._kinematics import Kinematics
from hepml.evaluation.classification._metrics import Ranking

# The signal efficiency of the cut that profiles and shapes are shown for.
WORKING_POINT = 0.5
_BINS = 8
_MASS_BINS = 40


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """The rows of a pair of classes, jets or others, with their score.

    Parameters
    ----------
    scores
        Larger for signal.
    signal
        Which rows are signal; the others are background.
    weights
        The weight of each row.
    kinematics
        Kinematics of each row; None of those without momenta.
    is_probability
        Whether the score is the probability to be signal, so that it can be calibrated.
    noun
        What figures call a row: "jet", "particle", ...
    """

    scores: Float[np.ndarray, " rows"]
    signal: Bool[np.ndarray, " rows"]
    weights: Float[np.ndarray, " rows"]
    kinematics: Kinematics | None
    is_probability: bool
    noun: str = "jet"

    def passing(self, efficiency: float = WORKING_POINT) -> Bool[np.ndarray, " rows"]:
        """Which rows pass the tightest cut that keeps this much signal."""
        curve = Ranking(self.scores, self.signal, self.weights).curve()
        return self.scores >= curve.threshold_at(efficiency)


@dataclass(frozen=True, eq=False)
class Profile:
    """The share of rows that pass a cut, in bins of a variable.

    Parameters
    ----------
    edges
        Of the bins.
    efficiency, uncertainty
        In each bin, NaN without rows; the uncertainty is binomial, with weights.
    """

    edges: Float[np.ndarray, " edges"]
    efficiency: Float[np.ndarray, " bins"]
    uncertainty: Float[np.ndarray, " bins"]


def profile(
    variable: Float[np.ndarray, " rows"],
    passing: Bool[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"],
    edges: Float[np.ndarray, " edges"],
) -> Profile:
    """The share of the weight of rows that pass, in bins of a variable.

    Parameters
    ----------
    variable, passing, weights
        Of each row; rows outside of the bins do not enter.
    edges
        Of the bins, rising; the last bin holds its upper edge.

    Notes
    -----
    The uncertainty of ``e = sum_pass w / sum w`` is ``sqrt(sum w² (pass - e)²) / sum w``, binomial
    where all weights are one. Where none passes, or all do, it is that of one: ``1 / n``.
    """
    bins = len(edges) - 1
    place = np.searchsorted(edges, variable, "right") - 1
    place[variable == edges[-1]] = bins - 1
    inside = (place >= 0) & (place < bins)
    place, passing, weights = place[inside], passing[inside], weights[inside]

    def summed(values: Float[np.ndarray, " inside"]) -> Float[np.ndarray, " bins"]:
        # Of no rows numpy counts in integers.
        return np.bincount(place, values, bins).astype(np.float64)

    total, squares = summed(weights), summed(weights**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        efficiency = np.where(total > 0, summed(weights * passing) / total, np.nan)
        spread = np.sqrt(summed((weights * (passing - efficiency[place])) ** 2)) / total
        of_one = squares / total**2
    return Profile(edges, efficiency, np.where(spread > 0, spread, of_one))


def even_edges(variable: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " edges"]:
    """Edges of bins with about as many rows in each; two edges at least, rising."""
    finite = variable[np.isfinite(variable)]
    if not len(finite):
        return np.array([0.0, 1.0])
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, _BINS + 1)))
    return edges if len(edges) > 1 else np.array([edges[0] - 0.5, edges[0] + 0.5])


def mass_edges(mass: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " edges"]:
    """Edges of a histogram of masses that leaves out the highest half per cent."""
    finite = mass[np.isfinite(mass)]
    if not len(finite):
        return np.linspace(0.0, 1.0, _MASS_BINS + 1)
    low, high = float(min(finite.min(), 0.0)), float(np.quantile(finite, 0.995))
    return np.linspace(low, high if high > low else low + 1.0, _MASS_BINS + 1)


def mass_divergence(jets: ScoredRows) -> float:
    """Jensen-Shannon divergence, in bits, between the background's mass before and after the cut.

    Notes
    -----
    0 for a tagger that leaves the shape of the mass as it is, 1 for shapes that do not overlap; in
    40 bins. NaN where no background passes, or without masses.

    References
    ----------
    ATLAS, "Performance of mass-decorrelated jet substructure observables for hadronic two-body
    decay tagging", ATL-PHYS-PUB-2018-014.
    """
    background, passing, weights = ~jets.signal, jets.passing(), jets.weights
    mass = None if jets.kinematics is None else jets.kinematics.mass
    if mass is None:
        return float("nan")
    edges = mass_edges(mass[background])
    shapes = []
    for chosen in (background, background & passing):
        counts, _ = np.histogram(mass[chosen], edges, weights=weights[chosen])
        counts = np.maximum(counts, 0.0)
        if not counts.sum() > 0:
            return float("nan")
        shapes.append(counts / counts.sum())
    middle = (shapes[0] + shapes[1]) / 2
    terms = [
        shape[shape > 0] @ np.log2(shape[shape > 0] / middle[shape > 0]) / 2 for shape in shapes
    ]
    return float(max(sum(terms), 0.0))


@dataclass(frozen=True, eq=False)
class Calibration:
    """How often rows of a predicted probability are signal.

    Parameters
    ----------
    predicted, observed
        Mean probability and share of signal, in each bin that holds rows.
    uncertainty
        Of the observed share, binomial with weights.
    error
        The expected calibration error: the mean of their distance, by weight.
    """

    predicted: Float[np.ndarray, " bins"]
    observed: Float[np.ndarray, " bins"]
    uncertainty: Float[np.ndarray, " bins"]
    error: float


def calibration(rows: ScoredRows, bins: int = 15) -> Calibration:
    """Predicted probability of signal against its share, in bins of equal width.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Weinberger, ICML 2017, arXiv:1706.04599, eqs. (2) to (5).

    Notes
    -----
    The shares are those of the sample: a network learned from as much signal as background is not
    calibrated on a sample with other shares.
    """
    edges = np.linspace(0, 1, bins + 1)
    shares = profile(rows.scores, rows.signal, rows.weights, edges)
    place = np.clip(np.searchsorted(edges, rows.scores, "right") - 1, 0, bins - 1)
    total = np.bincount(place, rows.weights, bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        predicted = np.bincount(place, rows.weights * rows.scores, bins) / total
    filled = total > 0
    distance = np.abs(predicted - shares.efficiency)[filled]
    return Calibration(
        predicted[filled],
        shares.efficiency[filled],
        shares.uncertainty[filled],
        float(total[filled] @ distance / total[filled].sum()),
    )
