"""What a symmetry is: a random element, and what it does to inputs and outputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Generator, Tensor, nn


class Symmetry(ABC):
    """A claim about a function f: ``f(g x) = g f(x)`` for every element g.

    A new symmetry is one class with a :attr:`name`, an :meth:`element` and an :meth:`act`. The
    other methods have defaults that say: the outputs are invariant.

    Attributes
    ----------
    name
        As printed, and as named on the command line.
    strengths
        The strengths at which :func:`~hepml.symmetry.check` measures it unless told otherwise;
        ``(None,)`` for a symmetry whose elements have no size.
    strength_name
        What the strength is, for the axis of a figure.
    vanishing
        Whether the claim is about the limit alone: the violation falls to zero with the strength.
    exact
        Whether the action rounds nothing, as when numbers only change places.
    """

    strengths: ClassVar[tuple[float | None, ...]] = (None,)
    strength_name: ClassVar[str] = ""
    vanishing: ClassVar[bool] = False
    exact: ClassVar[bool] = False

    @property
    @abstractmethod
    def name(self) -> str:
        """As printed, and as named on the command line."""

    @abstractmethod
    def element(self, inputs: Any, strength: float | None, generator: Generator) -> Any:
        """A random element.

        Parameters
        ----------
        inputs
            What it will act on, for its sizes.
        strength
            How far the element is from the identity, in the units of :attr:`strength_name`: the
            Lorentz factor of a boost, for example; None where the symmetry may choose.
        generator
            Where all random numbers come from; on the CPU.
        """

    @abstractmethod
    def act(self, element: Any, inputs: Any) -> Any:
        """The transformed inputs, of the same type and precision as the inputs.

        Notes
        -----
        Compute in float64 and round once, so that the error measured is the network's.
        """

    def act_on_outputs(
        self,
        element: Any,  # noqa: ARG002
        outputs: Float[Tensor, "rows *components"],
    ) -> Float[Tensor, "new_rows *components"]:
        """What the outputs must become: by default they stay."""
        return outputs

    def act_on_references(self, element: Any, model: nn.Module) -> Mapping[str, Tensor]:  # noqa: ARG002
        """New values of buffers and parameters of the model that transform along: by default none.

        They are named as in ``model.named_buffers()``.
        """
        return {}

    def blocks(self, components: int) -> Sequence[slice]:
        """The components of the outputs that the symmetry mixes: by default each stays itself.

        An error is measured by the Euclidean norm in each block.
        """
        return [slice(i, i + 1) for i in range(components)]

    def describe(self, element: Any) -> str:
        """The element in a few words or as its matrix, for messages."""
        return str(element)
