"""From candidates to the leading jet of each event, and to the top quark inside it."""

from dataclasses import dataclass

import awkward as ak
import numpy as np
from jaxtyping import Bool, Float, Int64

from hepml.datasets.detector._detector import Candidates
from hepml.datasets.jets._pythia import Events, required

TOP, W_BOSON = 6, 24
# Pythia's status codes: the last copy of a particle before it decays, made when the beams'
# remnants were added; a product of a hard decay before its own shower.
_BEFORE_DECAY, _FROM_DECAY = -62, -23


@dataclass(frozen=True)
class LeadingJets:
    """One jet for each event: its momentum (zero where there is none), its candidates.

    ``rows`` are the candidates of all jets, one jet after the other, ``counts`` of them in each.
    """

    p4: Float[np.ndarray, "events 4"]
    counts: Int64[np.ndarray, " events"]
    rows: Int64[np.ndarray, " constituents"]


@dataclass(frozen=True)
class Tops:
    """One top quark for each event: whether it is matched, its sign, and momenta (E, px, py, pz).

    Zeros where nothing is matched. The b quark and the W boson are those of its decay, before
    their showers.
    """

    matched: Bool[np.ndarray, " events"]
    sign: Int64[np.ndarray, " events"]
    top: Float[np.ndarray, "events 4"]
    w_boson: Float[np.ndarray, "events 4"]
    b_quark: Float[np.ndarray, "events 4"]


def pt_eta_phi(
    p4: Float[np.ndarray, "particles 4"],
) -> tuple[
    Float[np.ndarray, " particles"],
    Float[np.ndarray, " particles"],
    Float[np.ndarray, " particles"],
]:
    """Transverse momentum, pseudorapidity, azimuth."""
    pt = np.hypot(p4[:, 1], p4[:, 2])
    # Along the beam, and for an absent jet, any finite number will do.
    eta = np.arcsinh(p4[:, 3] / np.where(pt > 0, pt, 1))
    return pt, eta, np.arctan2(p4[:, 2], p4[:, 1])


def leading_jets(
    candidates: Candidates, *, events: int, radius: float, pt_min: float
) -> LeadingJets:
    """Cluster each event with the anti-kt algorithm and keep the jet of largest pt.

    Parameters
    ----------
    events
        How many there are: the last ones may have no candidate.
    radius
        The R of the algorithm.
    pt_min
        In GeV; softer jets count as none.

    References
    ----------
    M. Cacciari, G. P. Salam, G. Soyez, JHEP 04 (2008) 063, arXiv:0802.1189 (anti-kt);
    EPJC 72 (2012) 1896, arXiv:1111.6097 (FastJet).
    """
    fastjet = required("fastjet")
    counts = np.bincount(candidates.event, minlength=events)
    names = ("E", "px", "py", "pz")
    momenta = ak.zip(
        {name: candidates.p4[:, i] for i, name in enumerate(names)}, with_name="Momentum4D"
    )
    sequence = fastjet.ClusterSequence(
        ak.unflatten(momenta, counts), fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    )
    jets = sequence.inclusive_jets(min_pt=pt_min)
    # One jet or none for each event; the sum over it is the jet or zero.
    leading = ak.argsort(np.hypot(jets.px, jets.py), axis=1, ascending=False)[:, :1]
    p4 = np.stack([ak.to_numpy(ak.sum(jets[name][leading], axis=1)) for name in names], axis=1)
    members = sequence.constituent_index(min_pt=pt_min)[leading]
    sizes = ak.to_numpy(ak.sum(ak.num(members, axis=2), axis=1)).astype(np.int64)
    # FastJet counts the particles of each event from 0.
    starts = np.cumsum(counts) - counts
    rows = ak.to_numpy(ak.flatten(members, axis=None)).astype(np.int64) + np.repeat(starts, sizes)
    return LeadingJets(p4, sizes, rows)


def hardest(
    jets: LeadingJets, candidates: Candidates, *, at_most: int
) -> tuple[Int64[np.ndarray, " events"], Int64[np.ndarray, " constituents"]]:
    """The counts and rows of the jets' constituents by falling pt, at most so many of each jet."""
    jet = np.repeat(np.arange(len(jets.counts)), jets.counts)
    p4 = candidates.p4[jets.rows]
    order = np.lexsort((-np.hypot(p4[:, 1], p4[:, 2]), jet))
    rank = np.arange(len(jet)) - np.repeat(np.cumsum(jets.counts) - jets.counts, jets.counts)
    return np.minimum(jets.counts, at_most), jets.rows[order][rank < at_most]


def matched_tops(events: Events, axis: Float[np.ndarray, "events 4"], *, radius: float) -> Tops:
    """Find in each event the top whose last copy and three quarks are all near an axis.

    Parameters
    ----------
    axis
        A momentum (E, px, py, pz) for each event.
    radius
        The largest distance in pseudorapidity and azimuth.
    """
    number = len(events)
    _, axis_eta, axis_phi = pt_eta_phi(axis)
    _, eta, phi = pt_eta_phi(events.p4)
    turned = (phi - axis_phi[events.event] + np.pi) % (2 * np.pi) - np.pi
    near = np.hypot(eta - axis_eta[events.event], turned) < radius
    quark = (np.abs(events.pid) <= 5) & (events.status == _FROM_DECAY)
    mother = events.pid[events.mother]

    found = Tops(np.zeros(number, bool), np.zeros(number, np.int64), *np.zeros((3, number, 4)))
    for sign in (1, -1):
        top = (events.pid == sign * TOP) & (events.status == _BEFORE_DECAY)
        from_top = quark & (mother == sign * TOP)
        from_w = quark & (mother == sign * W_BOSON)
        inside = [
            np.bincount(events.event[chosen & near], minlength=number)
            for chosen in (top, from_top, from_w)
        ]
        matched = (inside[0] == 1) & (inside[1] == 1) & (inside[2] == 2)
        found.matched[matched] = True
        found.sign[matched] = sign
        for target, chosen in (
            (found.top, top),
            (found.b_quark, from_top),
            (found.w_boson, from_w),
        ):
            target[matched] = _summed(events, chosen)[matched]
    return found


def _summed(
    events: Events, chosen: Bool[np.ndarray, " particles"]
) -> Float[np.ndarray, "events 4"]:
    """The sum of the chosen particles' momenta in each event."""
    sums = [
        np.bincount(events.event[chosen], column, len(events)) for column in events.p4[chosen].T
    ]
    # bincount of nothing gives integers.
    return np.stack(sums, axis=1).astype(np.float64)
