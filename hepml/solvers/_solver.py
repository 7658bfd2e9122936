"""What a solver is, and what it steps along."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

# The rates ``(dq/dt, dp/dt)`` of a state ``(q, p)``.
Flow = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@runtime_checkable
class SeparableFlow(Protocol):
    """The rates of H = T(p) + V(q), each a function of one of the two."""

    def velocity(self, p: Float[Tensor, "*state"], /) -> Float[Tensor, "*state"]:
        """``dq/dt = dT/dp``."""
        ...

    def force(self, q: Float[Tensor, "*state"], /) -> Float[Tensor, "*state"]:
        """``dp/dt = -dV/dq``."""
        ...


class Solver(ABC):
    """A way to step from ``(q, p)`` to the state a time `dt` later: an immutable value.

    What a class declares, the tests measure. The step is differentiable in the state and in the
    parameters of the flow.

    Attributes
    ----------
    order
        The power of the step size with which the error at a fixed time falls; None if the solver
        chooses its own steps.
    symplectic
        Whether the step of a Hamiltonian flow keeps the symplectic form ``dq ^ dp``. Its error in
        the energy then stays bounded, as long as the step size does not change.
    reversible
        Whether a step with `-dt` undoes a step with `dt`.
    """

    order: ClassVar[int | None]
    symplectic: ClassVar[bool]
    reversible: ClassVar[bool]

    @abstractmethod
    def step(
        self, flow: Flow, q: Float[Tensor, "*state"], p: Float[Tensor, "*state"], dt: float
    ) -> tuple[Float[Tensor, "*state"], Float[Tensor, "*state"]]:
        """The state after `dt`, which may be negative."""
