"""How the sets of a stream are shuffled together within a limit of memory."""

import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from hepml.data import Ragged, concatenate
from hepml.io.chunks._chunk import Chunk, read_chunk
from hepml.io.columns._columns import Columns
from hepml.io.formats._files import Location
from hepml.io.streams._open_files import OpenFiles
from hepml.io.streams._shuffle import Pool
from hepml.io.streams._spans import Part

# What is shuffled together comes from about so many parts of spans or more. With fewer the shares
# of ten classes would differ from pool to pool by more than from batch to batch by chance.
_PARTS = 32

# Spans are made so small that a pool holds as many, if the clusters of the files are as small.
SPANS = 64

# Chunks are joined until a pool consists of about so many: batches are gathered out of each.
_SHARES = 16

# Sets take less memory than so many times their files: those of data/ five times as much.
_EXPANSION = 20

# How many files are looked at, and how many entries of each, to learn the size of a set.
_PROBES, _PROBED = 4, 256

# The place of each set in memory that a pool keeps beside it, and that of each item.
_PER_SET, _PER_ITEM = 8 * (_SHARES + 2), 8


class Mixing(NamedTuple):
    """The number of pools of each reader, and of parts of each span.

    A reader reads as much as fits into memory, the pool, and delivers it in random order while it
    reads the next. A span of which several pools get a part is read for each of them.
    """

    pools: int
    parts: int


def mixing(sets: int, spans: int, readers: int, room: int | None) -> Mixing:
    """How so many sets are mixed by readers that have room for so many at a time, None for all."""
    share = math.ceil(sets / readers)
    # With several pools there are two at a time: one that is delivered, one that is read.
    pools = 1 if room is None or share <= room else math.ceil(2 * share / max(room, 1))
    if 4 * spans <= 5 * _PARTS:
        # A pool reads all or most of so few spans anyway, and may as well get its share of each.
        return Mixing(pools, readers * pools)
    return Mixing(pools, max(1, round(_PARTS * readers * pools / spans)))


def room_for(locations: list[Location], columns: Columns, memory: float) -> int | None:
    """How many sets of the files go into so many bytes; None for all of them."""
    paths = [location.path for location in locations]
    if all(map(os.path.isfile, paths)) and sum(map(os.path.getsize, paths)) * _EXPANSION <= memory:
        return None
    return int(memory / _bytes_per_set(locations, columns))


def _bytes_per_set(locations: list[Location], columns: Columns) -> float:
    """The memory that a set takes in a pool, from a look into a few places of the files."""
    taken = sets = 0
    # At these few places there may be no set that passes the cut.
    with OpenFiles(locations, columns.replace(cut=None), keep=1) as opened:
        for i in range(_PROBES):
            with opened.use(i * len(locations) // _PROBES) as bound:
                start = bound.table.entries * (2 * i + 1) // (2 * _PROBES)
                stop = min(start + _PROBED, bound.table.entries)
                chunk, _ = read_chunk(bound, start, stop, "drop")
            taken += _size(chunk.particles)
            sets += len(chunk.particles)
    return max(taken, 1) / max(sets, 1)


def _size(sets: Ragged) -> int:
    """The memory of some sets and of their places in a pool."""
    return (
        sum(t.numel() * t.element_size() for t in sets.tensors().values())
        + len(sets) * _PER_SET
        + sum(int(getattr(sets, level.bounds)[-1]) for level in sets.levels) * _PER_ITEM
    )


class Slab(NamedTuple):
    """The sets of some parts: at each place the row of a set, or -1 if it was dropped as bad."""

    sets: Ragged
    rows: Any
    dropped: Counter[str]


# Reads a span: its chunk, and where in it each of the span's sets is, or -1 - the reason's number.
Read = Callable[[int], tuple[Chunk, Any]]


def slabs_of(parts: Sequence[Part]) -> list[list[list[Part]]]:
    """The parts of a pool by span, in the order of the files, in as many lists as are joined."""
    by_span: dict[int, list[Part]] = {}
    for part in sorted(parts):
        by_span.setdefault(part.span, []).append(part)
    size = math.ceil(len(by_span) / _SHARES)
    spans = list(by_span.values())
    return [spans[i : i + size] for i in range(0, len(spans), size)]


def read_slab(read: Read, order: Callable[[int, int], Any], spans: list[list[Part]]) -> Slab:
    """Read the parts of some spans; `order` gives each span's own order of its sets."""
    held, places, dropped, sets = [], [], Counter[str](), 0
    for parts in spans:
        chunk, row_of = read(parts[0].span)
        own = order(parts[0].span, len(row_of))
        rows = row_of[np.concatenate([own[part.start : part.stop] for part in parts])]
        for number, reason in enumerate(chunk.bad):
            dropped[reason] += int(np.sum(rows == -1 - number))
        good = rows >= 0
        particles = chunk.particles
        if good.sum() < len(particles):
            # The others belong to other pools: they are not to be held here as well.
            particles = particles[torch.from_numpy(rows[good])]
            rows = np.where(good, np.cumsum(good) - 1, -1)
        held.append(particles)
        places.append(np.where(good, rows + sets, -1))
        sets += len(particles)
    return Slab(concatenate(held), np.concatenate(places), +dropped)


def pool_of(slabs: Sequence[Slab], random: np.random.Generator) -> tuple[Pool[Ragged], int]:
    """The sets of the slabs in random order, and the number of their places."""
    rows, sets = [], 0
    for slab in slabs:
        rows.append(np.where(slab.rows < 0, -1, slab.rows + sets))
        sets += len(slab.sets)
    order = random.permutation(np.concatenate(rows))
    return Pool([slab.sets for slab in slabs], order), len(order)
