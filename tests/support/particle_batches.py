"""Batches for the tests of ParticleSet, and their comparison."""

import torch

from hepml.data import ParticleSet, Ragged


def batch(
    counts=(2, 0, 3, 1),
    *,
    channels=2,
    dtype=torch.float32,
    optional=True,
    per_particle=False,
    seed=0,
):
    """Particles of random momenta, with everything that a batch can carry."""
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.tensor([0, *counts]).cumsum(0)
    particles, sets = int(offsets[-1]), len(counts)
    momenta = torch.randn(particles, 3, generator=generator, dtype=torch.float64) * 50
    masses = torch.rand(particles, 1, generator=generator, dtype=torch.float64)
    energies = (momenta.square().sum(1, keepdim=True) + masses.square()).sqrt()
    p4 = torch.cat([energies, momenta], 1).to(dtype)
    features = torch.randn(particles, channels, generator=generator, dtype=dtype)
    if not optional:
        return ParticleSet(p4, offsets, features)
    return ParticleSet(
        p4,
        offsets,
        features,
        context=torch.randn(sets, 2, generator=generator, dtype=dtype),
        labels=torch.arange(sets) % 2,
        weights=torch.rand(sets, generator=generator, dtype=dtype),
        targets=torch.randn(sets, 2, generator=generator, dtype=dtype),
        particle_labels=torch.arange(particles) % 3 if per_particle else None,
        particle_targets=torch.randn(particles, 1, dtype=dtype) if per_particle else None,
    )


def assert_same(one: Ragged, other: Ragged) -> None:
    """Every field is equal, bit by bit."""
    assert type(one) is type(other)
    for name in {**vars(one), **vars(other)}:
        a, b = getattr(one, name), getattr(other, name)
        if a is None or b is None:
            assert a is b, name
        else:
            assert a.dtype == b.dtype, name
            assert torch.equal(a, b), name
