"""A few chunks held together, and their sets delivered in another order."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from hepml.data import ParticleSet


class _Share(NamedTuple):
    """What one chunk contributes."""

    chunk: ParticleSet
    before: Any
    """For each place of the order, how many of the places before it are of this chunk."""
    sets: Any
    """The sets of the chunk in the order of delivery."""
    bounds: Any
    """The bounds of their particles in that order."""
    particles: Any
    """The rows of their particles in that order."""


class Pool:
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

    def __init__(self, chunks: Sequence[ParticleSet], order: Any) -> None:
        self._shares = []
        first = 0
        for chunk in chunks:
            inside = (order >= first) & (order < first + len(chunk))
            sets = order[inside] - first
            first += len(chunk)
            offsets = chunk.offsets.numpy()
            counts = offsets[sets + 1] - offsets[sets]
            bounds = _bounds(counts)
            particles = np.repeat(offsets[sets] - bounds[:-1], counts) + np.arange(bounds[-1])
            self._shares.append(_Share(chunk, _bounds(inside), sets, bounds, particles))

    def take(self, start: int, stop: int) -> ParticleSet:
        """The sets at the places from start up to stop, those of each chunk together."""
        chunks, sets, particles, counts = [], [], [], []
        for share in self._shares:
            a, b = share.before[start], share.before[stop]
            bounds = share.bounds[a : b + 1]
            chunks.append(share.chunk)
            sets.append(share.sets[a:b])
            particles.append(share.particles[bounds[0] : bounds[-1]])
            counts.append(np.diff(bounds))

        def gather(name: str, rows: Sequence[Any]) -> Tensor | None:
            tensors = [getattr(chunk, name) for chunk in chunks]
            if tensors[0] is None:
                return None
            table = tensors[0].new_empty((sum(map(len, rows)), *tensors[0].shape[1:]))
            end = 0
            for tensor, places in zip(tensors, rows, strict=True):
                start, end = end, end + len(places)
                # numpy's take moves whole rows, several times faster than indexing a tensor;
                # without "clip" it would fill a buffer first.
                tensor.numpy().take(places, axis=0, out=table.numpy()[start:end], mode="clip")
            return cast(Tensor, table)

        return ParticleSet._trusted(
            gather("p4", particles),
            torch.from_numpy(_bounds(np.concatenate(counts))),
            gather("features", particles),
            *(gather(name, sets) for name in ("context", "labels", "weights")),
        )


def between(chunk: ParticleSet, rows: Any, start: int, stop: int) -> ParticleSet:
    """The sets of a chunk at some places of its own order, -1 being empty, without a copy."""
    rows = rows[start:stop]
    rows = rows[rows >= 0]
    return chunk[int(rows[0]) : int(rows[-1]) + 1] if len(rows) else chunk[:0]


def _bounds(counts: Any) -> Any:
    """The running sum, from 0."""
    bounds = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=bounds[1:])
    return bounds
