"""The systems of the paper on Hamiltonian neural networks, with the constants of its code.

S. Greydanus, M. Dzamba, J. Yosinski, NeurIPS 2019, arXiv:1906.01563, sections 3 and 4 and appendix;
https://github.com/greydanus/hamiltonian-nn, where paper and code differ.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hepml.datasets.dynamics._system import System


def _on_circles(
    random: np.random.Generator, trajectories: int, low: float, high: float
) -> Float[np.ndarray, "2 trajectories 1 1"]:
    """Points (q, p) at radii between two bounds, in the direction of a point in a square."""
    direction = random.uniform(-1, 1, (2, trajectories))
    radius = random.uniform(low, high, trajectories)
    points: np.ndarray = direction / np.hypot(*direction) * radius
    return points[:, :, None, None]


@dataclass(frozen=True)
class MassSpring(System):
    """An ideal mass on a spring, ``H = q^2 + p^2``.

    Notes
    -----
    The paper writes 1/2 k q^2 + p^2 / 2 m; its code, whose figures are published, leaves out the
    halves.
    """

    stiffness: float = 2.0
    mass: float = 0.5

    name: ClassVar[str] = "mass-spring"
    bodies: ClassVar[int] = 1
    space: ClassVar[int] = 1
    conserves: ClassVar[tuple[str, ...]] = ("energy",)
    span: ClassVar[float] = 3.0
    times: ClassVar[int] = 30
    noise: ClassVar[float] = 0.1
    trajectories: ClassVar[int] = 50
    test_fraction: ClassVar[float] = 0.5

    def energy(
        self, q: Float[Tensor, "*systems bodies space"], p: Float[Tensor, "*systems bodies space"]
    ) -> Float[Tensor, "*systems"]:
        """``p^2 / 2 m + k q^2 / 2``."""
        energy = p.square() / (2 * self.mass) + self.stiffness / 2 * q.square()
        return energy.sum((-1, -2))

    def draw(
        self, random: np.random.Generator, trajectories: int
    ) -> Float[np.ndarray, "2 trajectories bodies space"]:
        """Radii from 0.1 to 1 in the plane of q and p."""
        return _on_circles(random, trajectories, 0.1, 1.0)


@dataclass(frozen=True)
class Pendulum(System):
    """An ideal pendulum, ``H = 3 (1 - cos q) + p^2``."""

    strength: float = 3.0
    mass: float = 0.5

    name: ClassVar[str] = "pendulum"
    bodies: ClassVar[int] = 1
    space: ClassVar[int] = 1
    conserves: ClassVar[tuple[str, ...]] = ("energy",)
    span: ClassVar[float] = 3.0
    times: ClassVar[int] = 45
    noise: ClassVar[float] = 0.1
    trajectories: ClassVar[int] = 50
    test_fraction: ClassVar[float] = 0.5

    def energy(
        self, q: Float[Tensor, "*systems bodies space"], p: Float[Tensor, "*systems bodies space"]
    ) -> Float[Tensor, "*systems"]:
        """``p^2 / 2 m + strength (1 - cos q)``."""
        energy = p.square() / (2 * self.mass) + self.strength * (1 - q.cos())
        return energy.sum((-1, -2))

    def draw(
        self, random: np.random.Generator, trajectories: int
    ) -> Float[np.ndarray, "2 trajectories bodies space"]:
        """Radii from 1.3 to 2.3 in the plane of q and p."""
        return _on_circles(random, trajectories, 1.3, 2.3)


@dataclass(frozen=True)
class _Gravity(System):
    """Equal masses in a plane that attract each other."""

    mass: float = 1.0
    constant: float = 1.0

    space: ClassVar[int] = 2
    conserves: ClassVar[tuple[str, ...]] = ("energy", "momentum", "angular momentum")
    noise: ClassVar[float] = 0.0
    test_fraction: ClassVar[float] = 0.2

    def energy(
        self, q: Float[Tensor, "*systems bodies space"], p: Float[Tensor, "*systems bodies space"]
    ) -> Float[Tensor, "*systems"]:
        """``sum_i p_i^2 / 2 m - sum_{i < j} G m^2 / |q_i - q_j|``."""
        first, second = torch.triu_indices(self.bodies, self.bodies, 1)
        distance = (q[..., first, :] - q[..., second, :]).square().sum(-1).sqrt()
        potential = -self.constant * self.mass**2 / distance
        return p.square().sum((-1, -2)) / (2 * self.mass) + potential.sum(-1)


@dataclass(frozen=True)
class TwoBody(_Gravity):
    """Two masses on nearly circular orbits around their centre."""

    name: ClassVar[str] = "two-body"
    bodies: ClassVar[int] = 2
    span: ClassVar[float] = 20.0
    times: ClassVar[int] = 50
    trajectories: ClassVar[int] = 1000

    def draw(
        self, random: np.random.Generator, trajectories: int
    ) -> Float[np.ndarray, "2 trajectories bodies space"]:
        """One body in a square, the other opposite; velocities within 5 % of the circular ones."""
        position = random.uniform(0.5, 1.5, (trajectories, 2))
        radius = np.hypot(*position.T)[:, None]
        circular = position[:, ::-1] * [-1, 1] / (2 * radius**1.5)
        velocity = circular * (1 + 0.05 * random.normal(size=(trajectories, 1)))
        return np.stack(
            [np.stack([position, -position], 1), self.mass * np.stack([velocity, -velocity], 1)]
        )


@dataclass(frozen=True)
class ThreeBody(_Gravity):
    """Three masses near the corners of a turning triangle, which soon falls apart."""

    name: ClassVar[str] = "three-body"
    bodies: ClassVar[int] = 3
    span: ClassVar[float] = 5.0
    times: ClassVar[int] = 20
    trajectories: ClassVar[int] = 5000

    def draw(
        self, random: np.random.Generator, trajectories: int
    ) -> Float[np.ndarray, "2 trajectories bodies space"]:
        """An equilateral triangle, each component of velocity within 20 % of the circular one."""
        direction = random.uniform(-1, 1, (trajectories, 2))
        radius = random.uniform(0.9, 1.2, (trajectories, 1))
        corner = direction / np.linalg.norm(direction, axis=1, keepdims=True) * radius
        # Distances are sqrt(3) r: the pull of the two others to the centre is 1 / (sqrt(3) r^2).
        velocity = corner[:, ::-1] * [-1, 1] / radius**1.5 / 3**0.25
        angles = 2 * np.pi / 3 * np.arange(3)
        turns = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]])
        q, p = (np.einsum("ijb,nj->nbi", turns, x) for x in (corner, velocity))
        return np.stack([q, self.mass * p * random.uniform(0.8, 1.2, p.shape)])
