"""HDF5: pandas tables such as the public top-tagging reference set, read with h5py in pieces."""

import pickletools
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from hepml.errors import ColumnError, DataError, MissingDependencyError
from hepml.io.formats._files import Location
from hepml.io.formats._hdf5_file import open_file, reading
from hepml.io.formats._hdf5_graphs import GraphTable, graph_groups
from hepml.io.formats._hdf5_records import RecordTable, record_datasets
from hepml.io.formats._identity import Identity, check_unchanged, state_of
from hepml.io.formats._table import Column, Table

# HDF5's registered filters (https://github.com/HDFGroup/hdf5_plugins) that hdf5plugin brings.
_PLUGINS = {
    307: "bzip2",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32015: "zstd",
    32026: "blosc2",
}
_NUMBERED = re.compile(r"(.+)_(0|[1-9]\d*)")
# STRING and its kin are what Python 2 wrote.
_STRINGS = {
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING"),
}
_LIST_OF_STRINGS = {
    *("PROTO", "FRAME", "MARK", "LIST", "EMPTY_LIST", "APPEND", "APPENDS"),
    *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "STOP"),
}


def open_hdf5(
    location: Location, wanted: str | None = None
) -> "Hdf5Table | GraphTable | RecordTable":
    """Open the table, records or graphs that are named, else the wanted ones, else the only ones.

    Raises
    ------
    MissingDependencyError
        If h5py is not installed, or hdf5plugin for a compression that needs it.
    FileError
        If the file cannot be read: not HDF5, truncated, remote.
    ColumnError
        If it has no such table, or several and none was chosen.
    DataError
        If the table's list of columns is not one that pandas writes.
    """
    file = open_file(location.path)
    try:
        with reading(location.path):
            name = _choose(file, location, wanted)
            if name in graph_groups(file):
                return GraphTable(file, location.path, name)
            if name in tables(file):
                return Hdf5Table(file, location.path, name)
            _check_filters(f"{location.path}:{name}", file[name])
            return RecordTable(file, location.path, name)
    except BaseException:
        file.close()
        raise


class Hdf5Table(Table):
    """One table that pandas wrote, ``to_hdf(..., format="table")``; see
    :class:`hepml.io.formats._table.Table`.

    Numbered columns such as ``E_0, ..., E_199`` are also one column ``E`` with 200 values in each
    entry.
    """

    def __init__(self, file: Any, path: str, tree: str) -> None:
        self.file, self.tree = path, tree
        self.source = f"{path}:{tree}"
        self._file = file
        self._table = file[tree]["table"]
        _check_filters(self.source, self._table)
        self._columns = _columns(self.source, self._table)
        self.entries = int(self._table.shape[0])
        self.identity = self._identity()

    def names(self) -> Sequence[str]:
        return list(self._columns)

    def types(self) -> dict[str, str]:
        """The type of each column; numbered ones are named once."""
        joined = {name for name, place in self._columns.items() if place.width is not None}
        return {
            name: place.dtype.name + ("" if place.width is None else f"[{place.width}]")
            for name, place in self._columns.items()
            if name in joined or _family(name) not in joined
        }

    def bounds(self, names: Iterable[str]) -> Sequence[int]:  # noqa: ARG002  alike for all
        step = (self._table.chunks or (1024,))[0]
        return [*range(0, self.entries, step), self.entries]

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        wanted = {name: self._columns[name] for name in names}
        for name, place in wanted.items():
            if place.dtype.kind not in "biuf":
                raise ColumnError(
                    f"{self.source}, column {name!r}",
                    expected="numbers",
                    got=f"values of type {place.dtype.name}",
                    fix="choose a column of numbers, or write the names of classes as numbers; "
                    "`hepml inspect` lists all columns with their types",
                )
        fields = list(dict.fromkeys(place.field for place in wanted.values()))
        with reading(f"{self.source}, entries {start} to {stop}"):
            rows = self._table.fields(fields)[start:stop]
        check_unchanged(self.source, self.identity, self._identity())
        return {name: Column(place.take(rows[place.field])) for name, place in wanted.items()}

    def close(self) -> None:
        self._file.close()

    def _identity(self) -> Identity:
        """The identity of the file as it is now."""
        # h5py's driver for plain files is the only one that has such a number.
        descriptor = self._file.id.get_vfd_handle() if self._file.driver == "sec2" else None
        return Identity(self.entries, *state_of(descriptor))


class _Place(NamedTuple):
    """Where a column lies: a field of the rows, and its place or places there."""

    field: str
    places: int | slice | list[int]
    dtype: np.dtype[Any]

    @property
    def width(self) -> int | None:
        """The number of values in each entry, if it is a fixed array."""
        if isinstance(self.places, slice):
            return len(range(self.places.start, self.places.stop, self.places.step))
        return None if isinstance(self.places, int) else len(self.places)

    def take(self, values: Any) -> Any:
        """The column out of the values of its field, which are flat if it is alone there."""
        return values if values.ndim == 1 else values[:, self.places]


def tables(file: Any) -> list[str]:
    """The pandas tables of an open file, in any of its groups."""
    found: list[str] = []

    def visit(name: str, node: Any) -> None:
        if _text(node.attrs.get("pandas_type")) == "frame_table" and "table" in node:
            found.append(name)

    file.visititems(visit)
    return found


def names_from_pickle(data: bytes) -> list[str]:
    """The strings of a pickled list of strings, without unpickling.

    PyTables stores the names of the columns in this way, and unpickling a stranger's file can
    execute anything. So the opcodes are read, not run; any that builds something else is refused.

    Raises
    ------
    ValueError
        If the data is not a pickled list of strings.

    Examples
    --------
    >>> import pickle
    >>> names_from_pickle(pickle.dumps(["E_0", "PX_0"], protocol=0))
    ['E_0', 'PX_0']
    """
    names: list[str] = []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _STRINGS and isinstance(argument, str):
            names.append(argument)
        elif opcode.name not in _LIST_OF_STRINGS:
            raise ValueError(f"the pickle opcode {opcode.name}")
    return names


def _choose(file: Any, location: Location, wanted: str | None) -> str:
    """The name of the table to read."""
    groups = [*tables(file), *graph_groups(file)]
    records = record_datasets(file, groups)
    names = [*groups, *records]
    chosen = location.tree or wanted
    if chosen is not None and (chosen.strip("/") or "/") in names:
        return chosen.strip("/") or "/"
    if chosen is None and len(names) == 1:
        return names[0]
    if names:
        got, fix = (
            f"the tables {', '.join(names)}",
            f"name one, as in {location.path + ':' + names[0]!r}"
            + (f", or several: {'+'.join(records)!r}" if len(records) > 1 else ""),
        )
    else:
        got = f"no such table, but {', '.join(file) or 'nothing'}"
        fix = 'write it with DataFrame.to_hdf(path, key="table", format="table")'
    raise ColumnError(
        f"file {location.path!r}",
        expected="one table of pandas or dataset of records, or the name of one"
        if chosen is None
        else f"a table of pandas or dataset of records {chosen!r}",
        got=got,
        fix=fix,
    )


def _check_filters(source: str, table: Any) -> None:
    """Load hdf5plugin when the compression needs it, or say that it is needed."""
    import h5py

    pipeline = table.id.get_create_plist()
    codes = [pipeline.get_filter(i)[0] for i in range(pipeline.get_nfilters())]
    if all(map(h5py.h5z.filter_avail, codes)):
        return
    with suppress(ImportError):
        import hdf5plugin  # noqa: F401  importing it registers its filters with h5py
    for code in codes:
        if not h5py.h5z.filter_avail(code):
            raise MissingDependencyError(
                source,
                expected=f"the compression {_PLUGINS.get(code, f'filter {code}')} of this table",
                got="h5py without it",
                fix="pip install hdf5plugin, or write the table again with complib='zlib'",
            )


def _columns(source: str, table: Any) -> dict[str, _Place]:
    """Every column of the table, and the numbered ones together under their common name."""
    columns: dict[str, _Place] = {}
    for field in table.dtype.names:
        kind = table.attrs.get(f"{field}_kind")
        if kind is None or field == "index":
            continue
        # A block of columns, or one of pandas' "data columns", which lie alone.
        width = int(np.prod(table.dtype[field].shape))
        try:
            names = names_from_pickle(bytes(kind))
        except Exception as error:
            raise _not_pandas(source, field, f"{error}") from error
        if len(names) != width:
            raise _not_pandas(source, field, f"{len(names)} names for {width} columns")
        columns |= {n: _Place(field, i, table.dtype[field].base) for i, n in enumerate(names)}
    return columns | _numbered(columns)


def _not_pandas(source: str, field: str, got: str) -> DataError:
    """The error of a table whose list of columns is not one that pandas writes."""
    return DataError(
        f"{source}, attribute '{field}_kind'",
        expected="the pickled list of the names of the columns",
        got=f"{got} (nothing was executed)",
        fix="write the table with pandas.DataFrame.to_hdf",
    )


def _family(name: str) -> str | None:
    """``E`` of ``E_17``."""
    match = _NUMBERED.fullmatch(name)
    return match and match[1]


def _numbered(columns: dict[str, _Place]) -> dict[str, _Place]:
    """``E`` for columns E_0, E_1, ... of one field without a gap, unless there is an ``E``."""
    families: dict[str, dict[int, _Place]] = {}
    for name, place in columns.items():
        if family := _family(name):
            number = int(name.removeprefix(f"{family}_"))
            families.setdefault(family, {})[number] = place
    joined = {}
    for family, members in families.items():
        ordered = [members[i] for i in sorted(members)]
        gapless = sorted(members) == list(range(len(members)))
        if gapless and len({place.field for place in ordered}) == 1 and family not in columns:
            places = [place.places for place in ordered]
            joined[family] = ordered[0]._replace(places=_slice(places))
    return joined


def _slice(places: list[Any]) -> slice | list[int]:
    """Places at equal distances as a slice, which needs no copy."""
    step = places[1] - places[0] if len(places) > 1 else 1
    even = step > 0 and places == list(range(places[0], places[-1] + 1, step))
    return slice(places[0], places[-1] + 1, step) if even else places


def _text(attribute: object) -> str:
    """An attribute as text; h5py gives bytes or str by the way it was written."""
    return attribute.decode() if isinstance(attribute, bytes) else str(attribute)
