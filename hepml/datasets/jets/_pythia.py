"""Events from Pythia 8 as flat arrays, and vetoes that end hopeless ones early.

pythia8mc is imported when it is first needed, never with the package.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import awkward as ak
import numpy as np
from jaxtyping import Float, Int64

from hepml.datasets.detector._detector import Particles
from hepml.errors import InputError, MissingDependencyError


def required(module: str) -> Any:
    """An optional module that generation needs.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            module,
            expected="the packages that generate events and cluster jets",
            got=f"{type(error).__name__}: {error}",
            fix="install them with: pip install pythia8mc fastjet",
        ) from error


@dataclass(frozen=True)
class Events:
    """The complete records of a batch of events, particle after particle.

    ``mother`` and ``event`` are numbers within the arrays: the row of the first mother, the number
    of the event. ``pt_hat`` has one number for each event.
    """

    event: Int64[np.ndarray, " particles"]
    pid: Int64[np.ndarray, " particles"]
    status: Int64[np.ndarray, " particles"]
    mother: Int64[np.ndarray, " particles"]
    p4: Float[np.ndarray, "particles 4"]
    vertex: Float[np.ndarray, "particles 3"]
    pt_hat: Float[np.ndarray, " events"]

    def __len__(self) -> int:
        return len(self.pt_hat)


class Generator:
    """Pythia with settings, a seed and at most one veto.

    Parameters
    ----------
    settings
        Lines as in a Pythia command file.
    seed
        From 1 to 900,000,000.
    hooks
        A ``pythia8mc.UserHooks``.

    Raises
    ------
    InputError
        If Pythia refuses a setting or cannot start.
    """

    def __init__(self, settings: Sequence[str], *, seed: int, hooks: Any = None) -> None:
        # Without the second argument Pythia prints its banner to the standard output.
        self._pythia = required("pythia8mc").Pythia("", False)
        lines = ["Print:quiet = on", *settings, "Random:setSeed = on", f"Random:seed = {seed}"]
        for line in lines:
            if not self._pythia.readString(line):
                raise InputError(
                    f"Pythia setting {line!r}",
                    expected="a setting that Pythia knows",
                    got="a refusal",
                    fix="see the settings in the manual of the installed version",
                )
        # Pythia keeps no reference of its own: the hooks would be collected as garbage.
        self._hooks = hooks
        if hooks is not None:
            self._pythia.setUserHooksPtr(hooks)
        if not self._pythia.init():
            raise InputError(
                "Pythia",
                expected="an initialisation without errors",
                got=f"a failure with {lines}",
                fix="set Print:quiet = off to see the reason",
            )

    @property
    def accepted(self) -> int:
        """The number of events that no veto ended."""
        return int(self._pythia.infoPython().nAccepted())

    @property
    def cross_section(self) -> float:
        """That of the accepted events, in mb: vetoed ones are subtracted."""
        return float(self._pythia.infoPython().sigmaGen())

    def batch(self, events: int) -> Events:
        """Generate so many events that no veto ends."""
        batch = self._pythia.nextBatch(events)
        record = batch.prt
        counts = ak.to_numpy(ak.num(record.id))
        starts = np.cumsum(counts) - counts
        event = np.repeat(np.arange(len(counts)), counts)

        def column(values: Any) -> Any:
            return ak.to_numpy(ak.flatten(values))

        # The production vertex is missing (None) for what comes straight from the collision.
        vertex = ak.flatten(record.vProd)
        return Events(
            event=event,
            pid=column(record.id).astype(np.int64),
            status=column(record.status).astype(np.int64),
            mother=starts[event] + column(record.mother1),
            p4=np.stack([column(record.p[name]) for name in ("e", "px", "py", "pz")], axis=1),
            vertex=np.stack(
                [ak.to_numpy(ak.fill_none(vertex[name], 0.0)) for name in ("px", "py", "pz")],
                axis=1,
            ),
            pt_hat=np.sqrt(ak.to_numpy(batch.info.pT2Hat)),
        )


@cache
def _charge(pid: int) -> int:
    """The charge of a particle in units of the proton's."""
    # In Pythia's table in thirds; no quark is ever final.
    return int(_tables().particleData.chargeType(pid)) // 3


@cache
def _tables() -> Any:
    """A Pythia that generates nothing, for its tables."""
    return required("pythia8mc").Pythia("", False)


def final_particles(events: Events) -> Particles:
    """The stable particles that a detector may see: all but neutrinos."""
    seen = (events.status > 0) & ~np.isin(np.abs(events.pid), (12, 14, 16))
    pid = events.pid[seen]
    codes, place = np.unique(pid, return_inverse=True)
    charges = np.array([_charge(int(code)) for code in codes], np.int64)
    return Particles(events.event[seen], pid, charges[place], events.p4[seen], events.vertex[seen])


@dataclass(frozen=True)
class Veto:
    """When an event is given up, because it will hardly give a selected jet.

    Parameters
    ----------
    scale
        The pt in GeV of the parton shower at which the event is looked at first.
    particle
        The PDG code of the particle that must be hard by then, or None for the leading anti-kt jet
        of partons.
    early_pt
        What it must have at least, in GeV.
    late_pt
        What the leading anti-kt jet of partons must have at least when the shower has ended.
    radius
        Of the jets of partons.
    """

    scale: float
    particle: int | None
    early_pt: float
    late_pt: float
    radius: float

    def hooks(self) -> Any:
        """A new ``pythia8mc.UserHooks`` that does it."""
        return _veto_hooks()(self)


# In the numbering of doVetoPT, the showers inside decays of resonances.
_RESONANCE_DECAY = 5


@cache
def _veto_hooks() -> Callable[[Veto], Any]:
    """The class of hooks: it needs a base class from the optional package."""
    pythia8 = required("pythia8mc")

    class VetoHooks(pythia8.UserHooks):  # type: ignore[misc]
        def __init__(self, veto: Veto) -> None:
            pythia8.UserHooks.__init__(self)
            self._veto = veto
            # anti-kt (-1) of all visible particles (2) with their masses (2), in C++; FastJet's
            # awkward interface is too slow for one event.
            self._jets = pythia8.SlowJet(-1, veto.radius, 20.0, 10.0, 2, 2)

        def canVetoPT(self) -> bool:
            return True

        def scaleVetoPT(self) -> float:
            return self._veto.scale

        def doVetoPT(self, position: int, event: Any) -> bool:
            return position != _RESONANCE_DECAY and self.early(event) < self._veto.early_pt

        def canVetoPartonLevel(self) -> bool:
            return True

        def doVetoPartonLevel(self, event: Any) -> bool:
            return self.late(event) < self._veto.late_pt

        def early(self, event: Any) -> float:
            """The pt that is looked at first."""
            if self._veto.particle is None:
                return self._leading_jet(event)
            final = (event[i] for i in range(event.size()) if event[i].isFinal())
            chosen = (p.pT() for p in final if abs(p.id()) == self._veto.particle)
            return float(max(chosen, default=0.0))

        def late(self, event: Any) -> float:
            """The pt that is looked at when the shower has ended."""
            return self._leading_jet(event)

        def _leading_jet(self, event: Any) -> float:
            """The pt of the leading jet of partons."""
            self._jets.analyze(event)
            return float(self._jets.pT(0)) if self._jets.sizeJet() else 0.0

    return VetoHooks
