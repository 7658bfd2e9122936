"""What a symmetry is: a random element, and what it does to inputs and outputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, get_args

import torch
from jaxtyping import Inexact
from torch import Generator, Tensor, nn

from hepml.errors import InputError
from hepml.symmetry._exact import Exactly
from hepml.symmetry._nested import in_precision


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
    exact_elements_suffice
        Whether elements that round nothing come near every element, as products of each other:
        else a function may keep them and break the symmetry.
    exact_strengths
        The strengths at which it is measured with elements that round nothing; empty if these are
        the same.
    """

    strengths: ClassVar[tuple[float | None, ...]] = (None,)
    exact_strengths: ClassVar[tuple[float, ...]] = ()
    strength_name: ClassVar[str] = ""
    vanishing: ClassVar[bool] = False
    exact: ClassVar[bool] = False
    exact_elements_suffice: ClassVar[bool] = True

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

    def exactly(
        self,
        inputs: Any,
        references: Mapping[str, Tensor],  # noqa: ARG002
        strength: float | None,
        dtype: torch.dtype,
        generator: Generator,
    ) -> Exactly:
        """A random element that rounds nothing, with inputs on which it does not.

        Parameters
        ----------
        inputs
            What it will act on, in float64, after rounding to a grid if need be.
        references
            Those values of the model that transform along.
        strength
            How far it is from the identity, as :meth:`exact_strength` gives it.
        dtype
            The precision that holds inputs and images.
        generator
            Where all random numbers come from; on the CPU.

        Raises
        ------
        InputError
            If the symmetry has no such elements, or not for these inputs.
        """
        if not self.exact:
            raise InputError(
                f"elements of the symmetry {self.name!r}",
                expected="one that has elements which round nothing",
                got="'exact'",
                fix="ask for a number of random elements",
            )
        inputs = in_precision(in_precision(inputs, dtype), torch.float64)
        element = self.element(inputs, strength, generator)
        return Exactly(element, inputs, self.act(element, inputs), {}, "")

    @property
    def has_exact_elements(self) -> bool:
        """Whether there are elements that round nothing."""
        return self.exact or type(self).exactly is not Symmetry.exactly

    def exact_strength(self, strength: float | None) -> float | None:
        """The strength next to this at which there are elements that round nothing."""
        return strength

    def act_on_outputs(
        self,
        element: Any,  # noqa: ARG002
        outputs: Inexact[Tensor, "rows *components"],
    ) -> Inexact[Tensor, "new_rows *components"]:
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


def check_choice(name: str, value: object, choices: Any) -> None:
    """Refuse a value that is none of those of a literal type."""
    if value not in get_args(choices):
        raise InputError(
            name,
            expected=" or ".join(map(repr, get_args(choices))),
            got=repr(value),
            fix="choose one of these",
        )
