"""The number of each entry as a column, for cuts such as ``entry % 5 == 0``."""

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from hepml.io._table import Column, Table

# What expressions call the number of an entry in its file, where the file has no such column.
ENTRY = "entry"


class Numbered(Table):
    """A table with the numbers of its entries as one more column.

    Parameters
    ----------
    table
        The table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self.source, self.file, self.tree = table.source, table.file, table.tree
        self.entries, self.identity = table.entries, table.identity

    def names(self) -> Sequence[str]:
        return [*self._table.names(), ENTRY]

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        names = list(names)
        stored = [name for name in names if name != ENTRY]
        columns = self._table.read(stored, start, stop) if stored else {}
        numbers = {ENTRY: Column(np.arange(start, stop))} if ENTRY in names else {}
        return {**columns, **numbers}

    def bounds(self, names: Iterable[str]) -> Sequence[int]:
        return self._table.bounds([name for name in names if name != ENTRY])

    def list_of(self, name: str) -> Hashable | None:
        return None if name == ENTRY else self._table.list_of(name)

    def close(self) -> None:
        self._table.close()
