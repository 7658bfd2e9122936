"""From a scalar network to motion."""

from typing import Any, cast

from jaxtyping import Float
from torch import Tensor, nn

from hepml.errors import InputError
from hepml.ops import check_rows
from hepml.solvers import Flow, hamilton_equations

# The energies that a network may have, and their derivatives.
_DERIVATIVES = {
    "forward": "gradient",
    "kinetic": "kinetic_gradient",
    "potential": "potential_gradient",
    "of_body": "body_gradient",
    "of_pair": "pair_gradient",
}


class HamiltonianFlow(nn.Module):
    """The rates ``(dq/dt, dp/dt) = (dH/dp, -dH/dq)`` of a network H.

    Parameters
    ----------
    hamiltonian
        Maps ``(q, p, *context)`` to one energy for each system: any module that is smooth. If it
        is the sum of its methods ``kinetic(p, *context)`` and ``potential(q, *context)``, solvers
        can split it. It may have its derivatives in closed form: a method ``gradient`` that gives
        (dH/dq, dH/dp), and ``kinetic_gradient`` and ``potential_gradient`` of the parts.

    Notes
    -----
    The rates are exact derivatives, and can be differentiated as often as the network. Under
    ``torch.no_grad`` they come without a graph. Closed forms are used where each energy has one,
    and not where a subclass has changed an energy alone. Without them, the energies of a batch are
    added up and differentiated together, by ``torch.autograd``, which was faster than
    ``torch.func.grad`` and than ``vmap`` over the states, but takes longer than products of
    matrices that are written down (`examples/benchmarks/dynamics.py`).

    References
    ----------
    S. Greydanus, M. Dzamba, J. Yosinski, NeurIPS 2019, arXiv:1906.01563, section 2.

    Examples
    --------
    >>> import torch
    >>> from hepml.nn import SeparableHamiltonian
    >>> from hepml.solvers import Leapfrog, rollout
    >>> flow = HamiltonianFlow(SeparableHamiltonian(3))
    >>> q, p = torch.zeros(10, 3), torch.ones(10, 3)
    >>> rate_q, rate_p = flow(q, p)
    >>> with torch.no_grad():
    ...     run = rollout(flow.bind(), q, p, solver=Leapfrog(), dt=0.1, steps=20)
    >>> run.q.shape
    torch.Size([21, 10, 3])
    """

    def __init__(self, hamiltonian: nn.Module) -> None:
        super().__init__()
        self.hamiltonian = hamiltonian
        self.in_closed_form = _in_closed_form(type(hamiltonian))

    @property
    def claims(self) -> tuple[str, ...]:
        """The symmetries of motion that the network claims: rates have those of the energies."""
        found: tuple[str, ...] = getattr(self.hamiltonian, "claims", ())
        return found

    def forward(
        self, q: Float[Tensor, "rows dimension"], p: Float[Tensor, "rows dimension"], *context: Any
    ) -> tuple[Float[Tensor, "rows dimension"], Float[Tensor, "rows dimension"]]:
        """The rates of coordinates and momenta.

        Raises
        ------
        InputError
            If q and p differ in shape.
        """
        check_rows("q", q)
        check_rows("p", p)
        if q.shape != p.shape:
            raise InputError(
                "q and p",
                expected="the same shape",
                got=f"{tuple(q.shape)} and {tuple(p.shape)}",
                fix="give a momentum for each coordinate",
            )
        hamiltonian: Any = self.hamiltonian
        if not self.in_closed_form:
            return hamilton_equations(lambda q, p: hamiltonian(q, p, *context), q, p)
        along_q, along_p = hamiltonian.gradient(q, p, *context)
        return along_p, -along_q

    def bind(self, *context: Any) -> Flow:
        """The flow of (q, p) alone, as solvers take it, in a fixed context such as offsets."""
        split = hasattr(self.hamiltonian, "kinetic") and hasattr(self.hamiltonian, "potential")
        return (_SplitFlow if split else _BoundFlow)(self, context)


class _BoundFlow:
    """A flow in a fixed context."""

    def __init__(self, flow: HamiltonianFlow, context: tuple[Any, ...]) -> None:
        self._flow, self._context = flow, context

    def __call__(self, q: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        """The rates of coordinates and momenta."""
        rate_q, rate_p = self._flow(q, p, *self._context)
        return rate_q, rate_p


class _SplitFlow(_BoundFlow):
    """A flow whose energy is T(p) + V(q)."""

    def velocity(self, p: Tensor) -> Tensor:
        """``dT/dp``."""
        hamiltonian: Any = self._flow.hamiltonian
        if self._flow.in_closed_form:
            return cast(Tensor, hamiltonian.kinetic_gradient(p, *self._context))
        kinetic = lambda _, p: hamiltonian.kinetic(p, *self._context)  # noqa: E731
        return hamilton_equations(kinetic, p, p)[0]

    def force(self, q: Tensor) -> Tensor:
        """``-dV/dq``."""
        hamiltonian: Any = self._flow.hamiltonian
        if self._flow.in_closed_form:
            return cast(Tensor, -hamiltonian.potential_gradient(q, *self._context))
        potential = lambda q, _: hamiltonian.potential(q, *self._context)  # noqa: E731
        return hamilton_equations(potential, q, q)[1]


def _in_closed_form(kind: type) -> bool:
    """Whether each energy has its derivative, defined by the same class or by one below it."""

    def depth(name: str) -> int:
        classes = [place for place, each in enumerate(kind.__mro__) if name in vars(each)]
        return min(classes, default=len(kind.__mro__))

    energies = [energy for energy in _DERIVATIVES if hasattr(kind, energy)]
    return all(depth(_DERIVATIVES[energy]) <= depth(energy) for energy in energies)
