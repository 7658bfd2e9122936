"""What a reader of any file format offers to the rest: named columns over a range of entries."""

import difflib
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from hepml.errors import ColumnError, DataError
from hepml.io.formats._identity import Identity


class Column(NamedTuple):
    """One column over a range of entries.

    ``values`` is flat with ``offsets`` where each entry holds a list, (entries, n) without offsets
    where each entry holds a fixed array, and (entries,) where it holds one number.
    """

    values: Any
    offsets: Any = None

    @property
    def entries(self) -> int:
        """The number of entries."""
        return len(self.values if self.offsets is None else self.offsets[1:])

    @property
    def padded(self) -> bool:
        """Whether each entry holds a fixed array."""
        return self.offsets is None and self.values.ndim == 2

    @property
    def per_entry(self) -> bool:
        """Whether each entry holds one number."""
        return self.offsets is None and self.values.ndim == 1


@runtime_checkable
class Table(Protocol):
    """A tree, RNTuple or group of datasets: entries in rows, numbers in named columns."""

    source: str
    """The file and the table, for messages."""

    file: str
    tree: str
    entries: int
    identity: Identity
    """Compared when the file is opened again."""

    def names(self) -> Sequence[str]:
        """Every name by which a column can be asked for."""

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        """The columns of these names over the entries from start up to stop."""

    def read_nested(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        """Columns of lists of lists over a range of entries, each as two: see ``_nested``."""
        listed = ", ".join(map(repr, names))
        raise ColumnError(
            f"{self.source}, entries {start} to {stop}, column {listed}",
            expected="lists of lists of numbers",
            got="a format that has none",
            fix="name a ROOT file",
        )

    def bounds(self, names: Iterable[str]) -> Sequence[int]:
        """Entries at which reading these columns can start without decoding anything twice."""

    def list_of(self, name: str) -> Hashable | None:  # noqa: ARG002
        """A key that columns share whose lists are counted together; None where nothing says."""
        return None

    def close(self) -> None:
        """Close the file at once; what was read of it stays."""

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def read_columns(table: Table, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
    """The columns of these names over the entries from start up to stop, all of which they have.

    Raises
    ------
    DataError
        If a column has fewer entries, or more: its rows would belong to other sets.
    """
    columns = table.read(names, start, stop)
    for name, column in columns.items():
        if column.entries != stop - start:
            raise DataError(
                f"{table.source}, entries {start} to {stop}, column {name!r}",
                expected=f"{stop - start} entries, as its table has",
                got=f"{column.entries}",
                fix="choose a column that is filled for every entry",
            )
    return columns


def take_entries(column: Column, mask: Any) -> Column:
    """The entries that the mask chooses."""
    if column.offsets is None:
        return Column(column.values[mask])
    counts = np.diff(column.offsets)
    kept = np.concatenate([[0], np.cumsum(counts[mask])])
    return Column(column.values[np.repeat(mask, counts)], kept)


def missing_column(name: str, table: Table, where: str) -> ColumnError:
    """The error of a column that is not there, with the nearest names."""
    names = table.names()
    alike = [n for n in names if n.rpartition("/")[2] == name]
    if len(alike) > 1:
        return ColumnError(
            f"{table.source}, column {name!r} ({where})",
            expected="the name of one column",
            got=f"that of {len(alike)} columns",
            fix=f"name it with its parent: {', '.join(map(repr, alike[:5]))}"
            + (", ..." if len(alike) > 5 else ""),
        )
    near = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
    lowered = {n.lower(): n for n in names}
    near = list(dict.fromkeys([*filter(None, [lowered.get(name.lower())]), *near]))
    return ColumnError(
        f"{table.source}, column {name!r} ({where})",
        expected=f"a column of this name; the nearest are {', '.join(near)}"
        if near
        else f"a column of this name among {', '.join(names[:8])}"
        + (f" and {len(names) - 8} others" if len(names) > 8 else ""),
        got="no such column",
        fix="correct the name in the columns; `hepml inspect` lists all of them",
    )
