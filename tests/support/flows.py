"""Flows with closed-form rates, for the tests of the solvers."""

import torch

from hepml.solvers import hamilton_equations


class Pendulum:
    """H = p^2/2 + 1 - cos q, separable."""

    def velocity(self, p):
        return p

    def force(self, q):
        return -q.sin()

    def __call__(self, q, p):
        return self.velocity(p), self.force(q)

    def energy(self, q, p):
        return (p.square() / 2 + 1 - q.cos()).sum(-1)


class Magnetic:
    """A charge in a plane across a field B = 1 + r^2: H = (p - A(q))^2 / 2, not separable."""

    def energy(self, q, p):
        r2 = q.square().sum(-1, keepdim=True)
        potential = (1 / 2 + r2 / 4) * torch.stack([-q[..., 1], q[..., 0]], -1)
        return (p - potential).square().sum(-1) / 2

    def __call__(self, q, p):
        return hamilton_equations(self.energy, q, p)


def double(*rows):
    return torch.tensor(rows, dtype=torch.float64)
