"""Columns of numbers, and the error of one that is not there."""

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepml.errors import ColumnError, DataError
from hepml.io.formats._table import Column, Table, missing_column, read_columns, take_entries


class Names(Table):
    """A table that holds nothing but the names of its columns."""

    file, tree, source, entries, identity = "file.root", "tree", "file.root:tree", 0, None

    def __init__(self, *names):
        self._names = names

    def names(self):
        return list(self._names)

    def read(self, names, start, stop):
        raise NotImplementedError

    def bounds(self, _):
        return [0]

    def close(self):
        raise NotImplementedError

    def __enter__(self):
        raise NotImplementedError

    def __exit__(self, *exception):
        raise NotImplementedError


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=8))
def test_taking_entries_is_a_mask_on_lists(entries):
    counts = [count for count, _ in entries]
    mask = np.array([kept for _, kept in entries], bool)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    column = Column(np.arange(offsets[-1]), offsets)
    expected = ak.unflatten(np.arange(offsets[-1]), counts)[mask] if counts else ak.Array([[]])[:0]
    taken = take_entries(column, mask)
    np.testing.assert_array_equal(taken.values, ak.flatten(expected))
    np.testing.assert_array_equal(np.diff(taken.offsets), ak.num(expected))


def test_taking_entries_of_fixed_arrays_and_numbers():
    mask = np.array([True, False, True])
    np.testing.assert_array_equal(take_entries(Column(np.arange(3)), mask).values, [0, 2])
    fixed = Column(np.arange(6).reshape(3, 2))
    np.testing.assert_array_equal(take_entries(fixed, mask).values, [[0, 1], [4, 5]])


def test_a_missing_column_lists_the_nearest_names():
    table = Names("part_px", "part_py", "Jet_pt", "Jet_mass", "label")
    error = missing_column("part_pX", table, "px")
    assert isinstance(error, ColumnError)
    assert isinstance(error, KeyError)
    assert str(error).startswith("file.root:tree, column 'part_pX' (px): expected a column of ")
    assert "the nearest are part_px, part_py" in str(error)
    assert "the nearest are Jet_pt" in str(missing_column("jet_PT", table, "pt"))


def test_without_anything_near_some_names_are_listed():
    few = str(missing_column("zzz", Names("part_px", "label"), "cut"))
    assert "among part_px, label, got" in few
    many = str(missing_column("zzz", Names(*(f"branch{i:02}" for i in range(50))), "cut"))
    assert "branch07 and 42 others" in many


class Shorter(Names):
    """A table of ten entries, of which one column has fewer."""

    entries = 10

    def read(self, names, start, stop):
        columns = {
            "number": Column(np.zeros(stop - start)),
            "fixed": Column(np.zeros((stop - start, 3))),
            "lists": Column(np.zeros(0), np.zeros(stop - start + 1, np.int64)),
            "short": Column(np.zeros(max(stop - start - 2, 0))),
            "few lists": Column(np.zeros(0), np.zeros(1, np.int64)),
            "long": Column(np.zeros((stop - start + 1, 3))),
        }
        return {name: columns[name] for name in names}


@pytest.mark.parametrize(("name", "entries"), [("short", 3), ("few lists", 0), ("long", 6)])
def test_columns_have_as_many_entries_as_are_read(name, entries):
    table = Shorter()
    whole = ["number", "fixed", "lists"]
    assert list(read_columns(table, whole, 2, 7)) == whole
    message = rf"file.root:tree, entries 2 to 7, column '{name}': expected 5 .*, got {entries}\."
    with pytest.raises(DataError, match=message):
        read_columns(table, [*whole, name], 2, 7)
