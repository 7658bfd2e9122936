"""Arrays in memory give what files with these branches give."""

import os
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from support.small_jets import write_jets

from hepml.errors import ColumnError, DataError, InputError
from hepml.io import PRESETS, Collection, Columns, EdgeList, JetIndex, read, read_array
from hepml.io.formats._array import ArrayTable, fields_of, passing_of_array, record_depth

MOMENTUM = {"pt": "part_pt", "eta": "part_eta", "phi": "part_phi", "mass": "0.14"}


def assert_same(found, expected):
    for name in ("p4", "offsets", "features", "context", "labels", "weights"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None)
        assert one is None or one.equal(other), name


def jets(**more):
    """Three jets with 2, 0 and 1 particles."""
    lists = {
        "part_pt": [[20.0, 10.0], [], [30.0]],
        "part_eta": [[0.1, 0.2], [], [-0.3]],
        "part_phi": [[1.0, 1.1], [], [-2.0]],
    }
    return ak.Array({**lists, "jet_pt": [30.0, 0.0, 30.0], **more})


def test_a_tree_read_by_uproot_is_the_file(tmp_path):
    path = write_jets(tmp_path / "jets.root", 30)
    columns = PRESETS["hepml"].replace(
        context={"log_pt": "log(jet_pt)"}, weights="jet_pt", cut="jet_pt > 40"
    )
    array = uproot.open(path)["tree"].arrays()
    assert_same(read_array(array, columns).particles, read(path, columns))
    assert_same(read_array(array[::-1], columns).particles, read(path, columns)[::-1])
    passed, counts = passing_of_array(array, columns)
    assert passed.tolist() == (array.jet_pt > 40).to_list()
    assert counts is None


@pytest.mark.skipif("HEPML_TEST_DATA" not in os.environ, reason="HEPML_TEST_DATA is not set")
@pytest.mark.parametrize(
    ("preset", "file", "tree", "entries"),
    [
        ("deepjet", "deepjet-ttbar/ntuple_ttbar.root", "deepntuplizer/tree", 100),
        ("pfnano", "cms-pfnano/pfnano.root", "Events", 10),
    ],
)
def test_real_files(preset, file, tree, entries):
    path = Path(os.environ["HEPML_TEST_DATA"]) / file
    columns = PRESETS[preset].without_labels()
    names = {"deepjet": "/^([CN]pfcan|jet)_/", "pfnano": "/.*PFCands.*|^FatJet_pt$/"}
    array = uproot.open(path)[tree].arrays(filter_name=names[preset], entry_stop=entries)
    chunk = read_array(array, columns)
    assert_same(chunk.particles, read(path, columns)[: len(chunk.particles)])
    if preset == "pfnano":
        assert_same(read_array(as_nano_events(array), columns).particles, chunk.particles)
        assert chunk.sets_per_entry.tolist() == ak.num(array.FatJet_pt).to_list()


def as_nano_events(array):
    """Records of collections, as coffea's NanoEvents have them."""
    groups = {}
    for name in array.fields:
        group, _, field = name.partition("_")
        groups.setdefault(group, {})[field] = array[name]
    return ak.zip({name: ak.zip(fields) for name, fields in groups.items()}, depth_limit=1)


def test_collections_of_events_have_the_names_of_branches():
    events = ak.Array(
        {
            "Jet": [[{"pt": 50.0}, {"pt": 40.0}], []],
            "PF": [
                [{"pt": 1.0, "jetIdx": 1}, {"pt": 2.0, "jetIdx": 0}],
                [{"pt": 3.0, "jetIdx": -1}],
            ],
            "run": [1, 2],
        }
    )
    names = ArrayTable(events).names()
    assert {"Jet_pt", "Jet.pt", "nJet", "PF_jetIdx", "run"} <= {*names}
    momentum = {"pt": "PF_pt * Jet.pt", "eta": "0", "phi": "0", "mass": "0"}
    columns = Columns(Collection(momentum, index=JetIndex("nJet", "PF_jetIdx")))
    chunk = read_array(events, columns)
    assert chunk.sets_per_entry.tolist() == [2, 0]
    assert chunk.particles.p4[:, 1].tolist() == [100.0, 40.0]


def test_units_are_those_of_the_columns():
    columns = Columns(Collection({**MOMENTUM, "mass": "140"}), unit="MeV")
    array = jets()
    array["part_pt"] = 1000 * array.part_pt
    expected = read_array(jets(), Columns(Collection(MOMENTUM))).particles.p4
    np.testing.assert_allclose(read_array(array, columns).particles.p4, expected, rtol=1e-6)


def test_fixed_arrays_lose_their_padding_as_those_of_files_do():
    array = ak.Array(
        {
            name: np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
            for name in ("part_pt", "part_eta", "part_phi")
        }
    )
    assert read_array(array, Columns(Collection(MOMENTUM))).particles.counts.tolist() == [2, 0]


def test_bad_jets_are_errors_or_left_out():
    array = jets(part_pt=[[20.0, np.nan], [], [30.0]])
    columns = Columns(Collection(MOMENTUM))
    with pytest.raises(DataError, match=r"array, entry 0, column 'part_pt': .*nan in particle 1"):
        read_array(array, columns)
    chunk = read_array(array, columns, bad="drop")
    assert (chunk.total, chunk.rows.tolist(), chunk.dropped) == (3, [1, 2], {"NaN momentum": 1})


def test_arrays_that_cannot_be_read():
    columns = Columns(Collection(MOMENTUM, features={"q": "part_charge"}))
    with pytest.raises(ColumnError, match=r"array, column 'part_charge' .feature q"):
        read_array(jets(), columns)
    for charge, message in {
        "a": ([["a", "b"], [], ["c"]], "a list of numbers, in each entry, got entries of type var"),
        "deep": ([[[1], [2]], [], [[3, 4]]], r"got entries of type var \* var"),
    }.values():
        with pytest.raises(ColumnError, match=message):
            read_array(jets(part_charge=charge), columns)
    for charge in ([[1, None], [], [1]], [[1, 1], None, [1]]):
        with pytest.raises(DataError, match=r"column 'part_charge': .* got missing values"):
            read_array(jets(part_charge=charge), columns)
    # The type allows missing values, and none is.
    optional = ak.mask(jets(part_charge=[[1, 1], [], [1]]), [True, True, True])
    assert read_array(ak.drop_none(optional), columns).total == 3
    for array in (np.zeros(3), ak.Array([1.0, 2.0])):
        with pytest.raises(InputError, match="an awkward array of records"):
            read_array(array, columns)


def test_which_fields_are_read_is_known_at_any_depth():
    columns = Columns(Collection(MOMENTUM))
    array = jets()
    for nested in (array, ak.unflatten(array, [2, 1]), ak.mask(array, [True, False, True])):
        assert len(fields_of(nested, columns)) == 3
    assert record_depth(ak.unflatten(array, [2, 1])) == 2
    # Momenta of particles, with the names of the branches: each record is a particle.
    momenta = ak.zip({name: array[name] for name in ("part_pt", "part_eta", "part_phi")})
    assert fields_of(momenta, columns) is None
    assert fields_of(array[["part_pt"]], columns) is None
    assert fields_of(np.zeros(3), columns) is None
    # Nodes of graphs, which have no momentum.
    nodes = Collection(features={"pt": "part_pt"})
    graphs = Columns(nodes, edges=EdgeList("part_eta", "part_phi"))
    assert len(fields_of(array, graphs)) == 3
    assert fields_of(momenta, graphs) is None


def test_fields_of_one_record_have_one_level():
    """Whatever the names by which they are asked for, and however many there are in each entry."""
    array = ak.Array(
        {
            "FatJet": [[{"pt": 1.0, "m": 2.0}, {"pt": 3.0, "m": 4.0}]],
            "Cand": [[{"pt": 5.0, "q": 1, "FatJet_idx": 1}, {"pt": 6.0, "q": -1, "FatJet_idx": 0}]],
        }
    )
    momentum = {"pt": "Cand_pt", "eta": "0", "phi": "0", "mass": "0"}
    for jets in ("FatJet_pt", "nFatJet"):
        index = JetIndex(jets, "Cand_FatJet_idx")
        columns = Columns(Collection(momentum, {"q": "Cand.q", "m": "FatJet.m"}, index=index))
        assert read_array(array, columns).particles.features.tolist() == [[-1, 2], [1, 4]]
