"""From a scalar network to motion."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from hepml.errors import InputError
from hepml.solvers import Flow, hamilton_equations


class HamiltonianFlow(nn.Module):
    """The rates ``(dq/dt, dp/dt) = (dH/dp, -dH/dq)`` of a network H.

    Parameters
    ----------
    hamiltonian
        Maps ``(q, p, *context)`` to one energy for each system: any module that is smooth. If it
        is the sum of its methods ``kinetic(p, *context)`` and ``potential(q, *context)``, solvers
        can split it. If it has the method ``gradient(q, p, *context)``, that gives the derivatives
        (dH/dq, dH/dp), and for the parts ``kinetic_gradient`` and ``potential_gradient``.

    Notes
    -----
    The rates are exact derivatives, and can be differentiated as often as the network. Under
    ``torch.no_grad`` they come without a graph. The methods of the network are used unless a
    subclass has another energy than theirs. Without them, the energies of a batch are added up and
    differentiated together, by ``torch.autograd``, which was faster than ``torch.func.grad`` and
    than ``vmap`` over the states, but takes longer than products of matrices that are written
    down (`examples/benchmarks/dynamics.py`).

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
        if q.shape != p.shape:
            raise InputError(
                "q and p",
                expected="the same shape",
                got=f"{tuple(q.shape)} and {tuple(p.shape)}",
                fix="give a momentum for each coordinate",
            )
        gradient = _in_closed_form(self.hamiltonian, "gradient", "forward", "kinetic", "potential")
        if gradient is None:
            return hamilton_equations(lambda q, p: self.hamiltonian(q, p, *context), q, p)
        along_q, along_p = gradient(q, p, *context)
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
        gradient = _in_closed_form(hamiltonian, "kinetic_gradient", "kinetic")
        if gradient is None:
            kinetic = lambda _, p: hamiltonian.kinetic(p, *self._context)  # noqa: E731
            return hamilton_equations(kinetic, p, p)[0]
        found: Tensor = gradient(p, *self._context)
        return found

    def force(self, q: Tensor) -> Tensor:
        """``-dV/dq``."""
        hamiltonian: Any = self._flow.hamiltonian
        gradient = _in_closed_form(hamiltonian, "potential_gradient", "potential")
        if gradient is None:
            potential = lambda q, _: hamiltonian.potential(q, *self._context)  # noqa: E731
            return hamilton_equations(potential, q, q)[1]
        found: Tensor = -gradient(q, *self._context)
        return found


def _in_closed_form(hamiltonian: nn.Module, name: str, *energies: str) -> Any:
    """The method of this name, if there is one and no subclass has changed the energy since."""
    order = type(hamiltonian).__mro__
    for kind in order:
        if name in vars(kind):
            return getattr(hamiltonian, name)
        if any(energy in vars(kind) for energy in energies):
            return None
    return None
