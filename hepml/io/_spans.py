"""Who delivers which sets: chunks in the order of an epoch, cut into shares and batches."""

import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from hepml.io._chunks import count_passing
from hepml.io._columns import Columns
from hepml.io._files import Location
from hepml.io._open_files import OpenFiles
from hepml.io._read import chunk_ranges


class Span(NamedTuple):
    """A range of entries of one file and how many of its sets, from the first, are used."""

    file: int
    start: int
    stop: int
    sets: int


def spans_of(
    locations: list[Location], columns: Columns, step: int, max_sets: int | None
) -> tuple[list[Span], list[int | None]]:
    """The chunks of all files up to a number of sets, and the label of each file if it has one."""
    spans, labels = [], []
    left = sys.maxsize if max_sets is None else max_sets
    files = OpenFiles(locations, columns, keep=0)
    for file in range(len(locations)):
        with files.use(file) as bound:
            labels.append(bound.file_label)
            for start, stop in chunk_ranges(bound, step):
                sets = min(count_passing(bound, start, stop), left)
                left -= sets
                if sets:
                    spans.append(Span(file, start, stop, sets))
                if not left:
                    return spans, labels
    return spans, labels


def shuffled(labels: Sequence[int | None], random: np.random.Generator) -> Any:
    """Chunks in random order, those of each label spread evenly.

    Where files hold one class each, a few chunks at random would often be of one class only.
    """
    place = np.empty(len(labels))
    for label in dict.fromkeys(labels):
        same = [number for number, each in enumerate(labels) if each == label]
        place[same] = (random.permutation(len(same)) + random.random(len(same))) / len(same)
    return np.argsort(place)


def pieces_between(
    spans: list[Span], order: Any, first: int, last: int
) -> Iterator[tuple[int, int, int]]:
    """The parts of spans that lie between two places in the epoch's order of all sets."""
    place = 0
    for number in order:
        sets = spans[number].sets
        start, stop = max(first - place, 0), min(last - place, sets)
        if start < stop:
            yield int(number), start, stop
        place += sets


def batch_bounds(sets: int, size: int, rank: int, ranks: int, *, drop_last: bool) -> list[int]:
    """The bounds of the batches of one rank in an order of all sets.

    Each rank has a range of the sets, even to within one, and all have equally many batches.
    """
    first, last = (sets * r // ranks for r in (rank, rank + 1))
    if drop_last or size == 1:
        return [first + i * size for i in range(sets // ranks // size + 1)]
    batches = math.ceil(math.ceil(sets / ranks) / size)
    bounds = [min(first + i * size, last) for i in range(batches + 1)]
    if batches > 1 and bounds[-2] == bounds[-1]:
        # One set fewer than the others: the last batch takes one from the batch before it.
        bounds[-2] -= 1
    return bounds
