"""Solvers that choose their steps, from torchdiffeq."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hepml.errors import InputError, MissingDependencyError
from hepml.ops import is_transformed
from hepml.solvers._held import held
from hepml.solvers._solver import Flow, Solver

# Smaller rows are judged by this fraction of the largest.
_LEAST = 1e-3


@dataclass(frozen=True)
class Adaptive(Solver):
    """As many steps as the tolerances ask for, by a method of torchdiffeq.

    Parameters
    ----------
    method
        Of ``torchdiffeq.odeint``: "dopri5", "dopri8", "bosh3", ...
    rtol, atol
        The error that a step may make, relative to the state and absolute.
    most_steps
        Steps of the method at most, within one of the solver.

    Raises
    ------
    MissingDependencyError
        If torchdiffeq is not installed.
    InputError
        In a step under forward-mode derivatives or ``torch.func``.

    Notes
    -----
    Neither symplectic nor reversible. The rows of a batch share their steps. A row for which no
    step is small enough, or which needs too many, becomes NaN, which :func:`rollout` reports as a
    stop, and the others are followed without it. The state that comes out is always that after
    `dt`: the steps in between are the method's own.
    """

    method: str = "dopri5"
    rtol: float = 1e-9
    atol: float = 1e-9
    most_steps: int = 10_000
    order = None
    symplectic = False
    reversible = False

    def step(
        self,
        flow: Flow,
        q: Float[Tensor, "rows dimension"],
        p: Float[Tensor, "rows dimension"],
        dt: float,
    ) -> tuple[Float[Tensor, "rows dimension"], Float[Tensor, "rows dimension"]]:
        """The state after `dt`."""
        try:
            from torchdiffeq import odeint
        except ImportError as error:
            raise MissingDependencyError(
                "Adaptive",
                expected="the package torchdiffeq",
                got="an environment without it",
                fix="pip install torchdiffeq, or use RK4 with small steps",
            ) from error
        if is_transformed(q) or is_transformed(p):
            raise InputError(
                "Adaptive",
                expected="derivatives by torch.autograd, backwards",
                got="a forward-mode derivative or a transform of torch.func, which torchdiffeq "
                "does not know",
                fix="use RK4 with small steps",
            )
        times = torch.tensor([0.0, dt], dtype=q.dtype, device=q.device)
        arguments: Any = {
            "rtol": self.rtol,
            "atol": self.atol,
            "method": self.method,
            "options": {"max_num_steps": self.most_steps},
        }
        lost = torch.zeros(len(q), dtype=torch.bool, device=q.device)
        while not bool(lost.all()):
            watched = _Watched(held(flow, lost) if bool(lost.any()) else flow)
            try:
                after = odeint(watched.rates, (q, p), times, **arguments)
                after_q, after_p = (
                    each[-1].masked_fill(lost[:, None], torch.nan) for each in after
                )
                return after_q, after_p
            except AssertionError:
                # So torchdiffeq says that no step is small enough, or that too many are needed.
                lost = lost | watched.steepest()
        return torch.full_like(q, torch.nan), torch.full_like(p, torch.nan)


class _Watched:
    """A flow that knows where it was asked for last."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def rates(self, _time: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The rates of coordinates and momenta."""
        rates = self._flow(*state)
        self._last = [each.detach() for each in (*state, *rates)]
        return rates

    def steepest(self) -> Bool[Tensor, " rows"]:
        """The rows that are not finite, else that which moves fastest for its size."""
        finite = torch.stack([each.isfinite().all(-1) for each in self._last]).all(0)
        if not bool(finite.all()):
            return ~finite
        q, p, rate_q, rate_p = (each.abs().amax(-1) for each in self._last)
        size = torch.maximum(q, p)
        speed = torch.maximum(rate_q, rate_p) / size.clamp(min=_LEAST * float(size.max()))
        rows = torch.arange(len(speed), device=speed.device)
        return rows == speed.nan_to_num(nan=0.0).argmax()
