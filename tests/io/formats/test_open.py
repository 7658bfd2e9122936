"""The reader goes by the suffix of the file."""

import pytest

from hepml.errors import FileError
from hepml.io import Location, open_table
from hepml.io.formats._hdf5 import open_hdf5
from hepml.io.formats._open import READERS
from hepml.io.formats._root import RootTable, open_root


def test_suffixes_choose_readers():
    assert {".root": open_root, ".h5": open_hdf5, ".hdf5": open_hdf5} == READERS


@pytest.mark.parametrize("name", ["jets.root", "JETS.ROOT", "jets", "jets.root.1"])
def test_any_other_suffix_is_taken_for_root(tmp_path, write, jets, name):
    path = write(tmp_path / name, jets([1, 2]))
    table = open_table(Location(path))
    assert isinstance(table, RootTable)
    assert table.entries == 2


def test_what_is_neither_is_said_to_be_no_root_file(tmp_path):
    (tmp_path / "table.csv").write_text("a,b")
    with pytest.raises(FileError, match=r"table\.csv.*expected a ROOT file"):
        open_table(Location(str(tmp_path / "table.csv")))
