"""Charged particles in magnetic fields, with canonical momenta ``p = p_kinetic + e A(q)``.

Lengths are metres here, not millimetres, and times metres of light: with momenta in GeV, a network
then meets numbers of order one.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hepml.datasets.dynamics._system import System

# e in GeV / (T m): the momentum of a unit charge that one tesla bends with a radius of one metre.
ELEMENTARY_CHARGE = 0.299792458


def _across(q: Float[Tensor, "*state space"]) -> Float[Tensor, "*state space"]:
    """``A`` of a field of one tesla along z, in the symmetric gauge: ``(-y, x) / 2``."""
    return torch.stack([-q[..., 1], q[..., 0]], -1) / 2


@dataclass(frozen=True)
class UniformField(System):
    """A pion across the field of a solenoid: ``H = sqrt(m^2 + (p - e A)^2)``, a tracker seen along
    its axis.

    Parameters
    ----------
    field
        In tesla.
    mass
        In GeV.
    """

    field: float = 3.8
    mass: float = 0.13957

    name: ClassVar[str] = "uniform-field"
    bodies: ClassVar[int] = 1
    space: ClassVar[int] = 2
    conserves: ClassVar[tuple[str, ...]] = ("energy", "angular momentum")
    span: ClassVar[float] = 4.0
    times: ClassVar[int] = 40
    noise: ClassVar[float] = 0.0
    trajectories: ClassVar[int] = 200
    test_fraction: ClassVar[float] = 0.2

    def energy(
        self, q: Float[Tensor, "*systems bodies space"], p: Float[Tensor, "*systems bodies space"]
    ) -> Float[Tensor, "*systems"]:
        """``sqrt(m^2 + (p - e A)^2)``."""
        kinetic = p - ELEMENTARY_CHARGE * self.field * _across(q)
        return (self.mass**2 + kinetic.square().sum(-1)).sqrt().sum(-1)

    def draw(
        self, random: np.random.Generator, trajectories: int
    ) -> Float[np.ndarray, "2 trajectories bodies space"]:
        """From near the beam line, with 0.2 to 1 GeV in any direction."""
        q = random.normal(0, 0.05, (trajectories, 1, 2))
        phi = random.uniform(-np.pi, np.pi, (trajectories, 1))
        pt = random.uniform(0.2, 1.0, (trajectories, 1, 1))
        kinetic = pt * np.stack([np.cos(phi), np.sin(phi)], -1)
        a = self.field * _across(torch.from_numpy(q)).numpy()
        return np.stack([q, kinetic + ELEMENTARY_CHARGE * a])


@dataclass(frozen=True)
class Quadrupole(System):
    """A proton along a quadrupole magnet: ``H = sqrt(m^2 + px^2 + py^2 + (pz - e A_z)^2)`` with
    ``A_z = g (y^2 - x^2) / 2``, focusing in x and defocusing in y.

    Parameters
    ----------
    gradient
        g, in tesla per metre.
    mass
        In GeV.
    """

    gradient: float = 10.0
    mass: float = 0.93827

    name: ClassVar[str] = "quadrupole"
    bodies: ClassVar[int] = 1
    space: ClassVar[int] = 3
    conserves: ClassVar[tuple[str, ...]] = ("energy",)
    span: ClassVar[float] = 2.0
    times: ClassVar[int] = 40
    noise: ClassVar[float] = 0.0
    trajectories: ClassVar[int] = 200
    test_fraction: ClassVar[float] = 0.2

    def energy(
        self, q: Float[Tensor, "*systems bodies space"], p: Float[Tensor, "*systems bodies space"]
    ) -> Float[Tensor, "*systems"]:
        """``sqrt(m^2 + (p - e A)^2)``."""
        a_z = self.gradient / 2 * (q[..., 1].square() - q[..., 0].square())
        along = p[..., 2] - ELEMENTARY_CHARGE * a_z
        across = p[..., :2].square().sum(-1)
        return (self.mass**2 + across + along.square()).sqrt().sum(-1)

    def draw(
        self, random: np.random.Generator, trajectories: int
    ) -> Float[np.ndarray, "2 trajectories bodies space"]:
        """A beam of 1 GeV, wide 5 cm, with a spread of 5 % in momentum and 50 mrad in angle."""
        q = random.normal(0, [0.05, 0.05, 0.0], (trajectories, 1, 3))
        p = random.normal([0.0, 0.0, 1.0], [0.05, 0.05, 0.05], (trajectories, 1, 3))
        return np.stack([q, p])


@dataclass(frozen=True)
class InteractingCharges(System):
    """Equal charges that repel each other across a uniform field:
    ``H = sum_i (p_i - A(q_i))^2 / 2 + sum_{i < j} k / |q_i - q_j|``, in units of charge and mass.
    """

    field: float = 2.0
    coupling: float = 0.5

    name: ClassVar[str] = "interacting-charges"
    bodies: ClassVar[int] = 3
    space: ClassVar[int] = 2
    conserves: ClassVar[tuple[str, ...]] = ("energy", "angular momentum")
    span: ClassVar[float] = 5.0
    times: ClassVar[int] = 50
    noise: ClassVar[float] = 0.0
    trajectories: ClassVar[int] = 500
    test_fraction: ClassVar[float] = 0.2

    def energy(
        self, q: Float[Tensor, "*systems bodies space"], p: Float[Tensor, "*systems bodies space"]
    ) -> Float[Tensor, "*systems"]:
        """Kinetic energies, and the repulsion of each pair."""
        kinetic = (p - self.field * _across(q)).square().sum((-1, -2)) / 2
        first, second = torch.triu_indices(self.bodies, self.bodies, 1)
        distance = (q[..., first, :] - q[..., second, :]).square().sum(-1).sqrt()
        return kinetic + (self.coupling / distance).sum(-1)

    def draw(
        self, random: np.random.Generator, trajectories: int
    ) -> Float[np.ndarray, "2 trajectories bodies space"]:
        """Near the corners of a triangle of radius 1, with velocities of order 0.5."""
        angles = 2 * np.pi / 3 * np.arange(3)
        corners = np.stack([np.cos(angles), np.sin(angles)], -1)
        q = corners + random.normal(0, 0.1, (trajectories, 3, 2))
        a = self.field * _across(torch.from_numpy(q)).numpy()
        return np.stack([q, random.normal(0, 0.5, q.shape) + a])
