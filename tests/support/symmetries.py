"""Lorentz matrices independent of :mod:`hepml.lorentz`, and batches to try networks on."""

import math

import torch
from torch import Generator, Tensor

from hepml.data import ParticleSet, concatenate
from hepml.symmetry import randomise

__all__ = [
    "DEGENERATE",
    "all_degenerate",
    "boost_along_z",
    "degenerate",
    "jets",
    "random_lorentz",
    "random_rotation",
    "randomise",
    "rotation_about",
    "spread",
]


def rotation_about(axis: int, angle: float) -> Tensor:
    """The rotation of (E, px, py, pz) about an axis (0, 1, 2 for x, y, z)."""
    i, j = [k + 1 for k in range(3) if k != axis]
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[i, j], matrix[j, i] = -math.sin(angle), math.sin(angle)
    return matrix


def boost_along_z(gamma: float) -> Tensor:
    """The boost along z with the given Lorentz factor."""
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[0, 0] = matrix[3, 3] = gamma
    matrix[0, 3] = matrix[3, 0] = math.sqrt((gamma - 1) * (gamma + 1))
    return matrix


def random_rotation(generator: Generator) -> Tensor:
    """A rotation by random angles about z, y, z."""
    a, b, c = (2 * math.pi * torch.rand(3, generator=generator)).tolist()
    return rotation_about(2, a) @ rotation_about(1, b) @ rotation_about(2, c)


def random_lorentz(generator: Generator, gamma: float) -> Tensor:
    """A rotation, a boost with the given Lorentz factor, and another rotation."""
    return random_rotation(generator) @ boost_along_z(gamma) @ random_rotation(generator)


def spread(outputs: Tensor) -> Tensor:
    """How much each output differs over the rows; fails where the network does nothing."""
    scale = outputs.std(0)
    assert bool((scale > 1e-3).all()), f"constant output: {scale}"
    return scale


def jets(
    counts: list[int],
    generator: Generator,
    *,
    features: int = 0,
    context: int = 0,
    scale: float = 300.0,
    mass: float = 100.0,
    dtype: torch.dtype = torch.float64,
) -> ParticleSet:
    """Sets of massive momenta in all directions, in GeV."""
    particles = sum(counts)
    momentum = scale * torch.randn(particles, 3, generator=generator, dtype=torch.float64)
    masses = mass * (0.5 + torch.rand(particles, 1, generator=generator, dtype=torch.float64))
    energy = (momentum.square().sum(1, keepdim=True) + masses.square()).sqrt()
    return ParticleSet(
        torch.cat([energy, momentum], 1).to(dtype),
        torch.tensor([0, *counts]).cumsum(0),
        torch.randn(particles, features, generator=generator).to(dtype),
        context=torch.randn(len(counts), context, generator=generator).to(dtype)
        if context
        else None,
    )


# Each row is a set of momenta in GeV that a careless formula turns into NaN.
DEGENERATE = {
    "empty": [],
    "single": [[500.0, 300.0, 200.0, 100.0]],
    "light-like": [[500.0, 300.0, 400.0, 0.0], [250.0, 0.0, 150.0, 200.0], [13.0, 3.0, 4.0, 12.0]],
    "light-like alone": [[500.0, 300.0, 400.0, 0.0]],
    "identical": [[500.0, 300.0, 200.0, 100.0]] * 2,
    "identical light-like": [[500.0, 300.0, 400.0, 0.0]] * 3,
    "along the beam": [[300.0, 0.0, 0.0, 300.0]],
    "along both beams": [[300.0, 0.0, 0.0, 300.0], [300.0, 0.0, 0.0, -300.0]],
    "balanced": [[300.0, 300.0, 0.0, 0.0], [300.0, -300.0, 0.0, 0.0]],
    "at rest": [[1.0, 0.0, 0.0, 0.0], [300.0, 300.0, 0.0, 0.0]],
    "no energy": [[0.0, 0.0, 0.0, 0.0]],
    "no energy among others": [[0.0, 0.0, 0.0, 0.0], [300.0, 200.0, 100.0, 0.0]],
    "collinear": [[300.0, 180.0, 240.0, 0.0], [30.0, 18.0, 24.0, 0.0]],
    "beam particle in a jet": [[300.0, 0.0, 0.0, 300.0], [300.0, 200.0, 100.0, 50.0]],
    "space-like": [[100.0, 300.0, 200.0, 100.0], [100.0, 50.0, 20.0, 200.0]],
}


def degenerate(name: str, dtype: torch.dtype, features: int = 0, context: int = 0) -> ParticleSet:
    """One of the degenerate sets."""
    p4 = torch.tensor(DEGENERATE[name], dtype=dtype).reshape(-1, 4)
    return ParticleSet(
        p4,
        torch.tensor([0, len(p4)]),
        torch.ones(len(p4), features, dtype=dtype),
        context=torch.ones(1, context, dtype=dtype) if context else None,
    )


def all_degenerate(dtype: torch.dtype, features: int = 0, context: int = 0) -> ParticleSet:
    """All of the degenerate sets in one batch."""
    return concatenate([degenerate(name, dtype, features, context) for name in DEGENERATE])
