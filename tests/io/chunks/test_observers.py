"""Observers are carried along as they are, for all sets of a chunk."""

import awkward as ak
import numpy as np
import pytest
import uproot

from hepml.errors import DataError
from hepml.io import Collection, Columns, JetIndex, iterate, read_array
from hepml.io.chunks._observers import observer_types

MOMENTUM = {"pt": "part_pt", "eta": "0", "phi": "0", "mass": "0"}
JETS = ak.Array(
    {
        "part_pt": [[20.0, 10.0], [], [30.0], [float("nan")]],
        "event": np.array([1, 2**60 + 1, 3, 4], np.uint64),
        "half": np.array([0.5, 1.5, 2.5, 3.5], np.float16),
    }
)
OBSERVERS = {"event": "event", "half": "half", "n": "count(part_pt)", "hard": "sum(part_pt) > 15"}


def test_bad_sets_and_those_that_a_cut_leaves_out_have_them_too():
    columns = Columns(Collection(MOMENTUM), cut="event > 1", observers=OBSERVERS)
    chunk = read_array(JETS, columns, bad="drop")
    assert chunk.rows.tolist() == [1, 2]
    # Whether a sum of NaN is large is not known.
    assert np.isnan(chunk.observers["hard"][3])
    found = {name: values[:3].tolist() for name, values in chunk.observers.items()}
    assert found == {
        "event": [1, 2**60 + 1, 3],
        "half": [0.5, 1.5, 2.5],
        "n": [2, 0, 1],
        "hard": [True, False, True],
    }


def test_types_are_known_without_reading(tmp_path):
    path = tmp_path / "jets.root"
    with uproot.recreate(path) as file:
        file["tree"] = {name: JETS[name] for name in ("part_pt", "event")}
    columns = Columns(
        Collection(MOMENTUM), observers={k: v for k, v in OBSERVERS.items() if k != "half"}
    )
    assert observer_types(path, columns) == {"event": np.uint64, "n": np.int64, "hard": np.bool_}


def test_the_number_of_the_entry_is_observed(tmp_path):
    path = tmp_path / "jets.root"
    with uproot.recreate(path) as file:
        file["tree"] = {"part_pt": JETS["part_pt"][:3]}
    columns = Columns(Collection(MOMENTUM), observers={"entry": "entry", "twice": "2 * entry"})
    found = next(iterate(path, columns)).observers
    assert (found["entry"].tolist(), found["twice"].tolist()) == ([0, 1, 2], [0, 2, 4])
    assert observer_types(path, columns) == dict.fromkeys(("entry", "twice"), np.int64)


def test_types_are_those_of_chunks_without_empty_sets(tmp_path):
    path = tmp_path / "jets.root"
    with uproot.recreate(path) as file:
        file["tree"] = {"part_pt": JETS["part_pt"][:1], "pid": ak.Array([[211, 22]])}
    columns = Columns(Collection(MOMENTUM), observers={"m": "max(pid)", "i": "argmax(pid)"})
    types = {name: values.dtype for name, values in next(iterate(path, columns)).observers.items()}
    assert observer_types(path, columns) == types == {"m": np.float64, "i": np.float64}


def test_entries_repeat_for_their_jets_and_lists_must_be_those_of_the_jets():
    events = ak.Array(
        {"Jet_pt": [[50.0, 40.0], []], "PF_pt": [[1.0], [2.0, 3.0]], "PF_jet": [[1], [-1, -1]]}
    )
    events["run"] = [7, 8]
    momentum = {**MOMENTUM, "pt": "PF_pt"}
    columns = Columns(Collection(momentum, index=JetIndex("Jet_pt", "PF_jet")))
    chunk = read_array(events, columns.replace(observers={"run": "run", "pt": "Jet_pt"}))
    assert chunk.observers["run"].tolist() == [7, 7]
    assert chunk.observers["pt"].tolist() == [50.0, 40.0]
    with pytest.raises(DataError, match=r"array, entry 0, observer 'PF_pt' .x.: expected one num"):
        read_array(events, columns.replace(observers={"x": "PF_pt"}))
