"""Solvers that choose their steps, from torchdiffeq."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hepml.errors import MissingDependencyError
from hepml.solvers._solver import Flow, Solver


@dataclass(frozen=True)
class Adaptive(Solver):
    """As many steps as the tolerances ask for, by a method of torchdiffeq.

    Parameters
    ----------
    method
        Of ``torchdiffeq.odeint``: "dopri5", "dopri8", "bosh3", ...
    rtol, atol
        The error that a step may make, relative to the state and absolute.

    Raises
    ------
    MissingDependencyError
        If torchdiffeq is not installed.

    Notes
    -----
    Neither symplectic nor reversible. The rows of a batch share their steps. The state that comes
    out is always that after `dt`: the steps in between are the method's own.
    """

    method: str = "dopri5"
    rtol: float = 1e-9
    atol: float = 1e-9
    order = None
    symplectic = False
    reversible = False

    def step(
        self, flow: Flow, q: Float[Tensor, "*state"], p: Float[Tensor, "*state"], dt: float
    ) -> tuple[Float[Tensor, "*state"], Float[Tensor, "*state"]]:
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
        times = torch.tensor([0.0, dt], dtype=q.dtype, device=q.device)
        options: Any = {"rtol": self.rtol, "atol": self.atol, "method": self.method}
        try:
            after_q, after_p = odeint(lambda _, state: flow(*state), (q, p), times, **options)
        except AssertionError:
            # So torchdiffeq says that no step is small enough: the motion runs away.
            return torch.full_like(q, torch.nan), torch.full_like(p, torch.nan)
        return after_q[-1], after_p[-1]
