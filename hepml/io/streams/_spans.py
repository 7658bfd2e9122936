"""Which sets a stream delivers: ranges of entries, their order in an epoch, batches of a rank."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from hepml.errors import DataError
from hepml.io.chunks._chunk import count_passing
from hepml.io.chunks._set_values import SetValues, classes_of, finite_weights, set_values
from hepml.io.columns._columns import Columns
from hepml.io.formats._files import Location
from hepml.io.formats._identity import Identity
from hepml.io.streams._open_files import OpenFiles
from hepml.io.streams._picks import evenly
from hepml.io.streams._read import chunk_ranges

# A sample of a part of the sets is drawn from so many spans at least, if there are so many.
_DRAWN_FROM = 64


class Span(NamedTuple):
    """A range of entries of one file and how many of its sets, drawn evenly, are used."""

    file: int
    start: int
    stop: int
    sets: int


class Part(NamedTuple):
    """The sets from one place up to another of a span, in an order of the span's own.

    The pool is the number of those with which they are shuffled together.
    """

    span: int
    start: int
    stop: int
    pool: int = 0


def spans_of(
    locations: list[Location],
    columns: Columns,
    step: int,
    most: int,
    seen: dict[int, Identity] | None = None,
) -> tuple[list[Span], list[int | None]]:
    """The spans of all files, of about `step` entries and no more than about `most`.

    Also the label of each file, if it has one. What each file is goes into `seen`.
    """
    spans, labels = [], []
    files = OpenFiles(locations, columns, keep=0, seen=seen)
    for file in range(len(locations)):
        with files.use(file) as bound:
            labels.append(bound.file_label)
            for start, stop in chunk_ranges(bound, step, most):
                if sets := count_passing(bound, start, stop):
                    spans.append(Span(file, start, stop, sets))
    return spans, labels


def mean_weight(locations: list[Location], columns: Columns, spans: list[Span]) -> float:
    """The mean of the weights of all sets, without those that are not finite; 1 without weights.

    Raises
    ------
    DataError
        If it is not positive.
    """
    if columns.weights is None:
        return 1.0
    total, sets = 0.0, 0
    with OpenFiles(locations, columns, keep=1) as files:
        for span in spans:
            with files.use(span.file) as bound:
                weights = finite_weights(bound, span.start, span.stop, evenly(span.sets))
            total += float(weights.sum())
            sets += len(weights)
    if not total > 0:
        raise DataError(
            f"weights {columns.weights!r}",
            expected="a positive sum over all sets",
            got=f"{total:g} over {sets} sets with a finite weight",
            fix="weight the sets otherwise, or leave weights out of the columns",
        )
    return total / sets


def classes_among(
    locations: list[Location], columns: Columns, spans: list[Span], enough: int
) -> set[int]:
    """The classes that the sets have, or the first so many of them that are found."""
    found: set[int] = set()
    with OpenFiles(locations, columns, keep=1) as files:
        for span in spans:
            with files.use(span.file) as bound:
                found |= classes_of(bound, span.start, span.stop, evenly(span.sets))
            if len(found) >= enough:
                break
    return found


def values_of(locations: list[Location], columns: Columns, spans: list[Span]) -> SetValues:
    """Class, weight and observers of all sets, for which their columns are read."""
    found = []
    with OpenFiles(locations, columns, keep=1) as files:
        for span in spans:
            with files.use(span.file) as bound:
                found.append(set_values(bound, span.start, span.stop, evenly(span.sets)))
    return SetValues(*(np.concatenate(each) for each in zip(*found, strict=True)))


def drawn(spans: list[Span], sets: int) -> list[Span]:
    """So many sets, drawn evenly over the files and the places in each file.

    Of the spans as many are used as it takes, but no fewer than lie evenly over all files.
    """
    total = sum(span.sets for span in spans)
    if sets >= total:
        return spans
    files = len({span.file for span in spans})
    needed = max(math.ceil(len(spans) * sets / total), _DRAWN_FROM, min(files, 4 * _DRAWN_FROM))
    chosen = spans
    while needed < len(spans):
        # At equal distances, clusters of two classes that take turns would give one class.
        bounds = np.arange(needed + 1) * len(spans) // needed
        random = np.random.default_rng([len(spans), needed])
        chosen = [spans[i] for i in random.integers(bounds[:-1], bounds[1:])]
        total = sum(span.sets for span in chosen)
        if sets <= total:
            break
        # Spans have different numbers of sets: these are too small.
        chosen, needed = spans, needed + math.ceil(needed / 16)
    total = sum(span.sets for span in chosen)
    found, before = [], 0
    for span in chosen:
        first, last = (sets * place // total for place in (before, before + span.sets))
        before += span.sets
        if first < last:
            found.append(span._replace(sets=last - first))
    return found


def parts_in_order(spans: list[Span]) -> list[Part]:
    """Each span whole, in the order of the files."""
    return [Part(i, 0, span.sets) for i, span in enumerate(spans)]


def parts_dealt(
    spans: list[Span],
    labels: Sequence[int | None],
    parts: int,
    pools: int,
    random: np.random.Generator,
) -> list[Part]:
    """The spans, each in so many parts, dealt to pools that follow each other.

    Each pool is a fair sample: it has parts from all classes, where the files decide the class,
    from all files and from all places in each file, in proportion.
    """
    known = [-1 if label is None else label for label in (labels[span.file] for span in spans)]
    line = [
        Part(int(i), spans[i].sets * part // parts, spans[i].sets * (part + 1) // parts)
        for i in np.argsort(known, kind="stable")
        for part in range(parts)
    ]
    line = [part for part in line if part.start < part.stop]
    pool = dealt(len(line), pools, random)
    order = np.lexsort((random.random(len(line)), pool))
    return [line[i]._replace(pool=int(pool[i])) for i in order]


def dealt(size: int, pools: int, random: np.random.Generator) -> Any:
    """The pool of each of so many things, dealt like cards.

    Of every so many things that follow each other, as there are pools, each pool gets one.
    """
    rounds = -(-size // pools)
    return random.permuted(np.tile(np.arange(pools), (rounds, 1)), axis=1).reshape(-1)[:size]


def parts_between(parts: list[Part], first: int, last: int) -> Iterator[Part]:
    """What of the parts lies between two places in the epoch's order of all sets."""
    place = 0
    for part in parts:
        sets = part.stop - part.start
        start, stop = max(first - place, 0), min(last - place, sets)
        if start < stop:
            yield Part(part.span, part.start + start, part.start + stop, part.pool)
        place += sets


def pools_of(parts: Iterable[Part], first: int, last: int) -> list[list[Part]]:
    """The pools of a reader whose own have the numbers from one up to another.

    Shares are even to within a set, pools are not: what a share has of the pools of its neighbours
    goes to the next one of its own.
    """
    pools: dict[int, list[Part]] = {}
    for part in parts:
        pools.setdefault(min(max(part.pool, first), last - 1), []).append(part)
    return list(pools.values())


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
