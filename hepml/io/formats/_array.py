"""Awkward arrays in memory as tables, read with the same columns as files."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import awkward as ak
import numpy as np

from hepml.errors import ColumnError, DataError, InputError
from hepml.io.chunks._binding import bind
from hepml.io.chunks._chunk import Bad, Chunk, passing, read_chunk
from hepml.io.chunks._rows import offsets_of
from hepml.io.columns._columns import Columns
from hepml.io.formats._identity import Identity
from hepml.io.formats._nested import member_of, nested_columns
from hepml.io.formats._table import Column, Table


class ArrayTable(Table):
    """An awkward array of records, one for each entry; see :class:`hepml.io.formats._table.Table`.

    Parameters
    ----------
    array
        The records. A field is a column. So is a field of a record within the record, as NanoEvents
        have them: the column ``Jet_pt``, or ``Jet.pt``, is the field pt of the field Jet, and
        ``nJet`` the number of jets in each entry.

    Raises
    ------
    InputError
        If it is no array of records.
    """

    def __init__(self, array: Any) -> None:
        self.file = self.source = "array"
        self.tree = ""
        if not isinstance(array, ak.Array) or not array.fields:
            raise InputError(
                "array",
                expected="an awkward array of records with the branches of the columns",
                got=str(array.type) if isinstance(array, ak.Array) else type(array).__name__,
                fix="pass events, as from tree.arrays() or NanoEventsFactory, or records made with "
                "ak.zip({'part_px': ..., ...}, depth_limit=1)",
            )
        # Of an array without data, of which the type alone is asked, no length is known.
        self.entries = 0 if ak.backend(array) == "typetracer" else len(array)
        self.identity = Identity(self.entries, None, None)
        self._array = array
        self._paths = _paths(array)

    def names(self) -> Sequence[str]:
        return list(self._paths)

    def bounds(self, names: Iterable[str]) -> Sequence[int]:  # noqa: ARG002
        return [0, self.entries]

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        array = self._array[start:stop]
        return {name: self._column(name, self.field(name, array)) for name in dict.fromkeys(names)}

    def read_nested(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        columns: dict[str, Column] = {}
        for name in names:
            known = name in self._paths
            array = self.field(name if known else name.rpartition(".")[0], self._array[start:stop])
            if not known:
                array = member_of(array, name.rpartition(".")[2], name, self.source)
            columns |= nested_columns(array, name, self.source)
        return columns

    def list_of(self, name: str) -> Hashable | None:
        path = self._paths[name]
        # The fields of a record within the record, and the column that is their number.
        return path[0] if len(path) > 1 or path == (name[1:],) else None

    def close(self) -> None:
        pass

    def field(self, name: str, array: Any = None) -> Any:
        """The array of a column, or that of its lists where a column is their number."""
        found = self._array if array is None else array
        for part in self._paths[name]:
            found = found[part]
        return found

    def _column(self, name: str, array: Any) -> Column:
        """The flat content of a column."""
        if name not in self._array.fields and self._paths[name] == (name[1:],):
            return Column(np.asarray(ak.num(array, axis=1)))
        missing = any(ak.any(ak.is_none(array, axis=k), axis=None) for k in range(array.ndim))
        if missing:
            raise DataError(
                f"array, column {name!r}",
                expected="a number or a list of numbers in each entry",
                got="missing values (None)",
                fix="fill them with ak.fill_none, or leave such entries out with ak.drop_none",
            )
        values, offsets = ak.drop_none(array) if _is_optional(array.layout) else array, None
        if array.ndim == 2 and isinstance(values.type.content, ak.types.ListType):
            offsets = np.concatenate([[0], np.cumsum(np.asarray(ak.num(values, axis=1)))])
            values = ak.flatten(values, axis=1)
        try:
            flat = ak.to_numpy(values, allow_missing=False)
        except (TypeError, ValueError):
            flat = None
        if flat is None or flat.ndim > 2 or flat.dtype.kind not in "biuf":
            raise ColumnError(
                f"array, column {name!r}",
                expected="a number, or a list of numbers, in each entry",
                got=f"entries of type {array.type.content}",
                fix="choose a field of numbers; one jet for each record, or events of jets with "
                "an index, as the columns have it",
            )
        return Column(flat, None if offsets is None else offsets.astype(np.int64))


def _is_optional(layout: Any) -> bool:
    """Whether values or lists may be missing, by the type."""
    return layout.is_option or (
        (layout.is_list or layout.is_indexed) and _is_optional(layout.content)
    )


def _paths(array: Any) -> dict[str, tuple[str, ...]]:
    """The fields that lead to each column, by the names that files give to them."""
    paths: dict[str, tuple[str, ...]] = {field: (field,) for field in array.fields}
    for field in array.fields:
        # Delphes' Jet/Jet.PT is also Jet.PT.
        paths.setdefault(field.rpartition("/")[2], (field,))
        inner = array[field].fields
        for name in inner:
            paths.setdefault(f"{field}_{name}", (field, name))
            paths.setdefault(f"{field}.{name}", (field, name))
        if inner:
            paths.setdefault(f"n{field}", (field,))
    return paths


def read_array(array: Any, columns: Columns, *, bad: Bad = "error") -> Chunk:
    """Evaluate columns on an awkward array, as :func:`hepml.io.read` does on a file.

    Parameters
    ----------
    array
        Records, one for each entry, in memory: of ``tree.arrays()``, NanoEvents, or your own. The
        fields have the names of the branches, or are records of them: ``events.Jet.pt`` is
        ``Jet_pt``.
    columns
        Expressions, unit, index and cut.
    bad
        Whether sets that cannot be used (NaN momenta, ...) are an error or left out.

    Returns
    -------
    :
        The sets, with their places among all; see :class:`Chunk`.

    Raises
    ------
    InputError
        If it is no array of records.
    ColumnError
        If it lacks a field.
    DataError
        If a set is bad, or a value is missing.

    Examples
    --------
    >>> from hepml.io import Collection
    >>> jets = ak.Array({"px": [[3., 6.], []], "py": [[0., 0.], []], "pz": [[4., 8.], []]})
    >>> columns = Columns(Collection({"px": "px", "py": "py", "pz": "pz", "E": "hypot(px, pz)"}))
    >>> read_array(jets, columns).particles.p4
    tensor([[ 5.,  3.,  0.,  4.],
            [10.,  6.,  0.,  8.]])
    """
    table = ArrayTable(array)
    chunk, _ = read_chunk(bind(columns, table), 0, table.entries, bad)
    return chunk


def passing_of_array(array: Any, columns: Columns) -> tuple[Any, Any]:
    """Which sets of an array pass the cut of the columns, and how many sets each entry has.

    The latter is None where an entry is a set.
    """
    table = ArrayTable(array)
    bound = bind(columns, table)
    passed = passing(bound, 0, table.entries)
    if bound.jets is None:
        return passed, None
    return passed, np.diff(offsets_of(table.read([bound.jets], 0, table.entries)[bound.jets]))


def fields_of(array: Any, columns: Columns) -> list[Any] | None:
    """The fields of an array that the columns read, of records at any depth.

    None if it lacks one, or if there is no list of particles in each record.
    """
    if not isinstance(array, ak.Array) or not array.fields:
        return None
    table = ArrayTable(array)
    try:
        bound = bind(columns, table)
    except ColumnError:
        return None
    # Nodes of graphs may have no momentum.
    stored = [
        [*part.momentum.values()] or [*part.positions.values(), *part.features.values()]
        for part in bound.parts
    ]
    names = [name for part in stored for each in part for name in each.names]
    jagged = max(table.field(name).ndim for name in names) > record_depth(array)
    return [table.field(name) for name in bound.names] if jagged else None


def record_depth(array: Any) -> int:
    """The number of axes of an array of records, before those of its fields."""
    layout, depth = array.layout, 1
    while not layout.is_record and (layout.is_list or layout.is_option or layout.is_indexed):
        depth += layout.is_list
        layout = layout.content
    return depth
