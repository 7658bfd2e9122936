"""Graphs of real files: each edge structure against uproot and awkward alone."""

import awkward as ak
import numpy as np
import pytest
import torch
import uproot

from hepml.data import Graph
from hepml.errors import DataError
from hepml.io import (
    AdjacencyList,
    AllPairs,
    Collection,
    Columns,
    EdgeList,
    ElementLinks,
    NodePointer,
    NodeRange,
    TableRange,
    read,
)

pytestmark = pytest.mark.slow

RECO, TRACKS = "ReconstructedParticles", "InDetTrackParticlesAuxDyn"
VERTICES, MUONS = "PrimaryVerticesAuxDyn", "AnalysisMuonsAuxDyn"
PODIO = ("fcc-edm4hep/test_FCC_Winter2023.root", "events")
PHYSLITE = ("atlas-physlite/PHYSLITE_example.root", "CollectionTree")
DELPHES = ("delphes/events_delphes_example.root", "Delphes")


def nodes(*columns):
    """Collections of one feature each; the first is known by its kind."""
    return [
        Collection(features={"x": name}, kind="is_first" if i == 0 else None)
        for i, name in enumerate(columns)
    ]


def graph_of(data, place, columns):
    """The graphs of a file, looked at by the constructor."""
    file, tree = place
    return Graph(**read(f"{data / file}:{tree}", columns).tensors())


def branches(data, place, *names):
    """Branches as uproot reads them."""
    file, tree = place
    with uproot.open(data / file) as opened:
        return [opened[tree][name].array() for name in names]


def local(graph, index):
    """The number of a node among those of its collection and graph."""
    first = graph.node_offsets[:-1][graph.edge_index]
    kind = graph.nodes[:, -1] == 1
    firsts = torch.cat([kind.new_zeros(1, dtype=torch.int64), kind.cumsum(0)])
    before = firsts[graph.node_offsets[1:]] - firsts[graph.node_offsets[:-1]]
    own = index - first
    return own - torch.where(kind[index], 0, before[graph.edge_index])


def triples(graph):
    """Graph, sender and receiver of all edges, each counted in its own collection."""
    columns = (graph.edge_index, local(graph, graph.senders), local(graph, graph.receivers))
    return sorted(zip(*(each.tolist() for each in columns), strict=True))


def of_links(others):
    """(entry, number, holder) for the lists of the numbers that each holder names."""
    return sorted(
        (entry, number, holder)
        for entry, lists in enumerate(others.to_list())
        for holder, numbers in enumerate(lists)
        for number in numbers
    )


def of_ranges(begin, end, table):
    """(entry, number, holder) for the ranges of a table."""
    entries = zip(begin.to_list(), end.to_list(), table.to_list(), strict=True)
    return sorted(
        (entry, numbers[i], holder)
        for entry, (begins, ends, numbers) in enumerate(entries)
        for holder, (first, last) in enumerate(zip(begins, ends, strict=True))
        for i in range(first, last)
    )


@pytest.mark.parametrize(
    ("file", "edges"),
    [
        ("cms-pfnano/pfnano.root", 511),
        ("cms-nanoaod/nano_tt_v15.root", 9548),
        ("cms-nanoaod/nanoAOD_2015_CMS_Open_Data_ttbar.root", 3594),
        ("cms-nanoaod/nanoAOD_2015_ttbar_RNTuple.root", 460),
    ],
)
def test_mothers_of_nanoaod(data, file, edges):
    place = (file, "Events")
    columns = Columns(
        Collection(features={"pdg": "GenPart_pdgId"}, kind="gen"),
        edges=NodePointer("GenPart_genPartIdxMother"),
    )
    graph = graph_of(data, place, columns)
    (mother,) = branches(data, place, "GenPart_genPartIdxMother")
    assert graph.counts.tolist() == ak.num(mother).to_list()
    assert triples(graph) == of_links(mother[:, :, np.newaxis][mother[:, :, np.newaxis] >= 0])
    assert len(graph.senders) == edges


@pytest.mark.parametrize(("jet", "edges"), [("Jet", 1801), ("FatJet", 1076)])
def test_candidates_of_jets_are_a_bipartite_graph(data, jet, edges):
    place = ("cms-pfnano/pfnano.root", "Events")
    links = f"{jet}PFCands"
    columns = Columns(
        nodes(f"{jet}_pt", "PFCands_pt"),
        edges=EdgeList(
            f"{links}_pFCandsIdx",
            f"{links}_jetIdx",
            sender_nodes=1,
            receiver_nodes=0,
            features={"ratio": f"{links}_btagPtRatio"},
        ),
    )
    graph = graph_of(data, place, columns)
    numbers = branches(data, place, f"{links}_pFCandsIdx", f"{links}_jetIdx")
    ratio, pt = branches(data, place, f"{links}_btagPtRatio", "PFCands_pt")
    entry = ak.flatten(ak.broadcast_arrays(ak.local_index(numbers[0], axis=0), numbers[0])[0])
    flat = [ak.to_numpy(each) for each in (entry, *map(ak.flatten, numbers))]
    assert len(flat[0]) == edges
    assert triples(graph) == sorted(zip(*(each.tolist() for each in flat), strict=True))
    assert sorted(graph.edges[:, 0].tolist()) == sorted(ak.flatten(ratio).to_list())
    assert (graph.nodes[graph.receivers, 1] == 1).all()
    assert torch.equal(
        graph.nodes[graph.senders, 0].sort()[0],
        torch.from_numpy(np.sort(ak.to_numpy(ak.flatten(pt[numbers[0]])))),
    )


def test_secondary_vertices_that_are_none_make_no_edge(data):
    place = ("cms-pfnano/pfnano.root", "Events")
    edges = EdgeList("JetSVs_sVIdx", "JetSVs_jetIdx", sender_nodes=1, receiver_nodes=0)
    graph = graph_of(data, place, Columns(nodes("Jet_pt", "SV_pt"), edges=edges))
    (number,) = branches(data, place, "JetSVs_sVIdx")
    assert len(graph.senders) == ak.sum(number >= 0) == 33


def test_tracks_of_reconstructed_particles(data):
    edges = TableRange(
        f"{RECO}.tracks_begin",
        f"{RECO}.tracks_end",
        f"{RECO}#1.index",
        f"{RECO}#1.collectionID",
        6,
        into=1,
    )
    columns = Columns(nodes(f"{RECO}.charge", "EFlowTrack.chi2"), edges=edges)
    graph = graph_of(data, PODIO, columns)
    begin, end, index = branches(
        data, PODIO, f"{RECO}.tracks_begin", f"{RECO}.tracks_end", f"{RECO}#1/{RECO}#1.index"
    )
    assert triples(graph) == of_ranges(begin, end, index)
    assert len(graph.senders) == 2827
    # What has a track is charged, and nothing else is.
    charged = graph.nodes[:, 0].abs() == 1
    with_track = torch.zeros(len(charged), dtype=torch.bool)
    with_track[graph.receivers] = True
    particle = graph.nodes[:, 1] == 1
    assert torch.equal(with_track[particle], charged[particle])
    wrong = TableRange(**vars(edges) | {"collection_id": 7})
    with pytest.raises(DataError, match=r"events, entry 0, column .*the collection 7, got 6"):
        graph_of(data, PODIO, columns.replace(edges=wrong))


@pytest.mark.parametrize(
    ("name", "number", "size"), [("parents", 0, 13131), ("daughters", 1, 12950)]
)
def test_parents_and_daughters_of_edm4hep(data, name, number, size):
    """The file is a skim: a parent that was left out leaves a daughter without one."""
    table = f"Particle#{number}"
    begin, end = f"Particle.{name}_begin", f"Particle.{name}_end"
    edges = TableRange(begin, end, f"{table}.index", f"{table}.collectionID", 8)
    particle = Collection(features={"pdg": "Particle.PDG"}, kind="particle")
    graph = graph_of(data, PODIO, Columns(particle, edges=edges))
    assert triples(graph) == of_ranges(*branches(data, PODIO, begin, end, f"{table}/{table}.index"))
    assert len(graph.senders) == size


def test_daughters_of_delphes_are_ranges_and_have_their_mothers(data):
    particle = Collection(features={"pid": "Particle.PID"}, kind="particle")
    columns = Columns(particle, edges=NodeRange("Particle.D1", "Particle.D2"))
    graph = graph_of(data, DELPHES, columns)
    first, last = branches(data, DELPHES, "Particle.D1", "Particle.D2")
    expected = [
        (entry, mother, daughter)
        for entry, (lows, highs) in enumerate(zip(first.to_list(), last.to_list(), strict=True))
        for mother, (low, high) in enumerate(zip(lows, highs, strict=True))
        if low >= 0
        for daughter in range(low, high + 1)
    ]
    assert triples(graph) == sorted(expected)
    assert len(expected) == 65390
    mothers = NodeRange("Particle.M1", "Particle.M2", direction="in")
    assert set(expected) <= set(triples(graph_of(data, DELPHES, Columns(particle, edges=mothers))))


@pytest.mark.parametrize(("container", "edges"), [(490246363, 4), (339503174, 1)])
def test_links_of_atlas_count_in_their_container(data, container, edges):
    links = f"{MUONS}.inDetTrackParticleLink"
    columns = Columns(
        nodes(f"{MUONS}.pt", f"{TRACKS}.d0"), edges=ElementLinks(links, container, into=1)
    )
    graph = graph_of(data, PHYSLITE, columns)
    key, index = branches(
        data, PHYSLITE, f"{links}/{links}.m_persKey", f"{links}/{links}.m_persIndex"
    )
    mine = index[:, :, np.newaxis][(key == container)[:, :, np.newaxis]]
    assert triples(graph) == of_links(mine)
    assert len(graph.senders) == edges


def test_links_in_lists_of_lists_join_tracks_to_vertices(data):
    links = f"{VERTICES}.trackParticleLinks"
    columns = Columns(
        nodes(f"{VERTICES}.z", f"{TRACKS}.z0"), edges=ElementLinks(links, 490246363, into=1)
    )
    graph = graph_of(data, PHYSLITE, columns)
    (stored,) = branches(data, PHYSLITE, links)
    mine = stored.m_persIndex[stored.m_persKey == 490246363]
    assert triples(graph) == of_links(mine)
    assert len(graph.senders) == 1193
    # z0 is measured from the beam spot: a track lies near its vertex.
    z = graph.nodes[:, 0]
    apart = (z[graph.senders] - z[graph.receivers]).abs()
    shuffled = (z[graph.senders] - z[graph.receivers].roll(100)).abs()
    assert apart.median() < 0.1 * shuffled.median()


def test_lists_of_lists_in_trees_are_read(data):
    """No file of ours has an adjacency list in a tree; counts of tracks are of the same type."""
    lists = "AnalysisJetsAuxDyn.NumTrkPt500"
    (stored,) = branches(data, PHYSLITE, lists)
    columns = Columns(
        nodes("AnalysisJetsAuxDyn.pt", f"{TRACKS}.d0"),
        edges=AdjacencyList(lists, into=1, features={"n": lists}),
    )
    with pytest.raises(DataError, match=rf"column '{lists}'.*a node of the entry"):
        graph_of(data, PHYSLITE, columns)
    assert ak.max(stored) > 0


def test_pairs_of_tracks_know_whether_they_have_one_origin(data):
    place = ("btag-like/feasibility_200events.root", "tree")
    tracks = Collection(features={"d0": "track_d0", "z0": "track_z0"}, label="track_origin")
    one = "sender.track_origin == receiver.track_origin"
    edges = AllPairs(features={"d_z0": "sender.track_z0 - receiver.track_z0"}, label=one)
    graph = graph_of(data, place, Columns(tracks, edges=edges))
    origin, z0 = branches(data, place, "track_origin", "track_z0")
    one, other = ak.unzip(ak.combinations(origin, 2))
    assert len(graph.senders) == 2 * ak.sum(ak.num(one))
    assert int(graph.edge_labels.sum()) == 2 * ak.sum(one == other)
    assert torch.equal(graph.node_labels, torch.from_numpy(ak.to_numpy(ak.flatten(origin))).long())
    first, second = ak.unzip(ak.combinations(z0, 2))
    apart = np.sort(np.abs(ak.to_numpy(ak.flatten(first - second))))
    assert np.allclose(graph.edges[:, 0].abs().sort()[0][::2].numpy(), apart, rtol=1e-6)
