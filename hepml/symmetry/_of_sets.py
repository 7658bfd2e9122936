"""Where the particles of inputs and outputs are, for symmetries of sets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, cast

import torch
from jaxtyping import Int64
from torch import Tensor

from hepml.data import Ragged
from hepml.errors import InputError
from hepml.symmetry._nested import tensors_by_place
from hepml.symmetry._symmetry import Symmetry, check_choice

Outputs = Literal["sets", "particles"]


class Layout(NamedTuple):
    """Where the particles of tensors are.

    Attributes
    ----------
    set_index
        The set of each particle, where all lie along the first axis; None: they have an own axis.
    sizes
        The numbers of sets and of particles in a set; of particles in all, with an index.
    """

    set_index: Int64[Tensor, " particles"] | None
    sizes: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class OfSets(Symmetry):
    """A symmetry of sets of particles, wherever these are in the inputs.

    Parameters
    ----------
    outputs
        Whether an output belongs to a set or to a particle.
    axis
        Of tensors: the axis of the particles; 1 in (sets, particles, channels), 2 in (sets,
        channels, particles). For a mapping or a tuple, one for each entry that has such an axis, as
        in ``{"x": 2, "mask": 1}`` or ``(2, 1)``. Sets are along the first axis.
    index
        Of tensors in which the particles of all sets lie along the first axis: the entry of the
        mapping, or the place in the tuple, that holds the number of the set of each particle.
    """

    outputs: Outputs = "sets"
    axis: int | Mapping[str, int] | tuple[int | None, ...] | None = None
    index: str | int | None = None

    exact: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice(f"outputs of {type(self).__name__}", self.outputs, Outputs)
        if self.axis is not None and self.index is not None:
            raise InputError(
                f"axis, index of {type(self).__name__}",
                expected="one of both",
                got=f"{self.axis!r} and {self.index!r}",
                fix="particles have an axis of their own, or an index that tells their set",
            )

        given = self.axis
        many = isinstance(given, Mapping | tuple)
        entries = given.values() if isinstance(given, Mapping) else given
        for axis in cast(Iterable[Any], entries if many else [given]):
            if axis is not None and (type(axis) is not int or axis < 0):
                raise InputError(
                    f"axis of {type(self).__name__}",
                    expected="a whole number from 1 on (the first axis is that of the sets), or "
                    "one for each entry of a mapping or a tuple",
                    got=repr(self.axis),
                    fix="axis=1 for (sets, particles, channels)",
                )
        if self.index is not None and type(self.index) not in (str, int):
            raise InputError(
                f"index of {type(self).__name__}",
                expected="the name of an entry, or its place in a tuple",
                got=repr(self.index),
                fix='index="batch"',
            )

    def _layout(self, inputs: Any) -> Layout:
        """Where the particles of tensors are; refused where that is not said."""
        tensors = tensors_by_place(inputs)
        if self.index is not None:
            if self.index not in tensors:
                raise self._unknown(inputs, f"no entry {self.index!r}")
            index = tensors[self.index].detach().cpu()
            if index.dim() != 1 or index.is_floating_point() or index.is_complex():
                raise self._unknown(inputs, f"an index of {index.dtype}, {tuple(index.shape)}")
            sets = int(index.max()) + 1 if len(index) else 0
            return Layout(index.long(), (sets, len(index)))
        axes = self._axes(inputs)
        if not axes:
            raise self._unknown(inputs, "tensors of which nobody said where their particles are")
        shapes = {place: tuple(tensors[place].shape) for place in axes}
        sizes = {
            (shape[0], shape[axes[place]]) if 0 < axes[place] < len(shape) else None
            for place, shape in shapes.items()
        }
        if len(sizes) != 1 or None in sizes:
            raise self._unknown(inputs, f"axis {self.axis!r} of shapes {[*shapes.values()]}")
        (found,) = (size for size in sizes if size is not None)
        return Layout(None, found)

    def _axes(self, inputs: Any) -> dict[str | int, int]:
        """The axis of the particles of each tensor that has one."""
        tensors = tensors_by_place(inputs)
        if self.axis is None:
            return {}
        if isinstance(self.axis, int):
            axis = self.axis
            return {place: axis for place, tensor in tensors.items() if tensor.dim() > axis}
        named: dict[str | int, int | None] = dict(
            self.axis.items() if isinstance(self.axis, Mapping) else enumerate(self.axis)
        )
        if missing := [place for place in named if place not in tensors]:
            raise self._unknown(inputs, f"no tensor {missing[0]!r}")
        return {place: axis for place, axis in named.items() if axis is not None}

    def _unknown(self, inputs: Any, got: str) -> InputError:
        """What to say of inputs whose particles are not found."""
        kind = type(self).__name__
        return InputError(
            f"inputs of the symmetry {self.name!r}",
            expected="a ParticleSet, a Graph, a PhaseSpace, or tensors and where particles are",
            got=f"{type(inputs).__name__}: {got}",
            fix=f"say so: {kind}(axis=1) for (sets, particles, channels), {kind}(axis=2) for (sets,"
            f' channels, particles), {kind}(index="batch") where "batch" tells the set of each',
        )


def set_index(inputs: Any) -> Int64[Tensor, " particles"] | None:
    """The set of each particle or body, where the inputs know it."""
    if isinstance(inputs, Ragged):
        return inputs.set_index.cpu()
    return None


def is_index(tensor: Tensor) -> bool:
    """Whether these may be the sets of particles."""
    whole = not tensor.is_floating_point() and not tensor.is_complex()
    return whole and tensor.dim() == 1 and tensor.dtype != torch.bool
