"""Kinematics of jets beside their scores: efficiencies against them, shapes after a cut."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hepml.data import ParticleSet
from hepml.evaluation.classification._metrics import Ranking
from hepml.lorentz import eta, mass, pt
from hepml.ops import segment_sum

# The signal efficiency of the cut that profiles and shapes are shown for.
WORKING_POINT = 0.5
_BINS = 8
_MASS_BINS = 40


@dataclass(frozen=True, eq=False)
class JetKinematics:
    """Transverse momentum, pseudorapidity and mass of jets, the sums of their particles.

    Parameters
    ----------
    pt, mass
        In GeV.
    eta
        Pseudorapidity; infinite along the beam, 0 of an empty set.
    """

    pt: Float[np.ndarray, " jets"]
    eta: Float[np.ndarray, " jets"]
    mass: Float[np.ndarray, " jets"]

    @classmethod
    def of(cls, particles: ParticleSet) -> "JetKinematics":
        """The kinematics of the sets of a batch."""
        p4 = segment_sum(particles.p4.double(), particles.offsets)
        return cls(*(quantity(p4).cpu().numpy() for quantity in (pt, eta, mass)))

    @classmethod
    def joined(cls, parts: "list[JetKinematics]") -> "JetKinematics":
        """The jets of several batches."""
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("pt", "eta", "mass")))

    def __getitem__(self, chosen: Bool[np.ndarray, " jets"]) -> "JetKinematics":
        return JetKinematics(self.pt[chosen], self.eta[chosen], self.mass[chosen])


@dataclass(frozen=True, eq=False)
class ScoredJets:
    """The jets of a pair of classes, with their score.

    Parameters
    ----------
    scores
        Larger for signal.
    signal
        Which jets are signal; the others are background.
    weights
        The weight of each jet.
    kinematics
        Of each jet.
    is_probability
        Whether the score is the probability to be signal, so that it can be calibrated.
    """

    scores: Float[np.ndarray, " jets"]
    signal: Bool[np.ndarray, " jets"]
    weights: Float[np.ndarray, " jets"]
    kinematics: JetKinematics
    is_probability: bool

    def passing(self, efficiency: float = WORKING_POINT) -> Bool[np.ndarray, " jets"]:
        """Which jets pass the tightest cut that keeps this much signal."""
        curve = Ranking(self.scores, self.signal, self.weights).curve()
        return self.scores >= curve.threshold_at(efficiency)


@dataclass(frozen=True, eq=False)
class Profile:
    """The share of jets that pass a cut, in bins of a variable.

    Parameters
    ----------
    edges
        Of the bins.
    efficiency, uncertainty
        In each bin, NaN without jets; the uncertainty is binomial, with weights.
    """

    edges: Float[np.ndarray, " edges"]
    efficiency: Float[np.ndarray, " bins"]
    uncertainty: Float[np.ndarray, " bins"]


def profile(
    variable: Float[np.ndarray, " jets"],
    passing: Bool[np.ndarray, " jets"],
    weights: Float[np.ndarray, " jets"],
    edges: Float[np.ndarray, " edges"],
) -> Profile:
    """The share of the weight of jets that pass, in bins of a variable.

    Parameters
    ----------
    variable, passing, weights
        Of each jet; jets outside of the bins do not enter.
    edges
        Of the bins, rising; the last bin holds its upper edge.

    Notes
    -----
    The uncertainty of ``e = sum_pass w / sum w`` is ``sqrt(sum w² (pass - e)²) / sum w``, binomial
    where all weights are one. Where no jet passes, or all do, it is that of one jet: ``1 / n``.
    """
    bins = len(edges) - 1
    place = np.searchsorted(edges, variable, "right") - 1
    place[variable == edges[-1]] = bins - 1
    inside = (place >= 0) & (place < bins)
    place, passing, weights = place[inside], passing[inside], weights[inside]

    def summed(values: Float[np.ndarray, " inside"]) -> Float[np.ndarray, " bins"]:
        # Of no jets numpy counts in integers.
        return np.bincount(place, values, bins).astype(np.float64)

    total, squares = summed(weights), summed(weights**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        efficiency = np.where(total > 0, summed(weights * passing) / total, np.nan)
        spread = np.sqrt(summed((weights * (passing - efficiency[place])) ** 2)) / total
        one_jet = squares / total**2
    return Profile(edges, efficiency, np.where(spread > 0, spread, one_jet))


def even_edges(variable: Float[np.ndarray, " jets"]) -> Float[np.ndarray, " edges"]:
    """Edges of bins with about as many jets in each; two edges at least, rising."""
    finite = variable[np.isfinite(variable)]
    if not len(finite):
        return np.array([0.0, 1.0])
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, _BINS + 1)))
    return edges if len(edges) > 1 else np.array([edges[0] - 0.5, edges[0] + 0.5])


def mass_edges(mass: Float[np.ndarray, " jets"]) -> Float[np.ndarray, " edges"]:
    """Edges of a histogram of masses that leaves out the highest half per cent."""
    finite = mass[np.isfinite(mass)]
    if not len(finite):
        return np.linspace(0.0, 1.0, _MASS_BINS + 1)
    low, high = float(min(finite.min(), 0.0)), float(np.quantile(finite, 0.995))
    return np.linspace(low, high if high > low else low + 1.0, _MASS_BINS + 1)


def mass_divergence(jets: ScoredJets) -> float:
    """Jensen-Shannon divergence, in bits, between the background's mass before and after the cut.

    Notes
    -----
    0 for a tagger that leaves the shape of the mass as it is, 1 for shapes that do not overlap; in
    40 bins. NaN where no background passes.

    References
    ----------
    ATLAS, "Performance of mass-decorrelated jet substructure observables for hadronic two-body
    decay tagging", ATL-PHYS-PUB-2018-014.
    """
    background, passing = ~jets.signal, jets.passing()
    mass, weights = jets.kinematics.mass, jets.weights
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
    """How often jets of a predicted probability are signal.

    Parameters
    ----------
    predicted, observed
        Mean probability and share of signal, in each bin that holds jets.
    uncertainty
        Of the observed share, binomial with weights.
    error
        The expected calibration error: the mean of their distance, by weight.
    """

    predicted: Float[np.ndarray, " bins"]
    observed: Float[np.ndarray, " bins"]
    uncertainty: Float[np.ndarray, " bins"]
    error: float


def calibration(jets: ScoredJets, bins: int = 15) -> Calibration:
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
    shares = profile(jets.scores, jets.signal, jets.weights, edges)
    place = np.clip(np.searchsorted(edges, jets.scores, "right") - 1, 0, bins - 1)
    total = np.bincount(place, jets.weights, bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        predicted = np.bincount(place, jets.weights * jets.scores, bins) / total
    filled = total > 0
    distance = np.abs(predicted - shares.efficiency)[filled]
    return Calibration(
        predicted[filled],
        shares.efficiency[filled],
        shares.uncertainty[filled],
        float(total[filled] @ distance / total[filled].sum()),
    )
