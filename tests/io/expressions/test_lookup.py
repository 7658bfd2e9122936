"""Look-up tables: a dictionary in a loop is the oracle."""

import awkward as ak
import numpy as np
import pytest
import yaml

from hepml.errors import DataError, InputError
from hepml.io import Collection, Columns, read
from hepml.io.expressions._lookup import look_up

CARTESIAN = {"E": "part_energy", "px": "part_px", "py": "part_py", "pz": "part_pz"}
KINDS = {211: 1, -211: 1, 130: 2, 22: 3, 11: 4, -13: 5}


@pytest.mark.parametrize("dtype", ["i1", "i2", "u1", "i8", "u8", "f4", "f8", "bool"])
def test_numbers_of_every_dtype(dtype):
    table = {-3: 7, 0: 5, 1: -1, 200: 2}
    keys = {"bool": [0, 1], "u1": [0, 1, 2, 200], "i1": [-3, 0, 9]}.get(dtype, [0, 1, 200, 201, 7])
    x = np.array(keys, dtype)
    value = look_up(table)(x)
    np.testing.assert_array_equal(value, [table.get(key, np.nan) for key in keys])
    value = look_up(table)(x, 9)
    np.testing.assert_array_equal(value, [table.get(key, 9) for key in keys])
    assert value.dtype == np.int64 if dtype[0] != "f" else value.dtype == np.float64
    assert look_up(table)(x[:0], 9).shape == (0,)


def test_fractions_and_large_identifiers():
    table = {0.5: 1.5, 12: 3}
    np.testing.assert_array_equal(look_up(table)(np.array([0.5, 0.25])), [1.5, np.nan])
    large = {2**62 + 1: 3, 2**62: 4}
    x = np.array([2**62, 2**62 + 1, 2**62 + 2])
    np.testing.assert_array_equal(look_up(large)(x, 0), [4, 3, 0])


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
def test_fractions_are_those_of_the_precision_of_the_column(dtype):
    x = np.array([0.1, 0.3, 0.2], dtype)
    np.testing.assert_array_equal(look_up({0.1: 7, 3: 8, 0.3: 9})(x, 0), [7, 9, 0])


def test_nan_is_bad_with_any_default():
    np.testing.assert_array_equal(look_up({0: 1})(np.array([0, 1, np.nan]), 0), [1, 0, np.nan])


def test_tables_in_expressions_and_in_yaml(small, tmp_path):
    path, branches = small
    columns = Columns(
        Collection(CARTESIAN, {"kind": "lookup('kinds', part_pid)", "pid": "part_pid"}),
        context={"photons": "sum(lookup('photon', part_pid, 0))"},
        tables={"kinds": KINDS, "photon": {22: 1}},
    )
    (tmp_path / "columns.yaml").write_text(yaml.safe_dump(columns.to_dict()))
    for each in (
        columns,
        Columns.from_dict(columns.to_dict()),
        Columns.from_yaml(str(tmp_path / "columns.yaml")),
    ):
        assert each == columns
        particles = read(path, each)
        kind, pid = particles.features.T.tolist()
        assert kind == [KINDS[int(number)] for number in pid]
        photons = ak.sum(branches["part_pid"] == 22, axis=1)
        np.testing.assert_array_equal(particles.context[:, 0], photons)
    text = {"tables": {"kinds": {str(x): str(y) for x, y in KINDS.items()}, "photon": {"22": "1"}}}
    assert Columns.from_dict(columns.to_dict() | text) == columns


def test_what_a_table_lacks_is_bad(small):
    columns = Columns(
        Collection(CARTESIAN, {"kind": "lookup('kinds', part_pid)"}), tables={"kinds": {22: 1}}
    )
    with pytest.raises(DataError, match=r"lookup.*expected finite numbers, got nan"):
        read(small[0], columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lookup('kind', part_pid)", r"a table among kinds, got 'kind'"),
        ("lookup(part_pid)", "lookup\\('table', x, default\\)"),
        ("lookup('kinds')", "lookup\\('table', x, default\\)"),
        ("lookup('kinds', 1)", "without a column"),
        ("lookup('kinds', part_pid, 0, 0)", "lookup\\('table', x, default\\)"),
        ("lookup(kinds, part_pid)", "in quotes"),
    ],
)
def test_wrong_uses_are_refused_before_any_file(text, message):
    with pytest.raises(InputError, match=message):
        Columns(Collection(CARTESIAN, {"kind": text}), tables={"kinds": KINDS})


@pytest.mark.parametrize(
    "tables",
    [
        [1],
        {1: {1: 2}},
        {"a": 1},
        {"a": {}},
        {"a": {"b": 1}},
        {"a": {1: "b"}},
        {"a": {1: None}},
        {"a": {1: [1]}},
        {"a": {True: 1}},
        {"a": {1: float("nan")}},
        {"a": {1: 10**30}},
        {"a": {1: 2, "1": 3}},
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_what_is_no_table_of_numbers(tables):
    with pytest.raises(InputError, match=r"Columns\.tables.*expected tables from finite numbers"):
        Columns(Collection(CARTESIAN), tables=tables)
