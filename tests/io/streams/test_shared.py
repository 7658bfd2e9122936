"""Files are recognised by their content, and what they share is counted."""

import shutil

import numpy as np
import pytest
import uproot

from hepml.io import PRESETS, locate
from hepml.io.streams._shared import fingerprint, same_tree, shared_sets

COLUMNS = PRESETS["hepml"]


@pytest.fixture(scope="module")
def files(tmp_path_factory, write, jets):
    folder = tmp_path_factory.mktemp("shared")
    paths = [write(folder / f"{i}.root", jets([1] * 30, seed=i)) for i in range(2)]
    shutil.copy(paths[0], folder / "copy.root")
    return [*paths, str(folder / "copy.root")]


def test_copies_are_the_same_and_other_files_are_not(files, tmp_path):
    one, other, copy = map(fingerprint, files)
    assert one == copy != other
    assert fingerprint("root://server//a.root") == "root://server//a.root"
    for name, content in (("a", b"x" * 200_000), ("b", b"x" * 199_999), ("c", b"")):
        (tmp_path / name).write_bytes(content)
    assert len({fingerprint(str(tmp_path / name)) for name in "abc"}) == 3


def test_shared_sets_are_those_that_pass_both_cuts(files):
    one, other, copy = files
    everything = locate([one, other])
    assert shared_sets(everything, COLUMNS, locate([copy]), COLUMNS) == {one: 30}
    low, high = (COLUMNS.replace(cut=cut) for cut in ("number < 20", "number >= 10"))
    assert shared_sets(everything, low, locate([copy]), high) == {one: 10}
    fifth, rest = (COLUMNS.replace(cut=cut) for cut in ("entry % 5 == 0", "entry % 5 != 0"))
    assert shared_sets(everything, fifth, locate([copy]), rest) == {}
    assert shared_sets(locate([other]), COLUMNS, locate([copy]), COLUMNS) == {}


def test_trees_of_one_file_are_different_samples(tmp_path):
    branches = {"number": np.arange(5)}
    with uproot.recreate(tmp_path / "two.root") as file:
        for name in ("a", "b"):
            file.mktree(name, {"number": np.int64}).extend(branches)
    path = tmp_path / "two.root"
    found = shared_sets(locate(f"{path}:a"), COLUMNS, locate(f"{path}:b"), COLUMNS)
    assert found == {}


@pytest.mark.parametrize("name", ["", ":tree", ":tree;1", ":/tree"])
def test_a_tree_is_the_same_whatever_it_is_called(files, name):
    one, _, copy = files
    for tree in (None, "tree"):
        wanted = COLUMNS.replace(tree=tree)
        named = locate(one + name)
        assert shared_sets(named, COLUMNS, locate(copy), wanted) == {one: 30}
        assert shared_sets(locate(copy), wanted, named, COLUMNS) == {copy: 30}
        assert shared_sets(named, COLUMNS, locate(copy + ":tree"), wanted) == {one: 30}


def test_trees_side_by_side_are_those_of_their_entries():
    assert same_tree("tree", "tree;2+scores")
    assert not same_tree("train", "test+scores")
