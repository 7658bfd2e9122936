"""The number of an entry in cuts: that of the file, whatever is read at a time."""

import awkward as ak
import numpy as np
import pytest

from hepml.io import PRESETS, BatchStream, Collection, Columns, JetIndex, read
from hepml.io.formats._entries import ENTRY_NUMBER, Numbered
from hepml.io.formats._files import Location
from hepml.io.formats._open import open_table

NUMBERED = PRESETS["hepml"].replace(context={"number": "number"})


@pytest.fixture(scope="module")
def path(tmp_path_factory, write, jets):
    return write(
        tmp_path_factory.mktemp("entries") / "a.root", jets([1, 2] * 30), clusters=[20, 40]
    )


def numbers(particles):
    return particles.context[:, 0].int().tolist()


def test_entries_are_numbered_in_each_file(path):
    columns = NUMBERED.replace(cut="entry % 5 == 0")
    assert numbers(read(path, columns)) == list(range(0, 60, 5))
    assert numbers(read([path, path], columns)) == 2 * list(range(0, 60, 5))
    stream = BatchStream(path, columns, batch_size=4, step=7, shuffle=True)
    assert sorted(n for batch in stream for n in numbers(batch)) == list(range(0, 60, 5))
    rest = read(path, NUMBERED.replace(cut="~(entry % 5 == 0) & (entry < 50)"))
    assert numbers(rest) == [n for n in range(50) if n % 5]


def test_it_is_a_number_like_others(path):
    particles = read(path, NUMBERED.replace(context={"entry": "entry", "half": "entry / 2"}))
    assert particles.context[:, 0].tolist() == list(range(60))
    assert particles.context[:, 1].tolist() == [n / 2 for n in range(60)]


def test_all_jets_of_an_event_go_together(tmp_path, write):
    events = {
        "Jet_pt": ak.Array([[1.0, 2.0], [3.0], [], [4.0, 5.0]]),
        "Cand_pt": ak.Array([[1.0, 2.0], [3.0], [], [4.0, 5.0]]),
        "Cand_jet": ak.Array([[0, 1], [0], [], [0, 1]]),
    }
    columns = Columns(
        Collection(
            {"pt": "Cand_pt", "eta": "0", "phi": "0", "mass": "0"},
            index=JetIndex("Jet_pt", "Cand_jet"),
        ),
        context={"pt": "Jet_pt", "entry": "entry"},
        cut="entry % 3 == 0",
    )
    particles = read(write(tmp_path / "events.root", events), columns)
    assert particles.context.tolist() == [[1, 0], [2, 0], [4, 3], [5, 3]]


def test_a_column_of_this_name_is_that_column(tmp_path, write, jets):
    branches = jets([1] * 6)
    branches["entry"] = np.arange(100, 106, dtype=np.int32)
    path = write(tmp_path / "a.root", branches)
    assert numbers(read(path, NUMBERED.replace(cut="entry > 103"))) == [4, 5]
    assert numbers(read(path, NUMBERED.replace(cut=f"{ENTRY_NUMBER} < 2"))) == [0, 1]


def test_a_numbered_table_is_the_table(path):
    with open_table(Location(path)) as table, Numbered(table) as numbered:
        assert numbered.names() == [*table.names(), "entry"]
        assert numbered.bounds(["label", "entry"]) == table.bounds(["label"])
        assert numbered.list_of("entry") is None
        assert numbered.list_of(ENTRY_NUMBER) is None
        assert numbered.read([ENTRY_NUMBER], 3, 6)[ENTRY_NUMBER].values.tolist() == [3, 4, 5]
        assert numbered.read(["entry"], 3, 6)["entry"].values.tolist() == [3, 4, 5]
        assert list(numbered.read(["label", "entry"], 3, 6)) == ["label", "entry"]
