"""Files to batches: everything at once, or chunk by chunk."""

import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from hepml.data import ParticleSet, concatenate
from hepml.errors import DataError, InputError
from hepml.io.chunks._binding import Bound, bind
from hepml.io.chunks._chunk import Bad, Chunk, count_passing, read_chunk
from hepml.io.columns._columns import Columns
from hepml.io.columns._presets import PRESETS
from hepml.io.columns._recognise import recognise
from hepml.io.formats._files import Files, Location, locate
from hepml.io.formats._open import open_table
from hepml.io.streams._open_files import OpenFiles
from hepml.io.streams._picks import Pick, first_of
from hepml.io.streams._prefetch import ahead

STEP = 8192


def read(
    files: Files,
    columns: Columns | str | None = None,
    *,
    entry_start: int = 0,
    entry_stop: int | None = None,
    max_sets: int | None = None,
    bad: Bad = "error",
) -> ParticleSet | Any:
    """Read all sets of some files into memory.

    Parameters
    ----------
    files
        Names, patterns such as ``data/*.root``, or a list of these; ``file.root:tree`` chooses a
        tree or RNTuple.
    columns
        Which columns hold what, or the name of a preset; None recognises the layout of the first
        file.
    entry_start, entry_stop
        Read the entries from one number up to another; those of several files are counted through
        from the first to the last, as in a chain.
    max_sets
        Read the first sets only, at most so many that pass the cut; bad ones among them count.
    bad
        What to do with a set that cannot be used (NaN or infinite momenta, negative energies,
        columns of different lengths, a label outside the classes): "error" raises, "drop" leaves
        it out and warns at the end how many went and why.

    Returns
    -------
    :
        A :class:`~hepml.data.ParticleSet`, or a :class:`~hepml.data.Graph` where the columns have
        edges.

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
    batches: list[ParticleSet] = []
    dropped: Counter[str] = Counter()
    names = [str(location) for location in locations]
    entries: dict[str, Any] = {"entry_start": entry_start, "entry_stop": entry_stop}
    for chunk in iterate(names, columns, bad=bad, max_sets=max_sets, **entries):
        batches.append(chunk.particles)
        dropped.update(chunk.dropped)
    warn_of_dropped(dropped)
    return concatenate(batches)


def iterate(
    files: Files,
    columns: Columns | str | None = None,
    *,
    step: int = STEP,
    entry_start: int = 0,
    entry_stop: int | None = None,
    max_sets: int | None = None,
    bad: Bad = "error",
    with_labels: bool = True,
) -> Generator[Chunk, None, None]:
    """Read files chunk by chunk, in order, with constant memory.

    Parameters
    ----------
    files, columns, entry_start, entry_stop, max_sets, bad
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
    check_options(step, bad, max_sets)
    entries = _Entries(entry_start, entry_stop)
    entries.check()
    with (
        OpenFiles(locations, columns, keep=1) as opened,
        closing(ahead(_tasks(opened, entries, step, bad, max_sets))) as chunks,
    ):
        yield from chunks


def count_entries(
    files: Files, columns: Columns | str | None = None, *, with_labels: bool = True
) -> list[int]:
    """The number of entries of each file, after a look whether all of them have the columns.

    Parameters
    ----------
    files, columns
        As in :func:`read`.
    with_labels
        As in :func:`iterate`.

    Raises
    ------
    FileError, ColumnError, InputError
        As in :func:`read`, for the first file that cannot be read.
    DataError
        If no file has entries; single files without any are no error here.
    """
    locations = locate(files)
    columns = resolve(columns, locations[0])
    if not with_labels:
        columns = columns.without_labels()
    counts = []
    for location in locations:
        with open_table(location, columns.tree) as table:
            bind(columns, table)
            counts.append(table.entries)
    if not any(counts):
        raise DataError(
            ", ".join(map(str, locations[:3])) + (", ..." if len(locations) > 3 else ""),
            expected="entries",
            got="none in any file",
            fix="name files with entries",
        )
    return counts


class _Entries(NamedTuple):
    """A range of the entries of all files, counted through."""

    start: int
    stop: int | None

    def check(self) -> None:
        """Refuse numbers that are those of no entries."""
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise InputError(
                "entry_start, entry_stop",
                expected="0 <= entry_start < entry_stop",
                got=f"{self.start}, {self.stop}",
                fix="leave one out to begin with the first entry, or to end with the last",
            )

    def inside(self, before: int, start: int, stop: int) -> tuple[int, int]:
        """What of a range of entries of a file, which has so many before it, is asked for."""
        last = stop if self.stop is None else min(stop, self.stop - before)
        return max(start, self.start - before), last


def _tasks(
    files: OpenFiles, entries: _Entries, step: int, bad: Bad, max_sets: int | None
) -> Iterator[Callable[[], Chunk]]:
    """One call for each chunk of all files."""
    left, before = max_sets, 0
    for file in range(len(files.locations)):
        with files.use(file) as bound:
            for whole in chunk_ranges(bound, step):
                start, stop = entries.inside(before, *whole)
                if start >= stop:
                    continue
                pick = None if left is None else first_of(left)
                if left is not None:
                    left -= min(count_passing(bound, start, stop), left)
                yield partial(_read, files, file, start, stop, bad, pick)
                if left == 0:
                    return
            before += bound.table.entries
        if entries.stop is not None and before >= entries.stop:
            return
    if before <= entries.start:
        raise InputError(
            "entry_start",
            expected=f"a number below {before}, that of the entries of all files",
            got=str(entries.start),
            fix="begin with an earlier entry",
        )


def _read(files: OpenFiles, file: int, start: int, stop: int, bad: Bad, pick: Pick | None) -> Chunk:
    """One chunk."""
    with files.use(file) as bound:
        chunk, _ = read_chunk(bound, start, stop, bad, pick)
    return chunk


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


def check_options(step: int, bad: str, max_sets: int | None = None) -> None:
    """Refuse values that no reader takes."""
    if max_sets is not None and max_sets < 1:
        raise InputError(
            "max_sets", expected="one or more", got=str(max_sets), fix="leave it out for all sets"
        )
    if step < 1:
        raise InputError("step", expected="one entry or more", got=str(step), fix="try 10000")
    if bad not in ("error", "drop"):
        raise InputError("bad", expected="'error' or 'drop'", got=repr(bad), fix="choose one")


def chunk_ranges(bound: Bound, step: int, most: int | None = None) -> Iterator[tuple[int, int]]:
    """Ranges of about `step` entries that begin where the file's own clusters begin.

    Clusters longer than `most`, by default `step`, are divided.
    """
    most = step if most is None else most
    start = 0
    bounds = sorted({*bound.table.bounds(bound.names), bound.table.entries})
    for previous, end in pairwise(bounds):
        if previous > start and end - start > step:
            yield from _split(start, previous, most)
            start = previous
    yield from _split(start, bound.table.entries, most)


def _split(start: int, stop: int, step: int) -> Iterator[tuple[int, int]]:
    """A range in equal parts, if it is longer than twice the step."""
    parts = max(1, (stop - start) // step)
    return pairwise(start + (stop - start) * i // parts for i in range(parts + 1))


def warn_of_dropped(dropped: Mapping[str, int]) -> None:
    """One line that says how many sets were dropped and why."""
    if dropped:
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        total = sum(dropped.values())
        warnings.warn(f"dropped {total} bad sets: {reasons}", UserWarning, stacklevel=3)
