"""Jets to measure with where there is no file."""

import torch

from hepml.data import ParticleSet
from hepml.errors import InputError


def random_jets(
    sets: int = 32,
    *,
    features: int = 0,
    context: int = 0,
    particles: int = 30,
    seed: int = 0,
) -> ParticleSet:
    """Sets that resemble jets: collimated particles of falling energy, charged pions and photons.

    Parameters
    ----------
    sets
        How many jets.
    features
        Normal random numbers for each particle.
    context
        Normal random numbers for each set.
    particles
        The mean number of particles; it is uniform from a half to three halves of this.
    seed
        The same seed gives the same jets.

    Notes
    -----
    In float32, as from a file. The transverse momentum is some 600 GeV, the pseudorapidity normal
    with a width of 1; particles are normal around the axis with a width of 0.25 in (eta, phi).
    Nothing else in them resembles QCD.

    Examples
    --------
    >>> random_jets(3, features=2)
    ParticleSet(3 sets, ... particles, 2 features, float32, cpu)
    """
    if min(sets, features, context, particles - 1) < 0:
        raise InputError(
            "sets, features, context, particles",
            expected="0, 0, 0 and 1 or more",
            got=f"{sets}, {features}, {context}, {particles}",
            fix="raise them",
        )
    generator = torch.Generator().manual_seed(seed)

    def uniform(*size: int) -> torch.Tensor:
        return torch.rand(*size, generator=generator, dtype=torch.float64)

    def normal(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    counts = 1 + (particles * (0.5 + uniform(sets))).long()
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    total = int(offsets[-1])
    jet = torch.repeat_interleave(torch.arange(sets), counts)
    share = -uniform(total).clamp(min=1e-9).log() * uniform(total).square()
    share = share / torch.zeros(sets, dtype=torch.float64).index_add(0, jet, share)[jet]
    pt = (500 + 200 * uniform(sets))[jet] * share
    eta = normal(sets)[jet] + 0.25 * normal(total)
    phi = 2 * torch.pi * uniform(sets)[jet] + 0.25 * normal(total)
    mass = torch.where(uniform(total) < 0.65, 0.13957, 0.0)
    momentum = torch.stack([pt * phi.cos(), pt * phi.sin(), pt * eta.sinh()], 1)
    energy = (momentum.square().sum(1) + mass.square()).sqrt()
    p4 = torch.cat([energy[:, None], momentum], 1)
    numbers = normal(total, features).float()
    of_sets = normal(sets, context).float() if context else None
    return ParticleSet(p4.float(), offsets, numbers, context=of_sets)
