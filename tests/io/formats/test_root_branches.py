"""Names of columns of a tree; real files with objects are read in test_root.py."""

import numpy as np
import pytest
import uproot
from uproot.interpretation.numerical import AsDtype

from hepml.errors import ColumnError
from hepml.io import Location
from hepml.io.formats._root import open_root
from hepml.io.formats._root_branches import Place, holds_numbers, places_of, type_of
from hepml.io.formats._table import missing_column


def test_a_short_name_stands_for_one_branch_only():
    branches = dict.fromkeys(["Jet/Jet.PT", "a/E", "b/E", "c/x", "x"])
    places = places_of(branches)
    assert places["Jet.PT"] == places["Jet/Jet.PT"] == Place("Jet/Jet.PT")
    assert places["x"] == Place("x")
    assert "E" not in places


def test_the_message_of_an_ambiguous_name_lists_the_parents(tmp_path):
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mktree("tree", {"a/E": "f4", "b/E": "f4"}).extend({"a/E": [1.0], "b/E": [2.0]})
    table = open_root(Location(str(tmp_path / "a.root")))
    with pytest.raises(ColumnError, match=r"got that of 2 columns\. Fix: .*parent: 'a/E', 'b/E'"):
        raise missing_column("E", table, "pt")
    assert table.read(["b/E"], 0, 1)["b/E"].values == [2.0]
    assert set(table.types()) == {"a/E", "b/E"}


def test_leaf_lists_are_columns(tmp_path):
    """uproot writes none: a branch of fixed arrays becomes one of records of the same bytes."""
    records = np.array([(1.5, -7, (1, 2)), (2.5, 8, (3, 4))], ">f8, >i4, (2,)>i2")
    with uproot.recreate(tmp_path / "a.root", compression=None) as file:
        tree = file.mktree("tree", {"point": np.dtype(("i1", (16,)))})
        tree.extend({"point": records.view("i1").reshape(2, 16)})
    table = open_root(Location(str(tmp_path / "a.root")))
    branch = table._branches["point"]
    assert holds_numbers(branch)
    branch.members["fLeaves"] = [*branch.member("fLeaves")] * 3
    branch._interpretation = AsDtype([("x", ">f8"), ("n", ">i4"), ("pair", (">i2", (2,)))])
    assert not holds_numbers(branch)
    table._places = places_of(table._branches)
    assert table.names() == ["point", "point.x", "point.n", "point.pair"]
    read = table.read(["point.x", "point.n", "point.pair"], 0, 2)
    assert [column.values.tolist() for column in read.values()] == [
        [1.5, 2.5],
        [-7, 8],
        [[1, 2], [3, 4]],
    ]
    types = table.types()
    assert [types[f"point.{name}"] for name in ("x", "n", "pair")] == [
        "float64",
        "int32",
        "int16[2]",
    ]
    with pytest.raises(ColumnError, match=r"consists of: 'point\.x', 'point\.n', 'point\.pair'"):
        table.read(["point"], 0, 2)


def test_what_holds_numbers_and_what_its_type_is(data):
    table = open_root(Location(str(data / "delphes" / "events_delphes_example.root")), "Delphes")
    found = {name: holds_numbers(table._branches[f"Jet/Jet.{name}"]) for name in ("PT", "Area")}
    assert found == {"PT": True, "Area": False}
    assert type_of(table._branches["Jet/Jet.PT"]) == "float[]"

    class Odd:
        @property
        def typename(self):
            raise KeyError(("V", 16))

    assert type_of(Odd()) == "unknown"
