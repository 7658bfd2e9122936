"""Files that several threads read: opened once, closed as soon as nobody needs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from hepml.errors import DataError
from hepml.io.chunks._binding import Bound, bind
from hepml.io.columns._columns import Columns
from hepml.io.formats._files import Location
from hepml.io.formats._identity import Identity, check_unchanged
from hepml.io.formats._open import open_table


def open_bound(location: Location, columns: Columns) -> Bound:
    """Open a file and look up the columns in it.

    Raises
    ------
    DataError
        If its tree has no entries.
    FileError, ColumnError, InputError
        If it cannot be opened, or lacks columns.
    """
    table = open_table(location, columns.tree)
    try:
        if table.entries == 0:
            raise DataError(
                table.source, expected="entries", got="none", fix="leave this file out of the list"
            )
        return bind(columns, table)
    except BaseException:
        table.close()
        raise


@dataclass
class _Open:
    """An open file, and how many are reading it at the moment."""

    bound: Bound
    users: int = 0


class OpenFiles:
    """Some files with columns, a few of them open at a time.

    Parameters
    ----------
    locations
        The files.
    columns
        What is read from them.
    keep
        How many files stay open though nobody reads them.
    seen
        The files by number as they were when they were first opened, to which new ones are added:
        a file that was replaced since is an error.
    """

    def __init__(
        self,
        locations: list[Location],
        columns: Columns,
        *,
        keep: int,
        seen: dict[int, Identity] | None = None,
    ) -> None:
        self.locations, self._columns, self._keep = locations, columns, keep
        self._seen = {} if seen is None else seen
        self._open: dict[int, _Open] = {}
        self._lock = Lock()

    @contextmanager
    def use(self, file: int) -> Iterator[Bound]:
        """The file of this number, open for as long as the context lasts."""
        with self._lock:
            entry = self._open.get(file)
            if entry is None:
                entry = _Open(self._opened(file))
                self._open[file] = entry
            entry.users += 1
        try:
            yield entry.bound
        finally:
            with self._lock:
                entry.users -= 1
                # The last used come last.
                self._open[file] = self._open.pop(file)
                self._close_unused()

    def __enter__(self) -> "OpenFiles":
        return self

    def __exit__(self, *exception: object) -> None:
        # Files that are still being read are closed by those who read them.
        self._keep = 0
        self._close_unused()

    def _opened(self, file: int) -> Bound:
        """The file of this number, if it is still the one that was opened first."""
        bound = open_bound(self.locations[file], self._columns)
        try:
            identity = bound.table.identity
            first = self._seen.setdefault(file, identity)
            check_unchanged(bound.table.source, first, identity)
        except BaseException:
            bound.table.close()
            raise
        return bound

    def _close_unused(self) -> None:
        """Close the files that nobody reads, but for those that were used last."""
        unused = [file for file, entry in self._open.items() if not entry.users]
        for file in unused[: max(len(unused) - self._keep, 0)]:
            self._open.pop(file).bound.table.close()
