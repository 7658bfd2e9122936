"""The classical Runge-Kutta method, for comparison."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from hepml.solvers._solver import Flow, Solver


@dataclass(frozen=True)
class RK4(Solver):
    """Steps by the classical Runge-Kutta method: order 4, neither symplectic nor reversible.

    It takes any H, keeps total momentum, and lets energy and angular momentum drift.
    """

    order = 4
    symplectic = False
    reversible = False

    def step(
        self, flow: Flow, q: Float[Tensor, "*state"], p: Float[Tensor, "*state"], dt: float
    ) -> tuple[Float[Tensor, "*state"], Float[Tensor, "*state"]]:
        """The state after `dt`."""
        q1, p1 = flow(q, p)
        q2, p2 = flow(q + dt / 2 * q1, p + dt / 2 * p1)
        q3, p3 = flow(q + dt / 2 * q2, p + dt / 2 * p2)
        q4, p4 = flow(q + dt * q3, p + dt * p3)
        return q + dt / 6 * (q1 + 2 * (q2 + q3) + q4), p + dt / 6 * (p1 + 2 * (p2 + p3) + p4)
