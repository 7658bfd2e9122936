"""Expressions as the steps of a stack: columns, constants, functions, reductions."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hepml.io.expressions._reductions import Reduction


class Name(NamedTuple):
    """A step that looks a column up."""

    name: str


class Constant(NamedTuple):
    """A step that is a number."""

    value: bool | int | float


class Apply(NamedTuple):
    """A step that computes with the results of the last so many steps."""

    call: Callable[..., Any]
    arguments: int


class Reduce(NamedTuple):
    """A step that reduces an expression over the particles of each set."""

    call: Reduction
    argument: "Expression"


Step = Name | Constant | Apply | Reduce


class Expression(NamedTuple):
    """A parsed expression: the steps of a stack that compute it.

    Nothing of the text is ever executed, which may come from a stranger's checkpoint.
    """

    text: str
    steps: tuple[Step, ...]

    @property
    def reductions(self) -> tuple[Reduce, ...]:
        """The reductions over the particles of a set."""
        return tuple(step for step in self.steps if isinstance(step, Reduce))

    @property
    def outer(self) -> tuple[str, ...]:
        """The names of columns outside the reductions, each once."""
        return tuple(dict.fromkeys(step.name for step in self.steps if isinstance(step, Name)))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns, each once."""
        inner = (name for step in self.reductions for name in step.argument.names)
        return tuple(dict.fromkeys((*self.outer, *inner)))
