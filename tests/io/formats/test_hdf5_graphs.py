"""Graphs in HDF5: what is written flat is read graph by graph, local or counted through."""

import numpy as np
import pytest
import torch

from hepml.data import Graph
from hepml.errors import ColumnError, DataError
from hepml.io import BatchStream, Collection, Columns, EdgeList, contents_of, iterate, locate, read

h5py = pytest.importorskip("h5py", reason="needs h5py")

NODES = Collection(features={"a": "x_0", "b": "x_1"}, positions={"eta": "pos_0", "phi": "pos_1"})


def make(graphs=30, seed=0):
    """Flat datasets of random graphs; senders and receivers count in each graph."""
    random = np.random.default_rng(seed)
    nodes, edges = random.integers(0, 6, graphs), random.integers(0, 9, graphs)
    edges[nodes == 0] = 0
    bounds = [np.concatenate([[0], np.cumsum(each)]) for each in (nodes, edges)]
    ends = random.integers(0, np.repeat(np.maximum(nodes, 1), edges), (2, edges.sum()))
    return {
        "node_offsets": bounds[0],
        "edge_offsets": bounds[1],
        "edge_index": ends,
        "x": random.normal(size=(nodes.sum(), 2)).astype(np.float32),
        "pos": random.normal(size=(nodes.sum(), 2)).astype(np.float32),
        "weight": random.normal(size=edges.sum()).astype(np.float32),
        "kind": random.integers(0, 2, graphs),
        "title": np.array([b"text"] * graphs),
    }


def write(path, data, group="/"):
    with h5py.File(path, "a") as file:
        for name, values in data.items():
            file.require_group(group)[name] = values
    return str(path)


def columns(sender="edge_index_0", receiver="edge_index_1"):
    edges = EdgeList(sender, receiver, features={"weight": "weight"})
    return Columns(NODES, edges=edges, label="kind", classes=("a", "b"))


def expected(data):
    """The batch that the flat datasets are."""
    first = np.repeat(data["node_offsets"][:-1], np.diff(data["edge_offsets"]))
    return Graph.from_edges(
        torch.from_numpy(data["x"]),
        *torch.from_numpy(data["edge_index"] + first),
        torch.from_numpy(data["node_offsets"]),
        edges=torch.from_numpy(data["weight"])[:, None],
        positions=torch.from_numpy(data["pos"]),
        labels=torch.from_numpy(data["kind"]),
    )


def same(one, other):
    return one.tensors().keys() == other.tensors().keys() and all(
        torch.equal(value, other.tensors()[name]) for name, value in one.tensors().items()
    )


@pytest.mark.parametrize("group", ["/", "set/train"])
def test_graphs_are_read_as_they_were_written(tmp_path, group):
    data = make()
    path = write(tmp_path / "graphs.h5", data, group)
    graph = read(path, columns())
    assert same(graph, expected(data))
    parts = [chunk.particles for chunk in iterate(path, columns(), step=7)]
    assert len(parts) > 1
    assert sum(len(part.senders) for part in parts) == len(graph.senders)
    assert same(read(f"{path}:{group}", columns(), entry_start=5, entry_stop=21), graph[5:21])
    shuffled = BatchStream(path, columns(), batch_size=4, shuffle=True)
    found = torch.cat([batch.edges for batch in shuffled])
    assert torch.equal(found.sort(0)[0], graph.edges.sort(0)[0])


def test_indices_that_count_through_lose_the_first_node_of_their_graph(tmp_path):
    data = make()
    first = np.repeat(data["node_offsets"][:-1], np.diff(data["edge_offsets"]))
    path = write(tmp_path / "graphs.h5", data | {"edge_index": data["edge_index"] + first})
    through = columns("edge_index_0 - node_offsets", "edge_index_1 - node_offsets")
    assert same(read(path, through), expected(data))
    assert same(read(path, through, entry_start=9), expected(data)[9:])
    with pytest.raises(DataError, match=r"graphs.h5:/, entry \d+, column 'edge_index_0'"):
        read(path, columns())


def test_the_columns_are_listed(tmp_path):
    path = write(tmp_path / "graphs.h5", make(), "graphs")
    (tree,) = contents_of(locate(path)[0]).trees
    assert (tree.name, tree.kind, tree.entries) == ("graphs", "graphs", 30)
    assert tree.columns["x_1"] == "float32[]"
    assert tree.columns["edge_index_1"] == "int64[]"
    assert tree.columns["kind"] == "int64"
    assert "title" not in tree.columns


def test_a_dataset_of_nodes_or_edges_says_which_where_they_are_equally_many(tmp_path):
    data = {
        "node_offsets": [0, 1, 3],
        "edge_offsets": [0, 1, 3],
        "edge_index": [[0, 0, 1], [0, 1, 1]],
        "node_x": [1.0, 2.0, 3.0],
        "edge_y": [4.0, 5.0, 6.0],
        "z": [7.0, 8.0, 9.0],
    }
    path = write(tmp_path / "graphs.h5", {name: np.array(each) for name, each in data.items()})
    edges = EdgeList("edge_index_0", "edge_index_1", features={"y": "edge_y"})
    graph = read(path, Columns(Collection(features={"x": "node_x"}), edges=edges))
    assert graph.nodes[:, 0].tolist() == [1, 2, 3]
    assert graph.edges[:, 0].tolist() == [4, 5, 6]
    assert graph.senders.tolist() == [0, 1, 2]
    with pytest.raises(ColumnError, match=r"dataset 'z': expected a name that begins with node"):
        read(path, Columns(Collection(features={"z": "z"}), edges=edges))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("node_offsets", [0, 5, 3], "never fall"),
        ("node_offsets", [1, 2], "where each graph begins"),
        ("edge_offsets", [0.0, 1.0], "whole numbers"),
        ("edge_offsets", [0, 1], "of equally many graphs, got 30 and 1"),
    ],
)
def test_what_are_no_offsets_is_refused(tmp_path, name, values, said):
    path = write(tmp_path / "graphs.h5", make() | {name: np.array(values)})
    with pytest.raises(DataError, match=said):
        read(path, columns())


def test_a_file_of_several_groups_is_asked_which(tmp_path):
    for group in ("train", "test"):
        path = write(tmp_path / "graphs.h5", make(), group)
    with pytest.raises(ColumnError, match="test, train"):
        read(path, columns())
    assert len(read(f"{path}:test", columns())) == 30
