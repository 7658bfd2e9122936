"""Jets of one process: from events through the detector to a table of selected jets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from hepml.datasets.detector._atlas_card import ATLAS_CARD, IMPACT_RESOLUTION
from hepml.datasets.detector._detector import Candidates, Particles, particle_flow
from hepml.datasets.detector._perigee import perigee
from hepml.datasets.jets._file import JetTable
from hepml.datasets.jets._pythia import Events, Generator, Veto, final_particles
from hepml.datasets.jets._selection import (
    TOP,
    Tops,
    hardest,
    leading_jets,
    matched_tops,
    pt_eta_phi,
)

# Seeds of Pythia go from 1 to this.
_LAST_SEED = 900_000_000
# Small enough that little is thrown away when a task has its jets, and that progress is smooth.
_EVENTS_PER_BATCH = 100
# Kept bits of the mantissa of impact parameters and of their uncertainties.
_VALUE_BITS, _ERROR_BITS = 12, 8


@dataclass(frozen=True)
class Process:
    """What is generated for one class of jets; those of tops must be matched to one."""

    tops: bool
    settings: tuple[str, ...]
    veto: Veto | None


@dataclass(frozen=True)
class Selection:
    """The jets that are kept; momenta in GeV."""

    radius: float = 0.8
    pt_min: float = 550.0
    pt_max: float = 650.0
    eta_max: float = 2.0
    constituents_max: int = 200
    match_radius: float = 0.8


SELECTION = Selection()


@dataclass(frozen=True)
class Yield:
    """What a process gave: accepted events, jets, the cross-section of these jets in mb."""

    events: int
    jets: int
    cross_section: float


def generate_jets(
    process: Process,
    *,
    jets: int,
    seed: Sequence[int],
    report: Callable[[int], object] = lambda _: None,
) -> tuple[JetTable, Yield]:
    """Generate so many selected jets of one process, in this Python process.

    Parameters
    ----------
    process
        ``TOPS`` or ``QCD``, or the same with other settings.
    jets
        How many.
    seed
        Whole numbers; each sequence gives other, independent jets.
    report
        Called with the number of new jets after each batch of events.
    """
    sequence = np.random.SeedSequence(seed)
    generator = Generator(
        process.settings,
        seed=1 + int(sequence.generate_state(1)[0]) % _LAST_SEED,
        hooks=process.veto.hooks() if process.veto else None,
    )
    rng = np.random.default_rng(sequence)
    tables: list[JetTable] = []
    found = 0
    while found < jets:
        events = generator.batch(_EVENTS_PER_BATCH)
        particles = final_particles(events)
        candidates = particle_flow(particles, ATLAS_CARD, rng)
        table = select(events, particles, candidates, tops=process.tops, rng=rng)
        report(min(len(table), jets - found))
        found += len(table)
        tables.append(table)
    table = JetTable.concatenate(tables)
    cross_section = generator.cross_section * found / generator.accepted
    return table[np.arange(jets)], Yield(generator.accepted, found, cross_section)


def select(
    events: Events,
    particles: Particles,
    candidates: Candidates,
    *,
    tops: bool,
    rng: np.random.Generator,
) -> JetTable:
    """The selected jets of a batch of events, at most one of each event.

    Parameters
    ----------
    tops
        Whether the jet must be matched to a top.
    rng
        For the measured impact parameters.
    """
    cuts = SELECTION
    jets = leading_jets(candidates, events=len(events), radius=cuts.radius, pt_min=cuts.pt_min / 2)
    pt, eta, phi = pt_eta_phi(jets.p4)
    chosen = (pt > cuts.pt_min) & (pt < cuts.pt_max) & (np.abs(eta) < cuts.eta_max)
    truth = matched_tops(events, jets.p4, radius=cuts.match_radius)
    if tops:
        chosen &= truth.matched
    counts, rows = hardest(jets, candidates, at_most=cuts.constituents_max)
    energy = jets.p4[:, 0]
    mass = np.sqrt(np.maximum(energy**2 - (jets.p4[:, 1:] ** 2).sum(1), 0))
    columns = {
        "jet_pt": pt,
        "jet_eta": eta,
        "jet_phi": phi,
        "jet_energy": energy,
        "jet_mass": mass,
        "label": np.full(len(events), tops, np.int8),
        "aux_pt_hat": events.pt_hat,
        **_truth_columns(truth),
    }
    table = JetTable(
        counts.astype(np.int64),
        _constituent_columns(candidates, particles, rows, rng),
        {name: _stored(column) for name, column in columns.items()},
    )
    return table[np.flatnonzero(chosen)]


def _truth_columns(truth: Tops) -> dict[str, Any]:
    """The matched top, its W and its b, by the names of their branches."""
    columns: dict[str, Any] = {"aux_top_pid": (TOP * truth.sign).astype(np.int8)}
    for name, p4 in (("top", truth.top), ("w", truth.w_boson), ("b", truth.b_quark)):
        for component, column in zip(("energy", "px", "py", "pz"), p4.T, strict=True):
            columns[f"aux_{name}_{component}"] = column
    return columns


def _constituent_columns(
    candidates: Candidates, particles: Particles, rows: Any, rng: np.random.Generator
) -> dict[str, Any]:
    """Momenta, charges, kinds and measured impact parameters, by the names of their branches."""
    energy, px, py, pz = candidates.p4[rows].T
    source = candidates.source[rows]
    track = source >= 0
    source = source[track]
    momentum = particles.p4[source, 1:]
    d0, z0, _ = perigee(
        particles.vertex[source], momentum, particles.charge[source], ATLAS_CARD.field
    )
    d0_error, z0_error = IMPACT_RESOLUTION(momentum)
    noise = rng.standard_normal((2, len(source)))

    def spread(values: Any, bits: int) -> Any:
        """Zero for neutral candidates."""
        column = np.zeros(len(rows), np.float32)
        column[track] = rounded_mantissa(values, bits=bits)
        return column

    columns = {
        "px": px,
        "py": py,
        "pz": pz,
        "energy": energy,
        "charge": candidates.charge[rows].astype(np.int8),
        "pid": candidates.pid[rows].astype(np.int16),
        "d0val": spread(d0 + noise[0] * d0_error, _VALUE_BITS),
        "d0err": spread(d0_error, _ERROR_BITS),
        "dzval": spread(z0 + noise[1] * z0_error, _VALUE_BITS),
        "dzerr": spread(z0_error, _ERROR_BITS),
    }
    return {name: _stored(column) for name, column in columns.items()}


def _stored(column: Any) -> Any:
    """Floating point as float32, integers as they are."""
    return column.astype(np.float32) if column.dtype.kind == "f" else column


def rounded_mantissa(
    values: Float[np.ndarray, " values"], *, bits: int
) -> Float[np.ndarray, " values"]:
    """The nearest float32 with so many bits behind the leading one: the rest compress to nothing.

    The relative change is at most ``2 ** -(bits + 1)``.
    """
    dropped = 23 - bits
    pattern = values.astype(np.float32).view(np.uint32)
    pattern = (pattern + np.uint32(1 << (dropped - 1))) >> np.uint32(dropped) << np.uint32(dropped)
    return pattern.view(np.float32)
