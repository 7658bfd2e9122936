"""The groups of Lorentz transformations, by how a random element is drawn."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator

from hepml.errors import InputError
from hepml.lorentz import random_lorentz
from hepml.symmetry._exact import Dyadic, cube_turn, doublings_of, lorentz_factor
from hepml.symmetry._transformations import Matrix, Transformations

_GAMMAS = (1.01, 2.0, 10.0, 100.0, 1000.0)
# Of 2^k for k = 1, 2, 4, 8, 11, 14.
_EXACT_GAMMAS = tuple(lorentz_factor(k) for k in (1, 2, 4, 8, 11, 14))


@dataclass(frozen=True, kw_only=True)
class Lorentz(Transformations):
    """The proper orthochronous Lorentz group SO(1,3)+: a rotation, a boost, and a rotation.

    The strength is the Lorentz factor of the boost.
    """

    kind: ClassVar[str] = "lorentz"
    strengths: ClassVar[tuple[float | None, ...]] = _GAMMAS
    exact_strengths: ClassVar[tuple[float, ...]] = _EXACT_GAMMAS
    strength_name: ClassVar[str] = "gamma"

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:
        """A boost with the given Lorentz factor (by default 3) between two random rotations."""
        left, right = random_lorentz(0.0, (2,), generator=generator)
        boost = _boost_along_z(3.0 if strength is None else strength)
        product: Matrix = left @ boost @ right
        return product

    def dyadic(self, strength: float | None, generator: Generator, *, even: bool) -> Dyadic:
        """A boost by a power of 2 between two turns of a cube."""
        left, right = (cube_turn(generator, even=even) for _ in range(2))
        k = doublings_of(3.0 if strength is None else strength, even=even)
        return Dyadic(left, k, right, even)


@dataclass(frozen=True, kw_only=True)
class Rotation(Transformations):
    """Rotations about any axis, uniform over the group."""

    kind: ClassVar[str] = "rotation"
    exact_elements_suffice: ClassVar[bool] = False

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:  # noqa: ARG002
        """A random rotation."""
        return random_lorentz(0.0, generator=generator)

    def dyadic(self, strength: float | None, generator: Generator, *, even: bool) -> Dyadic:  # noqa: ARG002
        """One of the 23 turns of a cube, of 11 for spinors: no others are binary fractions."""
        one = torch.eye(4, dtype=torch.float64)
        turn = one
        while torch.equal(turn, one):
            turn = cube_turn(generator, even=even)
        return Dyadic(turn, 0, one, even)


@dataclass(frozen=True, kw_only=True)
class BeamRotation(Transformations):
    """Rotations about the beam, by a uniform angle."""

    kind: ClassVar[str] = "beam rotation"
    exact_elements_suffice: ClassVar[bool] = False

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:  # noqa: ARG002
        """A random rotation about the z axis."""
        angle = 2 * math.pi * float(torch.rand((), generator=generator, dtype=torch.float64))
        matrix = torch.eye(4, dtype=torch.float64)
        matrix[1, 1] = matrix[2, 2] = math.cos(angle)
        matrix[2, 1], matrix[1, 2] = math.sin(angle), -math.sin(angle)
        return matrix

    def dyadic(self, strength: float | None, generator: Generator, *, even: bool) -> Dyadic:  # noqa: ARG002
        """One to three quarter turns; two for spinors."""
        turn = torch.eye(4, dtype=torch.float64)
        quarters = 2 if even else int(torch.randint(1, 4, (), generator=generator))
        for _ in range(quarters):
            turn[1:3] = torch.stack([-turn[2], turn[1]])
        return Dyadic(turn, 0, torch.eye(4, dtype=torch.float64), even)


@dataclass(frozen=True, kw_only=True)
class BeamBoost(Transformations):
    """Boosts along the beam, forwards or backwards. The strength is the Lorentz factor."""

    kind: ClassVar[str] = "beam boost"
    exact_elements_suffice: ClassVar[bool] = False
    strengths: ClassVar[tuple[float | None, ...]] = _GAMMAS
    exact_strengths: ClassVar[tuple[float, ...]] = _EXACT_GAMMAS
    strength_name: ClassVar[str] = "gamma"

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:
        """A boost along z with the given Lorentz factor, by default 3."""
        matrix = _boost_along_z(3.0 if strength is None else strength)
        backwards = bool(torch.rand((), generator=generator) < 0.5)
        return matrix.inverse() if backwards else matrix

    def dyadic(self, strength: float | None, generator: Generator, *, even: bool) -> Dyadic:
        """A boost along z by a power of 2."""
        k = doublings_of(3.0 if strength is None else strength, even=even)
        backwards = bool(torch.rand((), generator=generator) < 0.5)
        one = torch.eye(4, dtype=torch.float64)
        return Dyadic(one, -k if backwards else k, one, even)


@dataclass(frozen=True, kw_only=True)
class Parity(Transformations):
    """Reflection of space, ``(E, p) -> (E, -p)``."""

    kind: ClassVar[str] = "parity"
    exact: ClassVar[bool] = True

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:  # noqa: ARG002
        """The metric."""
        return torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))


@dataclass(frozen=True, kw_only=True)
class TimeReversal(Transformations):
    """The element of O(1,3) that reverses time, ``(E, p) -> (-E, p)``.

    Notes
    -----
    With parity and SO(1,3)+ it makes up the full group O(1,3). The energies of its images are
    negative. The time reversal of motion, ``(E, p) -> (E, -p)``, is :class:`Parity` for momenta.
    """

    kind: ClassVar[str] = "time reversal"
    exact: ClassVar[bool] = True

    def matrix(self, strength: float | None, generator: Generator) -> Matrix:  # noqa: ARG002
        """Minus the metric."""
        return torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0], dtype=torch.float64))


def _boost_along_z(gamma: float) -> Matrix:
    """The boost along z with a Lorentz factor."""
    if not gamma >= 1:
        raise InputError(
            "strength", expected="a Lorentz factor of 1 or more", got=str(gamma), fix="raise it"
        )
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[0, 0] = matrix[3, 3] = gamma
    matrix[0, 3] = matrix[3, 0] = math.sqrt((gamma - 1) * (gamma + 1))
    return matrix
