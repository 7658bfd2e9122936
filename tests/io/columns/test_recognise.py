"""Recognition: every real file by the names of its branches, and nothing else."""

import awkward as ak
import numpy as np
import pytest
import uproot

from hepml.errors import ColumnError, FileError
from hepml.io import PRESETS, Layout, read, recognise
from hepml.io.columns._recognise import _CANDIDATES, _MARKS

KNOWN = {
    "toptag-like/train_0.root": "hepml",
    "jetclass2/JetClassII_example.root": "jetclass2",
    "cms-pfnano/pfnano.root": "pfnano",
    "cms-nanoaod/nano_tt_v15.root": "nanoaod-v15",
    "cms-nanoaod/nanoAOD_2015_CMS_Open_Data_ttbar.root": "nanoaod",
    "cms-nanoaod/nanoAOD_2015_ttbar_RNTuple.root": "nanoaod",
    "cms-nanoaod/nano_dimuon_data2018.root": "nanoaod",
    "deepjet-ttbar/ntuple_ttbar.root": "deepjet",
    "delphes/delphes_eflow_uproot513.root": "delphes",
    "delphes/events_delphes_example.root": "delphes-pf",
    "atlas-physlite/PHYSLITE_example.root": "physlite",
    "fcc-edm4hep/test_FCC_Winter2023.root": "edm4hep",
}


@pytest.mark.slow
@pytest.mark.parametrize(("file", "name"), KNOWN.items())
def test_real_files_are_recognised_and_read_with_their_columns(data, file, name):
    layout = recognise(str(data / file))
    assert layout is not None
    assert layout.name == name
    particles = read(data / file, layout.columns, max_sets=20)
    assert 10 <= len(particles) <= 20


@pytest.mark.parametrize(
    "file",
    [
        "classics/uproot-HZZ-zstd.root",
        "classics/uproot-Zmumu-zstd.root",
        "classics/l1pf_pair_tlorentzvector.root",
        "btag-like/feasibility_200events.root",
    ],
)
def test_other_files_are_not(data, file):
    assert recognise(str(data / file)) is None


def test_what_a_file_lacks_is_left_out(tmp_path, write, jets):
    branches = jets([3, 1])
    data = {k: v for k, v in branches.items() if k not in ("label", "part_d0val")}
    layout = recognise(write(tmp_path / "data.root", data))
    assert layout.name == "hepml"
    assert layout.columns.class_names == ()
    whole = PRESETS["hepml"].feature_names
    assert layout.columns.feature_names == tuple(
        name for name in whole if name not in ("tanh_d0", "d0_significance")
    )
    assert recognise(write(tmp_path / "all.root", branches)) == Layout("hepml", PRESETS["hepml"])


def test_collections_that_a_file_lacks_are_left_out(tmp_path, write):
    lists = {
        f"{name}_{c}": ak.Array([[1.0], [2.0, 3.0]])
        for name in ("Jet", "Muon")
        for c in ("pt", "eta", "phi", "mass")
    }
    layout = recognise(write(tmp_path / "skim.root", lists, "Events"))
    assert layout.name == "nanoaod"
    assert layout.columns.feature_names == ("is_jet", "is_muon")
    assert read(tmp_path / "skim.root", layout.columns).counts.tolist() == [2, 4]


def test_a_layout_goes_by_its_tree_or_the_one_that_is_named(tmp_path, jets):
    branches = jets([2, 1])
    path = tmp_path / "two.root"
    with uproot.recreate(path) as file:
        for name in ("nominal", "jes_up"):
            types = {
                k: str(v.type.content) if isinstance(v, ak.Array) else v.dtype
                for k, v in branches.items()
            }
            file.mktree(name, types).extend(branches)
    assert recognise(str(path)) is None
    layout = recognise(f"{path}:jes_up")
    assert layout.name == "hepml"
    assert layout.columns.tree == "jes_up"
    with pytest.raises(ColumnError, match="a tree 'other'"):
        recognise(f"{path}:other")


def test_jetclass_and_its_successor_differ_by_the_label(tmp_path, write, jets):
    branches = jets([2, 1]) | {
        f"part_is{kind}": ak.Array([[True, False], [False]])
        for kind in ("ChargedHadron", "NeutralHadron", "Photon", "Electron", "Muon")
    }
    del branches["part_pid"], branches["label"]
    names = PRESETS["jetclass"].class_names
    labels = {f"label_{n}": np.array([n == "QCD", n == "Hbb"]) for n in names}
    first = recognise(write(tmp_path / "first.root", branches | labels))
    assert first == Layout("jetclass", PRESETS["jetclass"])
    assert read(tmp_path / "first.root").labels.tolist() == [0, 1]
    second = write(tmp_path / "second.root", branches | {"jet_label": np.array([3, 187])})
    assert recognise(second) == Layout("jetclass2", PRESETS["jetclass2"])
    assert read(second).labels.tolist() == [3, 187]


def test_every_mark_belongs_to_a_preset():
    assert set(_MARKS) <= set(PRESETS)
    candidates = {name for names in _CANDIDATES.values() for name in names}
    assert set(PRESETS) - set(_MARKS) - candidates == {"physlite-tracks"}


# Two events: jets with candidates 1 2 and 0, and one jet without any.
LINKS = {"jetIdx": ak.Array([[0, 0, 1], []]), "number": ak.Array([[1, 2, 0], []])}
CANDIDATES = {
    "pt": ak.Array([[1.0, 2.0, 4.0], [8.0]]),
    "eta": ak.Array([[0.0] * 3, [0.0]]),
    "phi": ak.Array([[0.0] * 3, [0.0]]),
    "mass": ak.Array([[0.0] * 3, [0.0]]),
    "pdgId": ak.Array([[211, -211, 11], [22]]),
}


@pytest.mark.parametrize(
    ("table", "links", "number", "jet", "name"),
    [
        ("PFCands", "FatJetPFCands", "pFCandsIdx", "FatJet", "pfnano"),
        ("PFCands", "JetPFCands", "pFCandsIdx", "Jet", "pfnano-ak4"),
        ("PFCand", "FatJetPFCand", "pfCandIdx", "FatJet", "nanoaod-v15"),
        ("PFCand", "JetPFCand", "PFCandIdx", "Jet", "pfnano-ak4"),
        ("JetPFCands", "JetPFCandsAK8", "candIdx", "FatJet", "pfnano"),
        ("JetPFCands", "JetPFCandsAK4", "candIdx", "Jet", "pfnano-ak4"),
        ("FatJetPFCands", "FatJetPFCands", None, "FatJet", "pfnano"),
    ],
)
def test_candidates_of_jets_are_found_in_every_production(
    tmp_path, write, table, links, number, jet, name
):
    branches = {f"{jet}_pt": ak.Array([[7.0, 1.0], [5.0]])}
    branches |= {f"{table}_{k}": values for k, values in CANDIDATES.items()}
    if number is None:
        branches[f"{links}_jetIdx"] = ak.Array([[1, 0, 0], [-1]])
    else:
        branches |= {f"{links}_jetIdx": LINKS["jetIdx"], f"{links}_{number}": LINKS["number"]}
    # Of generated particles, and of other jets, which are not to be taken for these.
    branches |= {f"GenCands_{k}": values for k, values in CANDIDATES.items()}
    branches["GenJetCands_jetIdx"] = branches["SubJetPFCands_jetIdx"] = LINKS["jetIdx"]
    layout = recognise(write(tmp_path / "nano.root", branches, "Events"))
    assert layout.name == name
    sets = read(tmp_path / "nano.root", layout.columns)
    assert sets.counts.tolist() == [2, 1, 0]
    np.testing.assert_allclose(sets.p4[:, 0], [2, 4, 1], rtol=1e-6)
    charge = layout.columns.feature_names.index("charge")
    assert sets.features[:, charge].tolist() == [-1, -1, 1]


def test_candidates_without_links_are_not_those_of_jets(tmp_path, write):
    branches = {f"PFCand_{k}": values for k, values in CANDIDATES.items()}
    branches |= {f"{n}_pt": ak.Array([[7.0], [5.0]]) for n in ("Jet", "FatJet")}
    assert recognise(write(tmp_path / "nano.root", branches, "Events")) is None


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "bad.root").write_bytes(b"nothing")
    with pytest.raises(FileError, match="expected a ROOT file"):
        recognise(str(tmp_path / "bad.root"))
    with pytest.raises(FileError, match="no such file"):
        recognise(str(tmp_path / "missing.root"))
