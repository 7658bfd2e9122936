"""Columns of several trees of one file; uproot reads each tree alone."""

import awkward as ak
import numpy as np
import pytest
import uproot

from hepml.errors import ColumnError, DataError
from hepml.io import PRESETS, locate, open_table, read


@pytest.fixture
def two(tmp_path, jets):
    """Jets in one tree in clusters of two, their weights and scores in another in clusters of 3."""
    path = str(tmp_path / "two.root")
    branches = jets([3, 0, 2, 5, 1, 4])
    label = branches.pop("label")
    types = {
        k: str(v.type.content) if isinstance(v, ak.Array) else v.dtype for k, v in branches.items()
    }
    with uproot.recreate(path) as file:
        tree = file.mktree("jets", types)
        for i in (0, 2, 4):
            tree.extend({k: v[i : i + 2] for k, v in branches.items()})
        other = file.mktree("deep/truth", {"label": "i1", "weight": "f4", "part_px": "f4"})
        for i in (0, 3):
            numbers = np.arange(i, i + 3, dtype="f4")
            other.extend({"label": label[i : i + 3], "weight": numbers, "part_px": -numbers})
        file.mktree("short", {"weight": "f4"}).extend({"weight": np.zeros(2, "f4")})
        file.mktree("one+other", {"weight": "f4"}).extend({"weight": np.ones(2, "f4")})
    return path, branches, label


def test_columns_of_two_trees_are_read_together(two):
    path, branches, label = two
    columns = PRESETS["hepml"].replace(weights="weight + 1")
    sets = read(f"{path}:jets+deep/truth", columns)
    assert sets.labels.tolist() == label.tolist()
    assert sets.weights.tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(sets.p4[:, 1], ak.flatten(branches["part_px"]))
    again = read(path, columns.replace(tree="jets+deep/truth", weights="get('deep/truth.weight')"))
    assert again.weights.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_name_that_both_trees_have_is_that_of_the_first(two):
    path, branches, _ = two
    with open_table(*locate(f"{path}:jets+deep/truth")) as table:
        columns = table.read(["part_px", "deep/truth.part_px", "label"], 1, 5)
        np.testing.assert_array_equal(
            columns["part_px"].values, ak.flatten(branches["part_px"][1:5])
        )
        assert columns["deep/truth.part_px"].values.tolist() == [-1, -2, -3, -4]
        assert table.bounds(["part_px"]) == [0, 2, 4, 6]
        assert table.bounds(["label"]) == [0, 3, 6]
        assert table.bounds(["part_px", "label"]) == [0, 6]
        assert table.bounds([]) == [0, 6]
        assert table.list_of("label") is None


def test_trees_of_different_lengths_do_not_belong_together(two):
    with pytest.raises(DataError, match=r"same number of entries, got 6 in jets, 2 in short"):
        open_table(*locate(f"{two[0]}:jets+short"))
    with pytest.raises(ColumnError, match=r"a tree 'none'"):
        open_table(*locate(f"{two[0]}:jets+none"))


def test_a_tree_with_such_a_name_is_itself(two):
    with open_table(*locate(f"{two[0]}:one+other")) as table:
        assert (table.tree, table.entries) == ("one+other", 2)
