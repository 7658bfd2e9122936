"""Symmetries of sets: the order of the particles, and of the sets in a batch."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Inexact, Int64
from torch import Generator, Tensor

from hepml.data import Ragged
from hepml.errors import InputError
from hepml.symmetry._motion import shuffled_within
from hepml.symmetry._nested import map_by_place, map_tensors, tensors_by_place
from hepml.symmetry._of_sets import OfSets, is_index, set_index


@dataclass(frozen=True, kw_only=True)
class Permutation(OfSets):
    """Another order of the particles within each set.

    Parameters
    ----------
    outputs
        Whether an output belongs to a set, and stays, or to a particle, and is permuted along.
    axis
        Of tensors: the axis of the particles; 1 in (sets, particles, channels), 2 in (sets,
        channels, particles). For a mapping or a tuple, one for each entry that has such an axis, as
        in ``{"x": 2, "mask": 1}`` or ``(2, 1)``.
    index
        Of tensors in which the particles of all sets lie along the first axis: the entry of the
        mapping, or the place in the tuple, that holds the number of the set of each particle.

    Notes
    -----
    It acts on a :class:`~hepml.data.ParticleSet`, on the nodes of a :class:`~hepml.data.Graph`, on
    the bodies of a :class:`~hepml.data.PhaseSpace`, and on tensors without padding in a tuple, list
    or mapping. What of tensors is a particle has to be said: a permutation of components is another
    symmetry, and breaks or holds for other reasons.

    References
    ----------
    M. Zaheer et al., Deep Sets, NeurIPS 2017, arXiv:1703.06114.

    Examples
    --------
    >>> from hepml.symmetry import check
    >>> x = torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(0))
    >>> check(lambda x: x[:, :, 0] - x.mean(2), x, Permutation(axis=1)).verdict
    'broken'
    >>> check(lambda x: x.square().sum(2), x, Permutation(axis=2)).verdict
    'holds'
    """

    name: ClassVar[str] = "permutation"

    def element(
        self,
        inputs: Any,
        strength: float | None,  # noqa: ARG002
        generator: Generator,
    ) -> Int64[Tensor, " particles"]:
        """The old place of each particle; where there is no axis of them, among those of all."""
        index = set_index(inputs)
        if index is None:
            layout = self._layout(inputs)
            if layout.set_index is None:
                return torch.randperm(layout.sizes[1], generator=generator)
            index = layout.set_index
        return shuffled_within(index, generator)

    def act(self, element: Int64[Tensor, " particles"], inputs: Any) -> Any:
        """The inputs in the new order."""
        if isinstance(inputs, Ragged):
            offsets = getattr(inputs, inputs.levels[0].bounds)
            return inputs.with_items(element.to(inputs.device), offsets)
        if self.index is not None:
            size = len(element)
            return map_tensors(
                lambda t: t[element.to(t.device)] if t.dim() and len(t) == size else t, inputs
            )
        axes = self._axes(inputs)
        return map_by_place(
            lambda place, t: (
                t.index_select(axes[place], element.to(t.device)) if place in axes else t
            ),
            inputs,
        )

    def act_on_outputs(
        self, element: Int64[Tensor, " particles"], outputs: Inexact[Tensor, "rows *components"]
    ) -> Inexact[Tensor, "rows *components"]:
        """The outputs of particles in the new order; those of sets as they are."""
        if self.outputs == "sets":
            return outputs
        order = element.to(outputs.device)
        if self.axis is None:
            return _rows(outputs, order, self.name)
        axis = self.axis if isinstance(self.axis, int) and self.axis < outputs.dim() else 1
        return outputs.index_select(axis, order)


class Selection(NamedTuple):
    """Sets in the order chosen, and the particles that they bring along."""

    sets: Int64[Tensor, " chosen"]
    particles: Int64[Tensor, " rows"] | None


@dataclass(frozen=True, kw_only=True)
class BatchComposition(OfSets):
    """A set among others has the outputs of the set alone: ``f(x[chosen]) = f(x)[chosen]``.

    The strength is the number of sets in the new batch; 1 is a set alone.

    Parameters
    ----------
    outputs
        Whether an output belongs to a set or to a particle.
    axis
        Of tensors: the axis of the particles, as for :class:`Permutation`; needed where it cannot
        be told from an index of sets.
    index
        Of tensors in which the particles of all sets lie along the first axis: the entry of the
        mapping, or the place in the tuple, that holds the number of the set of each particle. The
        chosen sets are numbered anew.

    Notes
    -----
    It acts on a :class:`~hepml.data.ParticleSet` and every other batch, and on tensors in a tuple,
    list or mapping: without an index, on the first axis of all. Give a network that takes padded
    tensors a ParticleSet, through a function that pads it: padding to the longest set of the batch
    is what the network must not see.
    """

    name: ClassVar[str] = "batch composition"
    strengths: ClassVar[tuple[float | None, ...]] = (1.0, 2.0, 8.0)
    strength_name: ClassVar[str] = "sets in the batch"

    def element(self, inputs: Any, strength: float | None, generator: Generator) -> Selection:
        """A random choice of sets, each at most once, in random order."""
        index = set_index(inputs)
        if index is not None:
            sets = len(inputs)
        elif self.index is not None or self.axis is not None:
            layout = self._layout(inputs)
            index, (sets, _) = layout
        else:
            tensors = tensors_by_place(inputs)
            if any(is_index(t) for t in tensors.values()) and len(tensors) > 1:
                raise self._unknown(inputs, "whole numbers, which may be the sets of particles")
            sets = len(next(iter(tensors.values())))
        drawn = int(torch.randint(1, max(sets, 1) + 1, (), generator=generator))
        size = min(sets, drawn if strength is None else int(strength))
        chosen = torch.randperm(sets, generator=generator)[:size]
        if index is None:
            return Selection(chosen, None)
        # By the place of its set among the chosen, and then as before.
        place = torch.full((max(sets, 1),), sets).scatter(0, chosen, torch.arange(size))
        places = place[index]
        order = places.argsort(stable=True)
        return Selection(chosen, order[places[order] < sets])

    def act(self, element: Selection, inputs: Any) -> Any:
        """The batch of the chosen sets."""
        if isinstance(inputs, Ragged):
            return inputs[element.sets]
        rows = element.particles
        if rows is None:
            return map_tensors(lambda t: t[element.sets.to(t.device)], inputs)
        index = tensors_by_place(inputs)[self.index if self.index is not None else 0]
        sets = int(index.max()) + 1 if len(index) else 0
        renumbered = torch.zeros(sets, dtype=index.dtype).scatter(
            0, element.sets, torch.arange(len(element.sets), dtype=index.dtype)
        )

        def choose(place: str | int, tensor: Tensor) -> Tensor:
            if tensor.dim() and len(tensor) == len(index):
                chosen = tensor[rows.to(tensor.device)]
                return renumbered.to(index.device)[chosen] if place == self.index else chosen
            if tensor.dim() and len(tensor) == sets:
                return tensor[element.sets.to(tensor.device)]
            return tensor

        return map_by_place(choose, inputs)

    def act_on_outputs(
        self, element: Selection, outputs: Inexact[Tensor, "rows *components"]
    ) -> Inexact[Tensor, "chosen *components"]:
        """The outputs of the chosen sets, or of their particles."""
        rows = element.sets
        if self.outputs == "particles" and element.particles is not None:
            rows = element.particles
        return _rows(outputs, rows.to(outputs.device), self.name)

    def describe(self, element: Selection) -> str:
        """The numbers of the chosen sets."""
        return f"sets {element.sets.tolist()}"


def _rows(outputs: Tensor, rows: Int64[Tensor, " chosen"], name: str) -> Tensor:
    """These rows of the outputs, if there are so many."""
    if rows.numel() and int(rows.max()) >= outputs.shape[0]:
        raise InputError(
            f"outputs of the symmetry {name!r}",
            expected=f"a row of each set or particle, {int(rows.max()) + 1} or more",
            got=f"{outputs.shape[0]} rows",
            fix='say whether outputs belong to sets or to particles, as in outputs="particles"',
        )
    return outputs[rows]
