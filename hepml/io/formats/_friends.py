"""Trees beside each other: the columns of one entry in several trees of a file."""

from collections.abc import Hashable, Iterable, Sequence

from hepml.errors import DataError
from hepml.io.formats._table import Column, Table


class Friends(Table):
    """Several tables with the same entries, as one; see :class:`hepml.io.formats._table.Table`.

    Parameters
    ----------
    tables
        The tables. A column is known by its own name if only one table has it, or else as that of
        the first table; those of the others are always known as ``tree.column`` as well.

    Raises
    ------
    DataError
        If their numbers of entries differ.

    Notes
    -----
    Entries are matched by their order, as ROOT matches friends without an index.
    """

    def __init__(self, tables: Sequence[Table]) -> None:
        if len({table.entries for table in tables}) > 1:
            raise DataError(
                f"file {tables[0].file!r}",
                expected="trees with the same number of entries",
                got=", ".join(f"{table.entries} in {table.tree}" for table in tables),
                fix="read them one by one, or write trees whose entries belong together",
            )
        self.file, self.entries = tables[0].file, tables[0].entries
        self.tree = "+".join(table.tree for table in tables)
        self.source = f"{self.file}:{self.tree}"
        self.identity = tables[0].identity
        self._tables = tables
        self._places = {name: (0, name) for name in tables[0].names()}
        owners: dict[str, list[int]] = {}
        for number, table in enumerate(tables[1:], 1):
            for name in table.names():
                self._places.setdefault(f"{table.tree}.{name}", (number, name))
                owners.setdefault(name, []).append(number)
        for name, numbers in owners.items():
            if len(numbers) == 1:
                self._places.setdefault(name, (numbers[0], name))

    def names(self) -> Sequence[str]:
        return list(self._places)

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        wanted = {name: self._places[name] for name in names}
        read = {
            number: self._tables[number].read(own, start, stop)
            for number, own in self._asked(wanted).items()
        }
        return {name: read[number][own] for name, (number, own) in wanted.items()}

    def read_nested(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        columns: dict[str, Column] = {}
        for name in names:
            # A member of what lists hold is no column of its own.
            found = self._places.get(name) or self._places.get(name.rpartition(".")[0])
            number, own = found or (0, name)
            own = own if name in self._places else f"{own}.{name.rpartition('.')[2]}"
            read = self._tables[number].read_nested([own], start, stop)
            columns |= {name + key.removeprefix(own): column for key, column in read.items()}
        return columns

    def bounds(self, names: Iterable[str]) -> Sequence[int]:
        asked = self._asked(names).items()
        found = [set(self._tables[number].bounds(own)) for number, own in asked]
        return sorted(set.intersection(*found)) if found else [0, self.entries]

    def list_of(self, name: str) -> Hashable | None:
        number, own = self._places[name]
        # Whether the lists of a friend are those of the first tree, no file says.
        return None if number else self._tables[0].list_of(own)

    def close(self) -> None:
        for table in self._tables:
            table.close()

    def _asked(self, names: Iterable[str]) -> dict[int, list[str]]:
        """Which columns each table is asked for."""
        asked: dict[int, list[str]] = {}
        for number, own in (self._places[name] for name in names):
            asked.setdefault(number, []).append(own)
        return asked
