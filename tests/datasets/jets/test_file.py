"""Tables of jets, and files that appear complete or not at all."""

import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st

from hepml.datasets.jets._file import JetTable, jet_files
from hepml.errors import FileError


def table(counts, start=0):
    """Jets whose constituents are numbered from start on."""
    counts = np.array(counts, np.int64)
    numbers = start + np.arange(counts.sum())
    return JetTable(
        counts,
        {"px": numbers.astype(np.float32), "charge": (numbers % 3 - 1).astype(np.int8)},
        {"jet_pt": counts.astype(np.float32), "label": (counts % 2).astype(np.int8)},
    )


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.data())
def test_choosing_jets_takes_their_constituents_along(counts, data):
    order = data.draw(st.lists(st.integers(0, len(counts) - 1), max_size=8))
    jets = table(counts)
    chosen = jets[np.array(order, np.int64)]
    bounds = np.concatenate([[0], np.cumsum(counts)])
    expected = [jets.constituents["px"][bounds[i] : bounds[i + 1]] for i in order]
    np.testing.assert_array_equal(
        chosen.constituents["px"], np.concatenate([*expected, np.zeros(0, np.float32)])
    )
    assert chosen.jets["jet_pt"].tolist() == [counts[i] for i in order]


def test_a_file_holds_what_was_appended(tmp_path):
    path = tmp_path / "jets.root"
    with jet_files([path], overwrite=False) as (file,):
        file.append(table([2, 0, 3]))
        file.append(table([1], start=5))
        file.finish({"recipe": '{"a": 1}'})
    with uproot.open(path) as file:
        assert file["recipe"] == '{"a": 1}'
        tree = file["tree"].arrays()
    assert tree.part_px.tolist() == [[0, 1], [], [2, 3, 4], [5]]
    assert tree.part_charge.tolist() == [[-1, 0], [], [1, -1, 0], [1]]
    assert tree.jet_nparticles.tolist() == [2, 0, 3, 1]
    assert tree.label.tolist() == [0, 0, 1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["jets.root"]


def interrupted(paths, error):
    """Begin to write, and fail."""
    with jet_files(paths, overwrite=False) as files:
        files[0].append(table([2]))
        assert len(list(paths[0].parent.iterdir())) == 2
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_no_file(tmp_path, error):
    with pytest.raises(error):
        interrupted([tmp_path / "a.root", tmp_path / "b.root"], error)
    assert list(tmp_path.iterdir()) == []


def test_an_exception_leaves_an_old_file_as_it_was(tmp_path):
    path = tmp_path / "jets.root"
    path.write_text("old")
    with pytest.raises(ValueError, match="stop"), jet_files([path], overwrite=True):
        raise ValueError("stop")
    assert path.read_text() == "old"


def test_what_cannot_be_written_is_refused_at_the_start(tmp_path):
    existing = tmp_path / "jets.root"
    existing.write_text("old")
    for path, overwrite, message in (
        (existing, False, r"expected a new file, got a file that exists.*--overwrite"),
        (tmp_path, True, "expected a new file, got a folder"),
        (existing / "jets.root", False, r"jets\.root: expected a folder, got a file"),
    ):
        with pytest.raises(FileError, match=message), jet_files([path], overwrite=overwrite):
            pass
    assert existing.read_text() == "old"
