"""The implicit midpoint rule, symplectic whatever H is."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hepml.errors import InputError
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
    iterations: memory does not grow with them. There is no second derivative through the step.

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
        with torch.no_grad():
            middle_q, middle_p = self._midpoint(flow, q, p, dt)
        if torch.is_grad_enabled():
            middle_q, middle_p = self._differentiable(flow, q, p, dt, middle_q, middle_p)
        return 2 * middle_q - q, 2 * middle_p - p

    def _midpoint(self, flow: Flow, q: Tensor, p: Tensor, dt: float) -> tuple[Tensor, Tensor]:
        """The solution of ``m = z + dt/2 f(m)``; NaN where the iteration does not come to rest."""
        unit = torch.finfo(q.dtype).eps
        tolerance = self.tolerance or 4 * unit
        rate_q, rate_p = flow(q, p)
        middle_q, middle_p = q + dt / 2 * rate_q, p + dt / 2 * rate_p
        size = _size(middle_q, middle_p)
        for _ in range(self.most_iterations):
            rate_q, rate_p = flow(middle_q, middle_p)
            next_q, next_p = q + dt / 2 * rate_q, p + dt / 2 * rate_p
            moved = torch.maximum((next_q - middle_q).abs(), (next_p - middle_p).abs())
            middle_q, middle_p = next_q, next_p
            if bool((moved <= tolerance * size).all()):
                break
        allowed = max(tolerance, _ROUNDING * unit)
        resting = (moved <= allowed * size).all(-1, keepdim=True)
        return middle_q.masked_fill(~resting, torch.nan), middle_p.masked_fill(~resting, torch.nan)

    def _differentiable(
        self, flow: Flow, q: Tensor, p: Tensor, dt: float, middle_q: Tensor, middle_p: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The midpoint, with the derivative that the implicit function theorem gives it.

        Another iteration ``m = z + dt/2 f(m)`` with m held fixed on its right side depends on z and
        on the parameters as it should, but for the factor ``(1 - dt/2 df/dm)^-1``: its transpose is
        applied to the incoming derivative.
        """
        rate_q, rate_p = flow(middle_q, middle_p)
        middle = torch.cat([q + dt / 2 * rate_q, p + dt / 2 * rate_p], dim=-1)
        if middle.requires_grad:
            # torch calls the hook with None where no derivative comes in.
            middle.register_hook(  # type: ignore[no-untyped-call]
                lambda incoming: (
                    None
                    if incoming is None
                    else self._solve_adjoint(flow, dt, middle_q, middle_p, incoming)
                )
            )
        again_q, again_p = middle.chunk(2, dim=-1)
        return again_q, again_p

    def _solve_adjoint(
        self, flow: Flow, dt: float, middle_q: Tensor, middle_p: Tensor, incoming: Tensor
    ) -> Tensor:
        """The solution of ``u = incoming + dt/2 (df/dm)^T u``, by the same iteration."""
        with torch.enable_grad():
            middle = (middle_q.detach().requires_grad_(), middle_p.detach().requires_grad_())
            rates = torch.cat(flow(*middle), dim=-1)
        tolerance = self.tolerance or 4 * torch.finfo(incoming.dtype).eps
        adjoint = incoming
        for _ in range(self.most_iterations):
            pulled = torch.autograd.grad(
                rates, middle, adjoint, retain_graph=True, materialize_grads=True
            )
            following = incoming + dt / 2 * torch.cat(pulled, dim=-1)
            moved = (following - adjoint).abs().max()
            adjoint = following
            if bool(moved <= tolerance * adjoint.abs().max()):
                break
        return adjoint


def _size(q: Tensor, p: Tensor) -> Tensor:
    """The largest coordinate or momentum of each row, or a fraction of the largest of all."""
    size = torch.maximum(q.abs(), p.abs()).amax(-1, keepdim=True)
    known = size[size.isfinite()]
    return size.clamp(min=_LEAST * float(known.max())) if len(known) else size
