"""Kinematics of what is evaluated: of sets, the sums of their particles, or of particles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from hepml.data import Per, Ragged
from hepml.lorentz import eta, mass, pt
from hepml.ops import segment_sum


@dataclass(frozen=True, eq=False)
class Kinematics:
    """Transverse momentum, pseudorapidity and mass of each row of a sample.

    Parameters
    ----------
    pt, mass
        In GeV; no mass of single particles, which have that of their kind.
    eta
        Pseudorapidity; infinite along the beam, 0 of an empty set.
    """

    pt: Float[np.ndarray, " rows"]
    eta: Float[np.ndarray, " rows"]
    mass: Float[np.ndarray, " rows"] | None

    @classmethod
    def of(cls, batch: Ragged, per: Per = "set") -> "Kinematics | None":
        """The kinematics of the rows of a batch; None of those without momenta, as edges."""
        p4: Any = getattr(batch, "p4", None)
        if p4 is None or per == "edge":
            return None
        p4 = p4.double()
        if per == "set":
            p4 = segment_sum(p4, getattr(batch, batch.levels[0].bounds))
        masses = mass(p4).cpu().numpy() if per == "set" else None
        return cls(pt(p4).cpu().numpy(), eta(p4).cpu().numpy(), masses)

    @classmethod
    def joined(cls, parts: "Sequence[Kinematics]") -> "Kinematics":
        """The rows of several batches."""
        masses = [part.mass for part in parts if part.mass is not None]
        return cls(
            np.concatenate([part.pt for part in parts]),
            np.concatenate([part.eta for part in parts]),
            np.concatenate(masses) if masses else None,
        )

    def __getitem__(self, chosen: Bool[np.ndarray, " rows"] | slice) -> "Kinematics":
        masses = None if self.mass is None else self.mass[chosen]
        return Kinematics(self.pt[chosen], self.eta[chosen], masses)
