"""A flow in which some rows stand still."""

from jaxtyping import Bool
from torch import Tensor

from hepml.solvers._solver import Flow, SeparableFlow


def held(flow: Flow, rows: Bool[Tensor, " rows"]) -> Flow:
    """The flow with the rates of these rows set to 0; separable if the flow is."""
    return (_HeldParts if isinstance(flow, SeparableFlow) else _Held)(flow, rows)


class _Held:
    """A flow in which some rows stand still."""

    def __init__(self, flow: Flow, rows: Tensor) -> None:
        self._flow, self._rows = flow, rows[:, None]

    def __call__(self, q: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        """The rates of coordinates and momenta."""
        rate_q, rate_p = self._flow(q, p)
        return rate_q.masked_fill(self._rows, 0.0), rate_p.masked_fill(self._rows, 0.0)


class _HeldParts(_Held):
    """The same of a flow whose energy is T(p) + V(q)."""

    _flow: SeparableFlow  # type: ignore[assignment]

    def velocity(self, p: Tensor) -> Tensor:
        """``dT/dp``."""
        return self._flow.velocity(p).masked_fill(self._rows, 0.0)

    def force(self, q: Tensor) -> Tensor:
        """``-dV/dq``."""
        return self._flow.force(q).masked_fill(self._rows, 0.0)
