"""The base of every batch: flat tensors and bounds, each field declared once."""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex, cast

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from hepml.data._declarations import Declaration, Level
from hepml.data._selection import chosen_range, chosen_set, chosen_sets
from hepml.ops import segment_index

if TYPE_CHECKING:
    from typing import Self
else:
    # The tests check signatures function by function, where Self means nothing.
    Self = Any

Values = dict[str, Tensor | None]


@dataclass(frozen=True, eq=False, repr=False)
class Ragged:
    """A batch of sets of any lengths, as flat tensors: no padding and no mask.

    A subclass is a dataclass of the same kind, whose fields are declared by :func:`per`,
    :func:`bounds_of` and :func:`places_of`. Length, indexing, moving, joining, loading and printing
    follow from the declarations; the constructor of the subclass checks, once.

    Attributes
    ----------
    of_sets
        The fields that have a value for each set.
    levels
        The kinds of items, each with its bounds and its fields.
    """

    _declared: ClassVar[Mapping[str, Declaration]] = {}
    _nothing: ClassVar[Mapping[str, None]] = {}
    _sets: ClassVar[str] = "sets"
    of_sets: ClassVar[tuple[str, ...]] = ()
    levels: ClassVar[tuple[Level, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = {n: f.metadata["declaration"] for n, f in vars(cls).items() if isinstance(f, Field)}
        cls._declared = {**cls._declared, **own}
        cls._nothing = dict.fromkeys(cls._declared)
        bounds = {d.axis: name for name, d in cls._declared.items() if d.bounds}
        values = {name: d for name, d in cls._declared.items() if not d.bounds}
        cls.of_sets = tuple(name for name, d in values.items() if d.axis not in bounds)
        cls._sets = next((d.sets for d in cls._declared.values() if d.sets), cls._sets)
        cls.levels = tuple(
            Level(
                axis,
                name,
                tuple(n for n, d in values.items() if d.axis == axis),
                tuple(
                    (n, bounds[d.places_of])
                    for n, d in values.items()
                    if d.axis == axis and d.places_of is not None
                ),
            )
            for axis, name in bounds.items()
        )

    @classmethod
    def _trusted(cls, **values: Tensor | None) -> Self:
        """A batch from tensors that came out of a checked one, without checking them again."""
        batch = cls.__new__(cls)
        batch._fill(**values)
        return batch

    def _fill(self, **values: Tensor | None) -> None:
        """Set fields of the frozen value; those that nobody names are None."""
        self.__dict__.update(self._nothing)
        self.__dict__.update(values)

    def _with(self, **values: Tensor | None) -> Self:
        """The same batch with other values of some fields, which nobody checks."""
        batch = self.__new__(type(self))
        batch.__dict__.update(self.__dict__)
        batch.__dict__.update(values)
        return batch

    def _values(self) -> Values:
        """Every field by its name."""
        return {name: getattr(self, name) for name in self._declared}

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the batch by the name of its field."""
        return {name: value for name, value in self._values().items() if value is not None}

    @property
    def _lead(self) -> Tensor:
        """The first field that is declared, which all batches of the kind have."""
        return cast(Tensor, getattr(self, next(iter(self._declared))))

    def __len__(self) -> int:
        return int(getattr(self, self.levels[0].bounds).shape[0]) - 1

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        present = {name: self._declared[name] for name in self.tensors()}
        parts = [f"{len(self)} {self._sets}"]
        parts += [f"{len(getattr(self, lv.fields[0]))} {lv.items}" for lv in self.levels]
        parts += [f"{getattr(self, n).shape[1]} {d.channels}" for n, d in present.items() if d[2]]
        optional = [n for n, d in present.items() if d.optional and not d.channels]
        parts += [f"with {', '.join(optional)}"] if optional else []
        parts += [str(self.dtype).removeprefix("torch."), str(self.device)]
        return f"{type(self).__name__}({', '.join(parts)})"

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self._lead.device

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of the batch."""
        return self._lead.dtype

    @property
    def counts(self) -> Int64[Tensor, " sets"]:
        """The number of items in each set."""
        return cast(Tensor, getattr(self, self.levels[0].bounds)).diff()

    @property
    def set_index(self) -> Int64[Tensor, " items"]:
        """The set that each item belongs to."""
        return segment_index(getattr(self, self.levels[0].bounds), self._lead.shape[0])

    def __getitem__(
        self,
        index: SupportsIndex | slice | Sequence[int] | Shaped[np.ndarray, " chosen"] | Tensor,
    ) -> Self:
        """Choose sets: one, a slice, a list or tensor of numbers, or a mask, in the order given.

        A slice of step one shares the memory of the items; everything else copies.
        """
        number = isinstance(index, int | np.integer) and not isinstance(index, bool)
        if number or (isinstance(index, Tensor) and index.dim() == 0 and _is_integer(index)):
            # RangeError is an IndexError: iteration and DataLoader samplers rely on it.
            start = chosen_set(operator.index(cast(SupportsIndex, index)), len(self))
            return self._slice(start, start + 1)
        if isinstance(index, slice):
            chosen = chosen_range(index, len(self))
            if chosen.step == 1:
                return self._slice(chosen.start, max(chosen.start, chosen.stop))
            index = np.array(chosen, np.int64)
        return self._take(chosen_sets(index, len(self), self.device))

    def __getitems__(self, indices: Sequence[int]) -> Self:
        """The hook through which ``DataLoader`` asks for a whole batch at once."""
        return self[list(indices)]

    def _slice(self, start: int, stop: int) -> Self:
        """The sets from start up to stop, sharing the items' memory."""
        values: Values = {
            name: _map(getattr(self, name), slice(start, stop)) for name in self.of_sets
        }
        first_of: dict[str, int] = {}
        for level in self.levels:
            bounds = getattr(self, level.bounds)[start : stop + 1]
            first, last = int(bounds[0]), int(bounds[-1])
            first_of[level.bounds] = first
            values[level.bounds] = bounds - first
            for name in level.fields:
                values[name] = _map(getattr(self, name), slice(first, last))
        for level in self.levels:
            for name, items in level.places:
                values[name] = cast(Tensor, values[name]) - first_of[items]
        return self._trusted(**values)

    def _take(self, index: Tensor) -> Self:
        """The sets of the given numbers from 0."""
        values: Values = {name: _map(getattr(self, name), index) for name in self.of_sets}
        shifts: dict[str, Tensor] = {}
        for level in self.levels:
            bounds = getattr(self, level.bounds)
            counts = bounds.diff()[index]
            new = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
            size = int(new[-1])
            shift = bounds[:-1][index] - new[:-1]
            rows = torch.repeat_interleave(shift, counts, output_size=size)
            rows = torch.arange(size, device=self.device) + rows
            values[level.bounds], shifts[level.bounds] = new, shift
            for name in level.fields:
                values[name] = _map(getattr(self, name), rows)
        for level in self.levels:
            for name, items in level.places:
                places, bounds = cast(Tensor, values[name]), cast(Tensor, values[level.bounds])
                moved = torch.repeat_interleave(
                    shifts[items], bounds.diff(), output_size=places.shape[0]
                )
                values[name] = places - moved
        return self._trusted(**values)

    def with_items(self, rows: Int64[Tensor, " items"], offsets: Int64[Tensor, " bounds"]) -> Self:
        """The same sets of other items: of these rows of the present ones, within these bounds.

        Nothing is checked: what each row means is known where they are made.
        """
        (level,) = self.levels
        values: Values = {name: _map(getattr(self, name), rows) for name in level.fields}
        return self._with(**values, **{level.bounds: offsets})

    def to(
        self,
        device: torch.device | torch.dtype | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        non_blocking: bool = False,
    ) -> Self:
        """Move to a device, change the floating-point type; bounds and labels stay integers."""
        if isinstance(device, torch.dtype):
            device, dtype = None, device

        def move(tensor: Tensor) -> Tensor:
            new_dtype = dtype if tensor.is_floating_point() else None
            return tensor.to(device=device, dtype=new_dtype, non_blocking=non_blocking)

        return self._apply(move)

    def pin_memory(self) -> Self:
        """Copy to page-locked memory, from which a GPU reads asynchronously."""
        return self._apply(torch.Tensor.pin_memory)

    def detach(self) -> Self:
        """The same batch outside the graph of gradients."""
        return self._apply(torch.Tensor.detach)

    def _apply(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The function of every tensor."""
        return self._trusted(
            **{n: None if v is None else function(v) for n, v in self._values().items()}
        )


def joined(batches: Sequence[Ragged]) -> Ragged:
    """Batches of one kind, one after another; that they fit is known."""
    first = batches[0]

    def join(name: str) -> Tensor | None:
        values = [getattr(batch, name) for batch in batches]
        return None if values[0] is None else torch.cat(values)

    values: Values = {name: join(name) for name in first.of_sets}
    starts: dict[str, list[int]] = {}
    for level in first.levels:
        values |= {name: join(name) for name in level.fields}
        sizes = [getattr(batch, level.fields[0]).shape[0] for batch in batches]
        starts[level.bounds] = [*accumulate(sizes[:-1], initial=0)]
        parts = [getattr(batch, level.bounds) for batch in batches]
        moved = [b[1:] + s for b, s in zip(parts, starts[level.bounds], strict=True)]
        values[level.bounds] = torch.cat([parts[0][:1], *moved])
    for level in first.levels:
        for name, items in level.places:
            moved = [getattr(b, name) + s for b, s in zip(batches, starts[items], strict=True)]
            values[name] = torch.cat(moved)
    return first._trusted(**values)


def _is_integer(index: Tensor) -> bool:
    """Whether a tensor holds whole numbers."""
    return not (index.is_floating_point() or index.is_complex() or index.dtype == torch.bool)


def _map(tensor: Tensor | None, index: Any) -> Tensor | None:
    """The chosen rows of a tensor, or None of None."""
    return None if tensor is None else tensor[index]
