"""Bodies in motion."""

import torch

from hepml.data import PhaseSpace, Trajectories


def oscillators(trajectories=8, times=12, noise=0.0, bodies=1, space=1, test_fraction=0.25):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(2, trajectories, 1, bodies, space, generator=generator).double()
    t = torch.linspace(0, 3, times, dtype=torch.float64)
    c, s = t.cos()[:, None, None], t.sin()[:, None, None]
    q, p = start[0] * c + start[1] * s, start[1] * c - start[0] * s
    seen = [x + noise * torch.randn(x.shape, generator=generator).double() for x in (q, p)]
    return Trajectories(t, q, p, p, -q, *seen, {"test_fraction": test_fraction})


def energy(q, p):
    return (q.square() + p.square()).sum((-1, -2)) / 2


def bodies(space=2):
    generator = torch.Generator().manual_seed(0)
    offsets = torch.tensor([0, 3, 4, 8, 10, 12])
    return PhaseSpace(*torch.randn(2, 12, space, generator=generator).double(), offsets)
