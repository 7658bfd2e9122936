"""Edges that are made while nodes are read: against distances of all pairs in numpy."""

import math

import numpy as np
import pytest
import torch

from hepml.data import Graph
from hepml.errors import DataError, InputError
from hepml.io import (
    AllPairs,
    BatchStream,
    Collection,
    Columns,
    JetIndex,
    NearestNeighbours,
    NeighboursWithin,
    iterate,
    read,
)
from tests.support.graph_files import jagged

TURN = {"phi": 2 * math.pi}
POSITIONS = {"eta": "part_pz / 50", "phi": "arctan2(part_py, part_px)"}
NODES = Collection(features={"charge": "part_charge"}, positions=POSITIONS)


def distances(positions):
    """Between all nodes of a graph, periodic in phi."""
    apart = np.abs(positions[:, None] - positions[None]).astype(np.float64)
    apart[..., 1] = np.minimum(apart[..., 1], 2 * math.pi - apart[..., 1])
    apart = np.hypot(apart[..., 0], apart[..., 1])
    np.fill_diagonal(apart, np.inf)
    return apart


def pairs_by(choose, graph):
    """(sender, receiver) of all graphs, from what is chosen of the distances of each."""
    found = set()
    for first, last in zip(graph.node_offsets, graph.node_offsets[1:], strict=False):
        chosen = choose(distances(graph.positions[first:last].numpy()))
        found |= {(int(first) + s, int(first) + r) for r, s in zip(*chosen, strict=True)}
    return found


def edges_of(graph):
    graph = Graph(**graph.tensors())
    return set(zip(graph.senders.tolist(), graph.receivers.tolist(), strict=True))


def nearest(neighbours):
    def choose(apart):
        order = np.argsort(apart, axis=1)[:, : min(neighbours, max(len(apart) - 1, 0))]
        return np.repeat(np.arange(len(apart)), order.shape[1]), order.reshape(-1)

    return choose


WAYS = [
    (AllPairs(), lambda apart: np.nonzero(apart < np.inf)),
    (NearestNeighbours(3, period=TURN), nearest(3)),
    (NeighboursWithin(1.5, period=TURN), lambda apart: np.nonzero(apart <= 1.5)),
]


@pytest.mark.parametrize(("edges", "choose"), WAYS, ids=["all pairs", "nearest", "within"])
def test_edges_are_those_of_all_distances(small, edges, choose):
    path, _ = small
    columns = Columns(NODES, edges=edges)
    graph = read(path, columns)
    assert len(graph) == 60
    assert len(graph.senders) > 100
    assert edges_of(graph) == pairs_by(choose, graph)
    chunks = [chunk.particles for chunk in iterate(path, columns, step=7)]
    assert sum(len(each.senders) for each in chunks) == len(graph.senders)
    for batch in BatchStream(path, columns, batch_size=9, shuffle=True):
        assert edges_of(batch) == pairs_by(choose, batch)


def test_what_is_cut_is_nobody_s_neighbour(small):
    path, _ = small
    nodes = Collection(features=NODES.features, positions=POSITIONS, cut="part_charge != 0")
    graph = read(path, Columns(nodes, edges=NearestNeighbours(2, period=TURN)))
    assert (graph.nodes[:, 0] != 0).all()
    assert edges_of(graph) == pairs_by(nearest(2), graph)


def test_features_and_classes_come_from_both_ends(small):
    path, _ = small
    edges = AllPairs(
        features={"d_pz": "sender.part_pz - receiver.part_pz", "entry": "receiver.entry"},
        label="sender.part_charge == receiver.part_charge",
    )
    graph = read(path, Columns(NODES, edges=edges))
    pz = 50 * graph.positions[:, 0]
    gap = pz[graph.senders] - pz[graph.receivers]
    assert torch.allclose(graph.edges[:, 0], gap, rtol=1e-4, atol=1e-4)
    assert torch.equal(graph.edges[:, 1].long(), graph.edge_index)
    charge = graph.nodes[:, 0]
    assert torch.equal(graph.edge_labels == 1, charge[graph.senders] == charge[graph.receivers])
    with pytest.raises(InputError, match=r"columns of the nodes.*got part_pz"):
        read(path, Columns(NODES, edges=AllPairs(features={"pz": "part_pz"})))


def test_jets_of_an_event_are_graphs_of_their_own(write, tmp_path):
    branches = {
        "Jet_pt": jagged([[30, 20], [], [10]], np.float32),
        "part_x": jagged([[1, 2, 3, 4], [], [5, 6]], np.float32),
        "part_jet": jagged([[1, 0, 1, -1], [], [0, 0]]),
    }
    path = write(tmp_path / "events.root", branches)
    nodes = Collection(features={"x": "part_x"}, index=JetIndex("Jet_pt", "part_jet"))
    edges = AllPairs(features={"from": "sender.part_x", "pt": "receiver.Jet_pt"})
    graph = read(path, Columns(nodes, edges=edges))
    assert graph.nodes[:, 0].tolist() == [2, 1, 3, 5, 6]
    assert edges_of(graph) == {(1, 2), (2, 1), (3, 4), (4, 3)}
    assert graph.edges[:, 0].tolist() == graph.nodes[graph.senders, 0].tolist()
    assert graph.edges[:, 1].tolist() == [20, 20, 10, 10]


def test_positions_that_are_not_finite_make_a_bad_graph(write, tmp_path):
    branches = {"x": jagged([[1, 2], [np.nan, 1], [3, np.inf], [4, 5]], np.float32)}
    path = write(tmp_path / "x.root", branches)
    nodes = Collection(features={"one": "x == x"}, positions={"x": "x", "y": "0 * x"})
    columns = Columns(nodes, edges=NearestNeighbours(1))
    with pytest.raises(DataError, match=r"entry 1, column 'x' \(position x\).*nan in particle 0"):
        read(path, columns)
    with pytest.warns(UserWarning, match="dropped 2 bad sets: 2 position not finite"):
        graph = read(path, columns, bad="drop")
    assert edges_of(graph) == {(0, 1), (1, 0), (2, 3), (3, 2)}
