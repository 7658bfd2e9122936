"""Symplectic splitting: the motions under T and under V, each solved exactly, in turns."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from hepml.errors import InputError
from hepml.solvers._solver import Flow, SeparableFlow, Solver


@dataclass(frozen=True)
class _Splitting(Solver):
    """Leapfrog steps of the lengths ``weights * dt``, one after the other."""

    weights: ClassVar[tuple[float, ...]]
    symplectic = True
    reversible = True

    def step(
        self, flow: Flow, q: Float[Tensor, "*state"], p: Float[Tensor, "*state"], dt: float
    ) -> tuple[Float[Tensor, "*state"], Float[Tensor, "*state"]]:
        """The state after `dt`; the drifts of successive leapfrog steps are one."""
        if not isinstance(flow, SeparableFlow):
            raise InputError(
                "flow",
                expected=f"velocity(p) and force(q) of H = T(p) + V(q), for {type(self).__name__}",
                got=f"{type(flow).__name__}, whose rates depend on q and p together",
                fix="use ImplicitMidpoint or RK4, or a separable H",
            )
        ends = (0.0, *self.weights, 0.0)
        drifts = [(before + after) / 2 for before, after in pairwise(ends)]
        q = q + drifts[0] * dt * flow.velocity(p)
        for weight, drift in zip(self.weights, drifts[1:], strict=True):
            p = p + weight * dt * flow.force(q)
            q = q + drift * dt * flow.velocity(p)
        return q, p


class Leapfrog(_Splitting):
    """Leapfrog, or Stoermer-Verlet: half a drift, a kick, half a drift. Order 2.

    Raises
    ------
    InputError
        If the flow has no `velocity` and `force`, that is, if H is not separable.

    References
    ----------
    E. Hairer, C. Lubich, G. Wanner, "Geometric numerical integration illustrated by the
    Stoermer-Verlet method", Acta Numerica 12 (2003) 399, eq. (1.9).

    Examples
    --------
    >>> solver = Leapfrog()
    >>> solver.order, solver.symplectic, solver.reversible
    (2, True, True)
    """

    order = 2
    weights = (1.0,)


class Yoshida4(_Splitting):
    """Steps of order 4 made of three leapfrog steps, the middle one back in time. Order 4.

    References
    ----------
    H. Yoshida, Phys. Lett. A 150 (1990) 262, eqs. (2.11) and (2.12).
    """

    order = 4
    weights = (
        1 / (2 - 2 ** (1 / 3)),
        -(2 ** (1 / 3)) / (2 - 2 ** (1 / 3)),
        1 / (2 - 2 ** (1 / 3)),
    )


# Solution A, with the digits of Hairer, Lubich, Wanner, "Geometric Numerical Integration" (2006),
# section V.3.2.
_W1, _W2, _W3 = -1.17767998417887100695, 0.23557321335935813368, 0.78451361047755726382


class Yoshida6(_Splitting):
    """Steps of order 6 made of seven leapfrog steps, some of them back in time. Order 6.

    References
    ----------
    H. Yoshida, Phys. Lett. A 150 (1990) 262, table 1, solution A.
    """

    order = 6
    weights = (_W3, _W2, _W1, 1 - 2 * (_W1 + _W2 + _W3), _W1, _W2, _W3)
