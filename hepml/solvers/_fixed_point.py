"""Solutions of ``x = g(x)`` that know their derivative."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hepml.errors import InputError
from hepml.ops import is_transformed

# Maps x to g(x); differentiable.
Iteration = Callable[[Tensor], Tensor]


def implicit(
    iteration: Iteration, solution: Float[Tensor, "*state"], *, tolerance: float, most: int
) -> Float[Tensor, "*state"]:
    """The solution of ``x = g(x)``, with the derivative of the implicit function theorem.

    ``dx = (1 - dg/dx)^-1 dg``, with dg at fixed x: another iteration gives dg, and the inverse is
    applied, transposed, to the derivative that comes in: it is the solution of
    ``w = v + (dg/dx)^T w``, found by the same iteration.

    Parameters
    ----------
    iteration
        The function g, which may depend on anything that needs a gradient.
    solution
        What solves the equation.
    tolerance
        The linear equation is solved when an iteration moves nothing by more than this fraction of
        the largest.
    most
        Iterations at most.

    Notes
    -----
    A second derivative through the result is refused when it is computed.
    """
    out: Tensor = _Implicit.apply(iteration(solution.detach()), iteration, tolerance, most)  # type: ignore[no-untyped-call]
    return out


class _Implicit(torch.autograd.Function):
    """Identity forwards; backwards the inverse transposed of ``1 - dg/dx``."""

    @staticmethod
    def forward(
        ctx: Any, solution: Tensor, iteration: Iteration, tolerance: float, most: int
    ) -> Tensor:
        out = solution.view_as(solution)
        ctx.save_for_backward(out)
        ctx.iteration, ctx.tolerance, ctx.most = iteration, tolerance, most
        return out

    @staticmethod
    def backward(ctx: Any, *incoming: Any) -> tuple[Tensor, None, None, None]:
        if is_transformed(incoming[0]):
            raise InputError(
                "gradient through ImplicitMidpoint",
                expected="one gradient at a time",
                got="a batch of them (is_grads_batched, or vectorize=True)",
                fix="take them one by one, or with torch.func.jacrev, which goes through the "
                "iterations",
            )
        (v,) = (each.detach() for each in incoming)
        (solution,) = ctx.saved_tensors
        with torch.enable_grad():
            x = solution.detach().requires_grad_()
            image = ctx.iteration(x)
        w = v
        for _ in range(ctx.most if w.numel() else 0):
            (pulled,) = torch.autograd.grad(image, x, w, retain_graph=True, materialize_grads=True)
            following = v + pulled
            moved = (following - w).abs().max()
            w = following
            if bool(moved <= ctx.tolerance * w.abs().max()):
                break
        if torch.is_grad_enabled():
            w = _Once.apply(w, solution)  # type: ignore[no-untyped-call]
        return w, None, None, None


class _Once(torch.autograd.Function):
    """A derivative that has none of its own, with respect to anything the solution depends on."""

    @staticmethod
    def forward(ctx: Any, derivative: Tensor, solution: Tensor) -> Tensor:  # noqa: ARG004
        return derivative.view_as(derivative)

    @staticmethod
    def backward(ctx: Any, *incoming: Any) -> Any:  # noqa: ARG004
        raise InputError(
            "second derivative through ImplicitMidpoint",
            expected="first derivatives, as those of the implicit function theorem are",
            got="a gradient of its gradient by torch.autograd",
            fix="take it with torch.func (grad, jacrev, hessian), which goes through the "
            "iterations, or use an explicit solver such as Yoshida4 or RK4",
        )
