"""A few chunks held together, and their sets delivered in another order."""

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from hepml.data import Ragged

Batch = TypeVar("Batch", bound=Ragged)


class _Rows(NamedTuple):
    """The items of one kind in the order of delivery: their bounds, and their rows in the chunk."""

    bounds: Any
    rows: Any


class _Share(NamedTuple):
    """What one chunk contributes."""

    chunk: Any
    before: Any
    """For each place of the order, how many of the places before it are of this chunk."""
    sets: Any
    """The sets of the chunk in the order of delivery."""
    items: dict[str, _Rows]
    """The items of each kind, by the field with their bounds."""


class Pool(Generic[Batch]):
    """The sets of some chunks in an order of delivery.

    Parameters
    ----------
    chunks
        The chunks; their sets are numbered through.
    order
        The number of the set at each place; -1 leaves the place empty.

    Notes
    -----
    Batches are gathered one by one and straight out of the chunks: a batch stays in the cache, a
    copy of the whole pool would not.
    """

    def __init__(self, chunks: Sequence[Batch], order: Any) -> None:
        self._shares = []
        first = 0
        for chunk in chunks:
            inside = (order >= first) & (order < first + len(chunk))
            sets = order[inside] - first
            first += len(chunk)
            items = {
                level.bounds: _rows(getattr(chunk, level.bounds).numpy(), sets)
                for level in chunk.levels
            }
            self._shares.append(_Share(chunk, _bounds(inside), sets, items))

    def take(self, start: int, stop: int) -> Batch:
        """The sets at the places from start up to stop, those of each chunk together."""
        ranges = [slice(share.before[start], share.before[stop]) for share in self._shares]
        kind: Batch = self._shares[0].chunk
        sets = [share.sets[r] for share, r in zip(self._shares, ranges, strict=True)]
        values = {name: self._gather(name, sets) for name in kind.of_sets}
        bounds: dict[str, Any] = {}
        for level in kind.levels:
            rows, counts = [], []
            for share, chosen in zip(self._shares, ranges, strict=True):
                items = share.items[level.bounds]
                own = items.bounds[chosen.start : chosen.stop + 1]
                rows.append(items.rows[own[0] : own[-1]])
                counts.append(np.diff(own))
            bounds[level.bounds] = _bounds(np.concatenate(counts))
            values[level.bounds] = torch.from_numpy(bounds[level.bounds])
            values |= {name: self._gather(name, rows) for name in level.fields}
        for level in kind.levels:
            for name, items_of in level.places:
                # From places in the chunks to places in the batch.
                pairs = zip(self._shares, sets, strict=True)
                first = np.concatenate([getattr(s.chunk, items_of).numpy()[n] for s, n in pairs])
                shift = np.repeat(first - bounds[items_of][:-1], np.diff(bounds[level.bounds]))
                values[name] = cast(Tensor, values[name]) - torch.from_numpy(shift)
        return kind._trusted(**values)

    def _gather(self, name: str, rows: Sequence[Any]) -> Tensor | None:
        """A field of the chosen rows of each chunk."""
        tensors = [getattr(share.chunk, name) for share in self._shares]
        if tensors[0] is None:
            return None
        table: Tensor = tensors[0].new_empty((sum(map(len, rows)), *tensors[0].shape[1:]))
        end = 0
        for tensor, places in zip(tensors, rows, strict=True):
            start, end = end, end + len(places)
            # numpy's take moves whole rows, several times faster than indexing a tensor; without
            # "clip" it would fill a buffer first.
            tensor.numpy().take(places, axis=0, out=table.numpy()[start:end], mode="clip")
        return table


def between(chunk: Batch, rows: Any, start: int, stop: int) -> Batch:
    """The sets of a chunk at some places of its own order, those below 0 being empty.

    Without a copy, where they follow each other.
    """
    rows = rows[start:stop]
    rows = rows[rows >= 0]
    if not len(rows):
        return chunk[:0]
    first, last = int(rows[0]), int(rows[-1])
    return chunk[first : last + 1] if last - first < len(rows) else chunk[torch.from_numpy(rows)]


def _rows(offsets: Any, sets: Any) -> _Rows:
    """The items of some sets, one set after another."""
    counts = offsets[sets + 1] - offsets[sets]
    bounds = _bounds(counts)
    return _Rows(bounds, np.repeat(offsets[sets] - bounds[:-1], counts) + np.arange(bounds[-1]))


def _bounds(counts: Any) -> Any:
    """The running sum, from 0."""
    bounds = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=bounds[1:])
    return bounds
