"""Symmetries as random actions on a batch, and how far a network violates one.

Independent of :mod:`hepml.lorentz`: the transformations are matrices made here.
"""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from hepml.data import ParticleSet, concatenate

Apply = Callable[[nn.Module, ParticleSet], Tensor]
# What a transformation makes of the batch, and of rows that belong to its particles.
Action = Callable[[ParticleSet, Generator], tuple[ParticleSet, Tensor | None]]


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


def permutation(particles: ParticleSet, generator: Generator) -> tuple[ParticleSet, Tensor]:
    """Another order of the particles within each set."""
    bounds = particles.offsets.tolist()
    order = torch.cat(
        [torch.arange(0)]
        + [
            start + torch.randperm(stop - start, generator=generator)
            for start, stop in itertools.pairwise(bounds)
        ]
    )
    permuted = ParticleSet(particles.p4[order], particles.offsets, particles.features[order])
    return permuted, order


def _transformation(draw: Callable[[Generator], Tensor]) -> Action:
    def act(particles: ParticleSet, generator: Generator) -> tuple[ParticleSet, None]:
        return particles.with_p4(particles.p4 @ draw(generator).to(particles.dtype).T), None

    return act


SYMMETRIES: dict[str, Action] = {
    "permutation": permutation,
    "beam rotation": _transformation(
        lambda g: rotation_about(2, 2 * math.pi * float(torch.rand((), generator=g)))
    ),
    "beam boost": _transformation(lambda g: boost_along_z(1 + float(torch.rand((), generator=g)))),
    "reflection": _transformation(lambda _: torch.diag(torch.tensor([1.0, 1, 1, -1]).double())),
    "rotation": _transformation(random_rotation),
    "lorentz": _transformation(lambda g: random_lorentz(g, 3.0)),
}


def violation(
    apply: Apply, model: nn.Module, particles: ParticleSet, name: str, generator: Generator
) -> float:
    """The largest change of an output that the symmetry forbids, in units of its spread."""
    transformed, order = SYMMETRIES[name](particles, generator)
    with torch.no_grad():
        before, after = apply(model, particles), apply(model, transformed)
    if order is not None and before.shape[0] == order.shape[0] != len(particles):
        before = before[order]
    return float(((after - before).abs() / spread(before)).max())


def spread(outputs: Tensor) -> Tensor:
    """How much each output differs over the rows; fails where the network does nothing."""
    scale = outputs.std(0)
    assert bool((scale > 1e-3).all()), f"constant output: {scale}"
    return scale


def randomise(model: nn.Module, generator: Generator) -> nn.Module:
    """Give every weight and every statistic a value of order one."""
    with torch.no_grad():
        for parameter in model.parameters():
            fan = parameter.shape[1] if parameter.dim() > 1 else 1
            parameter.copy_(
                1.5 * torch.randn(parameter.shape, generator=generator).double() / math.sqrt(fan)
            )
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator))
            elif name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    return model


def jets(
    counts: list[int],
    generator: Generator,
    *,
    features: int = 0,
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


def degenerate(name: str, dtype: torch.dtype, features: int = 0) -> ParticleSet:
    """One of the degenerate sets."""
    p4 = torch.tensor(DEGENERATE[name], dtype=dtype).reshape(-1, 4)
    return ParticleSet(p4, torch.tensor([0, len(p4)]), torch.ones(len(p4), features, dtype=dtype))


def all_degenerate(dtype: torch.dtype, features: int = 0) -> ParticleSet:
    """All of the degenerate sets in one batch."""
    return concatenate([degenerate(name, dtype, features) for name in DEGENERATE])
