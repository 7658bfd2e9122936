"""Files to batches: everything at once, or chunk by chunk."""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

from hepml.data import ParticleSet, concatenate
from hepml.errors import DataError, InputError
from hepml.io._ahead import ahead
from hepml.io._binding import Bound, bind
from hepml.io._chunks import Bad, Chunk, read_chunk
from hepml.io._columns import Columns
from hepml.io._files import Files, Location, locate
from hepml.io._open import open_table
from hepml.io._presets import PRESETS
from hepml.io._recognise import recognise

STEP = 8192


def read(
    files: Files,
    columns: Columns | str | None = None,
    *,
    max_sets: int | None = None,
    bad: Bad = "error",
) -> ParticleSet:
    """Read all sets of some files into memory.

    Parameters
    ----------
    files
        Names, patterns such as ``data/*.root``, or a list of these; ``file.root:tree`` chooses a
        tree or RNTuple.
    columns
        Which columns hold what, or the name of a preset; None recognises the layout of the first
        file.
    max_sets
        Read at most so many sets.
    bad
        What to do with a set that cannot be used (NaN or infinite momenta, negative energies,
        columns of different lengths, a label outside the classes): "error" raises, "drop" leaves
        it out and warns at the end how many went and why.

    Raises
    ------
    FileError
        If a file is missing, remote without support, truncated or of another format.
    ColumnError
        If a tree or column does not exist.
    DataError
        If a tree has no entries, or a set is bad.
    InputError
        If the layout is not recognised.
    """
    locations = locate(files)
    columns = resolve(columns, locations[0])
    if max_sets is not None and max_sets < 1:
        raise InputError(
            "max_sets", expected="one or more", got=str(max_sets), fix="leave it out to read all"
        )
    batches: list[ParticleSet] = []
    found = 0
    dropped: dict[str, int] = {}
    for chunk in iterate([str(location) for location in locations], columns, bad=bad):
        batches.append(chunk.particles)
        found += len(chunk.particles)
        for reason, count in chunk.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
        if max_sets is not None and found >= max_sets:
            break
    warn_of_dropped(dropped)
    particles = concatenate(batches)
    return particles if max_sets is None else particles[:max_sets]


def iterate(
    files: Files,
    columns: Columns | str | None = None,
    *,
    step: int = STEP,
    bad: Bad = "error",
    with_labels: bool = True,
) -> Iterator[Chunk]:
    """Read files chunk by chunk, in order, with constant memory.

    Parameters
    ----------
    files, columns, bad
        As in :func:`read`.
    step
        About how many entries to read at once; chunks end where the file's own clusters do, so
        that nothing is decoded twice.
    with_labels
        Whether to read labels and weights; data to be tagged may have none.

    Raises
    ------
    FileError, ColumnError, DataError, InputError
        As in :func:`read`.
    """
    locations = locate(files)
    columns = resolve(columns, locations[0])
    if not with_labels:
        columns = columns.without_labels()
    check_options(step, bad)
    for chunk, _ in ahead(_tasks(locations, columns, step, bad)):
        yield chunk


def _tasks(
    locations: list[Location], columns: Columns, step: int, bad: Bad
) -> Iterator[Callable[[], tuple[Chunk, Any]]]:
    """One call for each chunk of all files."""
    for location in locations:
        bound = open_bound(location, columns)
        for start, stop in chunk_ranges(bound, step):
            yield partial(read_chunk, bound, start, stop, bad)


def resolve(columns: Columns | str | None, location: Location) -> Columns:
    """Columns from themselves, from the name of a preset, or from what a file looks like."""
    if isinstance(columns, Columns):
        return columns
    if columns is None:
        layout = recognise(str(location))
        if layout is not None:
            return layout.columns
        got = "none of these"
    elif columns in PRESETS:
        return PRESETS[columns]
    else:
        got = repr(columns)
    raise InputError(
        f"columns of {location}",
        expected=f"a layout that is known: {', '.join(PRESETS)}",
        got=got,
        fix="say which branches hold what with Columns(...); `hepml inspect` lists the branches",
    )


def check_options(step: int, bad: str) -> None:
    """Refuse values that no reader takes."""
    if step < 1:
        raise InputError("step", expected="one entry or more", got=str(step), fix="try 10000")
    if bad not in ("error", "drop"):
        raise InputError("bad", expected="'error' or 'drop'", got=repr(bad), fix="choose one")


def open_bound(location: Location, columns: Columns) -> Bound:
    """Open a file and look up the columns in it."""
    table = open_table(location, columns.tree)
    if table.entries == 0:
        raise DataError(
            table.source, expected="entries", got="none", fix="leave this file out of the list"
        )
    return bind(columns, table)


def chunk_ranges(bound: Bound, step: int) -> list[tuple[int, int]]:
    """Ranges of about `step` entries that begin where the file's own clusters begin."""
    ranges = []
    start = 0
    bounds = sorted({*bound.table.bounds(), bound.table.entries})
    for previous, end in pairwise(bounds):
        if previous > start and end - start > step:
            ranges += _split(start, previous, step)
            start = previous
    return ranges + _split(start, bound.table.entries, step)


def _split(start: int, stop: int, step: int) -> list[tuple[int, int]]:
    """A range in equal parts, if it is longer than twice the step."""
    parts = max(1, (stop - start) // step)
    edges = [start + (stop - start) * i // parts for i in range(parts + 1)]
    return list(pairwise(edges))


def warn_of_dropped(dropped: dict[str, int]) -> None:
    """One line that says how many sets were dropped and why."""
    if dropped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        total = sum(dropped.values())
        warnings.warn(f"dropped {total} bad sets: {reasons}", UserWarning, stacklevel=3)
