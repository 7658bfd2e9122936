"""The graphs that files hold are found, in small files and in the real ones."""

import numpy as np
import pytest
import uproot

from hepml.errors import ColumnError
from hepml.io import Columns, graph_layouts, locate, read
from tests.support.graph_files import KEY, jagged


def found(path):
    """Name, kinds of nodes and sizes of all graphs of a file; the columns read them again."""
    layouts = graph_layouts(locate(path)[0])
    for layout in layouts:
        assert Columns.from_dict(layout.columns.to_dict()) == layout.columns
        if not layout.bad:
            assert len(read(path, layout.columns).senders) == layout.edges
    return {
        each.name: (len(each.columns.collections), each.graphs, each.nodes, each.edges)
        for each in layouts
    }


def floats(lists):
    return jagged(lists, np.float32)


def test_nanoaod_has_pointers_and_tables(write, tmp_path):
    branches = {
        "GenPart_pt": floats([[3, 2, 1], [1]]),
        "GenPart_genPartIdxMother": jagged([[-1, 0, 0], [-1]]),
        "FatJet_pt": floats([[300], []]),
        "Jet_pt": floats([[30, 20], [10]]),
        "PFCands_pt": floats([[1, 2, 3, 4], [5]]),
        "PFCands_pdgId": jagged([[211, 22, 22, 130], [22]]),
        "Muon_pt": floats([[9], [8]]),
        "Muon_jetIdx": jagged([[1], [-1]], np.int16),
        "Muon_photonIdx": jagged([[1], [-1]], np.int16),
        "JetPFCands_jetIdx": jagged([[0, 0, 1], [0]]),
        "JetPFCands_pFCandsIdx": jagged([[1, 2, 3], [0]]),
        "FatJetPFCands_jetIdx": jagged([[0, 0], []]),
        "FatJetPFCands_pFCandsIdx": jagged([[1, 2], []]),
        "GenJetCands_jetIdx": jagged([[0, 0], []]),
    }
    path = write(tmp_path / "nano.root", branches, "Events")
    assert found(path) == {
        "JetPFCands": (2, 2, 8, 4),
        "FatJetPFCands": (2, 2, 6, 2),
        "GenPart_genPartIdxMother": (1, 2, 4, 2),
        "Muon_jetIdx": (2, 2, 5, 1),
    }
    (layout,) = (x for x in graph_layouts(locate(path)[0]) if x.name == "JetPFCands")
    assert layout.columns.feature_names == ("pt", "pdgId", "is_Jet")
    graph = read(path, layout.columns)
    assert graph.nodes[graph.receivers, 0].tolist() == [30, 30, 20, 10]
    assert graph.nodes[graph.senders, 0].tolist() == [2, 3, 4, 5]


def test_pointers_beyond_what_was_kept_are_counted_as_bad(write, tmp_path):
    branches = {
        "Jet_pt": floats([[30, 20], [10]]),
        "SV_pt": floats([[3], [2]]),
        "Jet_svIdx1": jagged([[0, 4], [0]], np.int16),
    }
    path = write(tmp_path / "nano.root", branches, "Events")
    (layout,) = graph_layouts(locate(path)[0])
    assert (layout.graphs, layout.bad, layout.edges) == (1, 1, 1)


def test_delphes_has_daughters(write, tmp_path):
    first, last = jagged([[1, -1, -1], [-1]]), jagged([[2, -1, -1], [-1]])
    branches = {"Particle.PT": floats([[3, 2, 1], [1]]), "Particle.D1": first, "Particle.D2": last}
    path = write(tmp_path / "delphes.root", branches, "Delphes")
    assert found(path) == {"Particle.D1": (1, 2, 4, 2)}


@pytest.mark.parametrize("table", ["Reco#1", "_Reco_tracks"])
def test_edm4hep_has_relations_in_both_conventions(write, tmp_path, table):
    branches = {
        "Reco.charge": floats([[1, 0, -1], [1]]),
        "Reco.tracks_begin": jagged([[0, 1, 1], [0]], np.uint32),
        "Reco.tracks_end": jagged([[1, 1, 3], [0]], np.uint32),
        "EFlowTrack.chi2": floats([[1, 2, 3], []]),
        "Reco#0.index": jagged([[0], [0]]),
        "Reco#0.collectionID": jagged([[4], [4]]),
        f"{table}.index": jagged([[2, 1, 0], []]),
        f"{table}.collectionID": jagged([[6, 6, 6], []]),
    }
    path = write(tmp_path / "podio.root", branches, "events")
    assert found(path) == {"Reco.tracks": (2, 2, 7, 3)}
    (layout,) = graph_layouts(locate(path)[0])
    (edges,) = layout.columns.edges
    assert (edges.table, edges.collection_id) == (f"{table}.index", 6)


def test_atlas_has_links_to_tracks(write, tmp_path):
    into, muons = "InDetTrackParticlesAuxDyn", "MuonsAuxDyn"
    branches = {
        f"{into}.phi": floats([[1, 2], [3]]),
        f"{muons}.pt": floats([[9, 8], [7]]),
        f"{muons}.inDetTrackParticleLink.m_persKey": jagged([[KEY, 0], [KEY]], np.uint32),
        f"{muons}.inDetTrackParticleLink.m_persIndex": jagged([[1, 2**32 - 1], [0]], np.uint32),
    }
    path = write(tmp_path / "physlite.root", branches, "CollectionTree")
    assert found(path) == {f"{muons}.inDetTrackParticleLink": (2, 2, 6, 2)}


@pytest.mark.parametrize("through", [False, True])
def test_hdf5_has_edges_counted_in_graphs_or_through(tmp_path, through):
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    path = str(tmp_path / "graphs.h5")
    index = np.array([[0, 1, 0], [1, 0, 0]]) + through * np.array([0, 0, 2])
    with h5py.File(path, "w") as file:
        file["node_offsets"], file["edge_offsets"] = [0, 2, 5], [0, 2, 3]
        file["edge_index"], file["x"] = index, np.ones((5, 3), np.float32)
    assert found(path) == {"edge_index_0": (1, 2, 5, 3)}


def test_a_file_without_any_has_none(small):
    assert graph_layouts(locate(small[0])[0]) == []


def test_of_several_trees_one_is_named(tmp_path):
    with uproot.recreate(tmp_path / "two.root") as file:
        for name in ("a", "b"):
            file[name] = {"x": np.arange(2)}
    with pytest.raises(ColumnError, match="one tree"):
        graph_layouts(locate(tmp_path / "two.root")[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "cms-pfnano/pfnano.root:Events",
            {"JetPFCands": 1801, "FatJetPFCands": 1076, "GenPart_genPartIdxMother": 511},
        ),
        (
            "cms-nanoaod/nano_tt_v15.root:Events",
            {"FatJetPFCand": 2374, "GenPart_genPartIdxMother": 9548},
        ),
        (
            "cms-nanoaod/nanoAOD_2015_ttbar_RNTuple.root:Events",
            {"GenPart_genPartIdxMother": 460, "Muon_jetIdx": 4},
        ),
        (
            "fcc-edm4hep/test_FCC_Winter2023.root",
            {
                "Particle.parents": 13131,
                "Particle.daughters": 12950,
                "ReconstructedParticles.tracks": 2827,
            },
        ),
        ("delphes/events_delphes_example.root", {"Particle.D1": 65390}),
        (
            "atlas-physlite/PHYSLITE_example.root:CollectionTree",
            {
                "PrimaryVerticesAuxDyn.trackParticleLinks": 1193,
                "AnalysisMuonsAuxDyn.inDetTrackParticleLink": 4,
            },
        ),
        ("deepjet-ttbar/ntuple_ttbar.root", {}),
    ],
)
def test_real_files(data, file, expected):
    layouts = {each.name: each.edges for each in graph_layouts(locate(data / file)[0])}
    assert expected.items() <= layouts.items()
    assert layouts if expected else not layouts
