"""The number of each entry as a column, for cuts such as ``entry % 5 == 0``."""

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from hepml.io.formats._table import Column, Table

# What expressions call the number of an entry in its file, where the file has no such column.
ENTRY = "entry"

# The same under a name that no column of a file takes away, for what may not go with the file.
ENTRY_NUMBER = "hepml.entry"


class Numbered(Table):
    """A table with the numbers of its entries as more columns.

    They are ``hepml.entry``, which the names leave out, and ``entry``, unless the table has it.

    Parameters
    ----------
    table
        The table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self.source, self.file, self.tree = table.source, table.file, table.tree
        self.entries, self.identity = table.entries, table.identity
        self._own = {ENTRY_NUMBER} | {ENTRY}.difference(table.names())

    def names(self) -> Sequence[str]:
        return [*self._table.names(), *(self._own - {ENTRY_NUMBER})]

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        names = list(names)
        stored = [name for name in names if name not in self._own]
        columns = self._table.read(stored, start, stop) if stored else {}
        numbers = {name: Column(np.arange(start, stop)) for name in names if name in self._own}
        return {**columns, **numbers}

    def read_nested(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        return self._table.read_nested(names, start, stop)

    def bounds(self, names: Iterable[str]) -> Sequence[int]:
        return self._table.bounds([name for name in names if name not in self._own])

    def list_of(self, name: str) -> Hashable | None:
        return None if name in self._own else self._table.list_of(name)

    def close(self) -> None:
        self._table.close()
