"""Files and trees that are not there are left out and counted."""

import pytest

from hepml.errors import FileError
from hepml.io import PRESETS, present, read


@pytest.fixture
def folder(tmp_path, write, jets):
    write(tmp_path / "a.root", jets([1, 2]))
    write(tmp_path / "b.root", jets([3]))
    write(tmp_path / "other.root", jets([4]), "other")
    return tmp_path


COLUMNS = PRESETS["hepml"].replace(tree="tree")


def test_what_is_missing_is_counted_in_a_warning(folder):
    files = [folder / "no.root", f"{folder}/a.root", f"{folder}/none_*.root", f"{folder}/b.root"]
    with pytest.warns(UserWarning, match=r"^skipped, of 4 files, 2 that do not exist \(.*no\.root"):
        left = present(files, COLUMNS)
    assert left == [f"{folder}/a.root", f"{folder}/b.root"]
    assert read(left, COLUMNS).counts.tolist() == [1, 2, 3]


def test_files_without_the_tree_are_left_out(folder):
    with pytest.warns(UserWarning, match=r"of 3 files, 1 without the tree to read \(.*other\.root"):
        left = present(f"{folder}/*.root", COLUMNS)
    assert left == [f"{folder}/a.root", f"{folder}/b.root"]
    with pytest.warns(UserWarning, match="2 without the tree"):
        assert present(f"{folder}/*.root:other", "hepml") == [f"{folder}/other.root:other"]


def test_nothing_is_said_where_nothing_is_missing(folder):
    assert present(folder / "a.root") == [f"{folder}/a.root"]
    assert len(present(f"{folder}/*.root", "hepml")) == 3


def test_all_missing_is_an_error(folder):
    with pytest.raises(FileError, match=r"got 2 that do not exist .* and 1 without the tree"):
        present([folder / "x.root", f"{folder}/y*", f"{folder}/other.root"], COLUMNS)
    with pytest.raises(FileError, match="got none"):
        present([])


def test_damage_is_no_absence(folder):
    (folder / "bad.root").write_bytes(b"rubbish")
    with pytest.raises(FileError, match=r"bad\.root.*expected a ROOT file"):
        present([folder / "bad.root", folder / "a.root"], COLUMNS)
