"""The implicit midpoint rule, symplectic whatever H is."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hepml.errors import InputError
from hepml.ops import is_transformed
from hepml.solvers._fixed_point import implicit
from hepml.solvers._solver import Flow, Solver

# Of the rounding of a flow: what an iteration may still move, in rounding units.
_ROUNDING = 100.0
# Smaller rows are judged by this fraction of the largest.
_LEAST = 1e-3


@dataclass(frozen=True)
class ImplicitMidpoint(Solver):
    """``z' = z + dt f((z + z') / 2)``: order 2, symplectic and reversible for every H.

    Parameters
    ----------
    tolerance
        The equation is solved when another iteration moves nothing by more than this fraction of
        the largest coordinate or momentum of the row; None: 4 rounding units of the dtype.
    most_iterations
        Fixed-point iterations at most.

    Notes
    -----
    The iteration converges if `dt` times the steepest slope of the flow is below 2. Rows in which
    it has not come to rest become NaN, which :func:`rollout` reports as a stop. At rest is also
    what still moves by up to 100 rounding units, if the tolerance asks for fewer: the flow itself
    is rounded, as a sum over many products. Rows below a thousandth of the largest are measured by
    that: a body at rest between others is as exact as they are. Exactly quadratic invariants,
    among them angular momentum, are kept to the tolerance.

    The derivative is that of the equation, by the implicit function theorem, and not that of the
    iterations: memory does not grow with them. It has no derivative itself; asking for one raises
    an error. Forward-mode derivatives and those of ``torch.func``, of any order, go through the
    iterations, all of them.

    References
    ----------
    E. Hairer, C. Lubich, G. Wanner, "Geometric Numerical Integration" (2006), sections VI.4 and
    VIII.6.
    """

    tolerance: float | None = None
    most_iterations: int = 50
    order = 2
    symplectic = True
    reversible = True

    def __post_init__(self) -> None:
        if self.most_iterations < 1 or (self.tolerance is not None and not self.tolerance > 0):
            raise InputError(
                "tolerance and most_iterations",
                expected="positive numbers",
                got=f"{self.tolerance} and {self.most_iterations}",
                fix="leave them out",
            )

    def step(
        self, flow: Flow, q: Float[Tensor, "*state"], p: Float[Tensor, "*state"], dt: float
    ) -> tuple[Float[Tensor, "*state"], Float[Tensor, "*state"]]:
        """The state after `dt`."""
        if is_transformed(q):
            middle_q, middle_p = self._midpoint(flow, q, p, dt)
            return 2 * middle_q - q, 2 * middle_p - p
        with torch.no_grad():
            middle = self._midpoint(flow, q, p, dt)
        if torch.is_grad_enabled():

            def iteration(m: Tensor) -> Tensor:
                rate_q, rate_p = flow(*m.chunk(2, dim=-1))
                return torch.cat([q + dt / 2 * rate_q, p + dt / 2 * rate_p], dim=-1)

            solution = implicit(
                iteration,
                torch.cat(middle, dim=-1),
                tolerance=self.tolerance or 4 * torch.finfo(q.dtype).eps,
                most=self.most_iterations,
            )
            middle_q, middle_p = solution.chunk(2, dim=-1)
        else:
            middle_q, middle_p = middle
        return 2 * middle_q - q, 2 * middle_p - p

    def _midpoint(self, flow: Flow, q: Tensor, p: Tensor, dt: float) -> tuple[Tensor, Tensor]:
        """The solution of ``m = z + dt/2 f(m)``; NaN where the iteration does not come to rest."""
        unit = torch.finfo(q.dtype).eps
        tolerance = self.tolerance or 4 * unit
        through = is_transformed(q)
        rate_q, rate_p = flow(q, p)
        middle_q, middle_p = q + dt / 2 * rate_q, p + dt / 2 * rate_p
        size = _size(middle_q, middle_p)
        for _ in range(self.most_iterations):
            rate_q, rate_p = flow(middle_q, middle_p)
            next_q, next_p = q + dt / 2 * rate_q, p + dt / 2 * rate_p
            moved = torch.maximum((next_q - middle_q).abs(), (next_p - middle_p).abs())
            middle_q, middle_p = next_q, next_p
            if not through and bool((moved <= tolerance * size).all()):
                break
        allowed = max(tolerance, _ROUNDING * unit)
        resting = (moved <= allowed * size).all(-1, keepdim=True)
        return middle_q.masked_fill(~resting, torch.nan), middle_p.masked_fill(~resting, torch.nan)


def _size(q: Tensor, p: Tensor) -> Tensor:
    """The largest coordinate or momentum of each row, or a fraction of the largest of all."""
    size = torch.maximum(q.abs(), p.abs()).amax(-1, keepdim=True)
    known = torch.where(size.isfinite(), size, 0.0)
    return size.clamp(min=_LEAST * known.amax()) if size.numel() else size
