"""Edges as files have them: small files in each way, read as graphs, against plain loops."""

import awkward as ak
import numpy as np
import pytest
import torch

from hepml.data import Graph
from hepml.errors import ColumnError, DataError, InputError
from hepml.io import (
    AdjacencyList,
    BatchStream,
    Collection,
    Columns,
    EdgeList,
    ElementLinks,
    NodePointer,
    NodeRange,
    TableRange,
    iterate,
    read,
    read_array,
)
from tests.support.graph_files import KEY, Owned, jagged, random_graphs

WAYS = ("list", "pointer", "links", "table", "range", "adjacency")
NODES = [
    Collection(features={"name": "thing"}, kind="is_thing"),
    Collection(features={"name": "other"}),
]


def save(write, path, branches):
    """A file; lists of lists are beyond uproot's trees, not beyond its RNTuples."""
    deep = any(ak.Array(values).ndim > 2 for values in branches.values())
    return write(path, branches, kind="rntuple" if deep else "ttree")


def pairs(graph):
    """The names of both ends of each edge: thing and other."""
    name = graph.nodes[:, 0].long()
    ends = torch.stack([name[graph.senders], name[graph.receivers]], dim=1).tolist()
    return [tuple(sorted(each, key=lambda n: n % 1000)) for each in ends]


def checked(graph):
    """The same graph, looked at by the constructor."""
    return Graph(**graph.tensors())


@pytest.mark.parametrize("way", WAYS)
def test_each_way_gives_the_edges_of_plain_loops(way, write, tmp_path):
    owned = random_graphs(way)
    branches, edges = owned.write(way)
    path = save(write, tmp_path / "graphs.root", branches)
    columns = Columns(NODES, edges=edges)
    graph = checked(read(path, columns))
    assert graph.node_offsets.diff().tolist() == [
        len(lists) + count for lists, count in zip(owned.lists, owned.others, strict=True)
    ]
    assert sorted(pairs(graph)) == sorted(owned.joined)
    # A thing receives, but in a range it sends to what it names.
    receives = graph.nodes[graph.receivers, 1] == 1
    assert receives.all() != (way == "range")
    in_chunks = list(iterate(path, columns, step=5))
    assert len(in_chunks) > 1
    assert [p for c in in_chunks for p in pairs(checked(c.particles))] == pairs(graph)
    array = {name: ak.Array(values) for name, values in branches.items()}
    of_array = read_array(ak.zip(array, depth_limit=1), columns).particles
    assert of_array.tensors().keys() == graph.tensors().keys()
    assert all(torch.equal(graph.tensors()[k], v) for k, v in of_array.tensors().items())
    batches = list(BatchStream(path, columns, batch_size=5, shuffle=True))
    assert sorted(p for batch in batches for p in pairs(checked(batch))) == sorted(owned.joined)


@pytest.mark.parametrize("way", ["list", "pointer", "adjacency"])
@pytest.mark.parametrize("direction", ["in", "out", "both"])
def test_features_go_with_their_edges_in_every_direction(way, direction, write, tmp_path):
    owned = random_graphs(way, seed=3)
    branches, edges = owned.write(way)
    edges = type(edges)(**vars(edges) | {"direction": direction})
    graph = checked(read(save(write, tmp_path / "g.root", branches), Columns(NODES, edges=edges)))
    expected = [(thing, other, thing % 1000 + other % 500) for thing, other in owned.joined]
    found = zip(pairs(graph), graph.edges[:, 0].long().tolist(), strict=True)
    times = 2 if direction == "both" else 1
    assert sorted((*each, n) for each, n in found) == sorted(expected * times)
    receives = graph.nodes[graph.receivers, 1].mean().item()
    assert receives == {"in": 1.0, "out": 0.0, "both": 0.5}[direction]


def test_a_node_may_point_to_one_of_its_own_kind(write, tmp_path):
    parent = jagged([[-1, 0, 0, 1], [], [-1], [1, -1]])
    path = write(tmp_path / "tree.root", {"parent": parent, "pt": ak.values_astype(parent, "f4")})
    graph = checked(
        read(path, Columns(Collection(features={"pt": "pt"}), edges=NodePointer("parent")))
    )
    assert graph.senders.tolist() == [0, 0, 1, 6]
    assert graph.receivers.tolist() == [1, 2, 3, 5]
    assert graph.node_offsets.tolist() == [0, 4, 4, 5, 7]
    assert graph.edge_offsets.tolist() == [0, 3, 3, 3, 4]


def test_edges_of_several_ways_are_merged_with_their_kinds(write, tmp_path):
    owned = random_graphs("pointer", seed=5)
    branches, _ = owned.write("pointer")
    branches["twin"] = ak.local_index(branches["other"])
    edges = [
        NodePointer("pointer", into=1, kind="is_pointer", features={"sum": "sum"}),
        NodePointer("twin", owner=1, into=1, kind="is_twin"),
    ]
    columns = Columns(NODES, edges=edges)
    assert columns.edge_feature_names == ("sum", "is_pointer", "is_twin")
    graph = checked(read(save(write, tmp_path / "g.root", branches), columns))
    pointed = graph.edges[:, 1] == 1
    assert (graph.edges[:, 2] == 1 - graph.edges[:, 1]).all()
    assert pointed.sum() == len(owned.joined)
    assert (graph.senders == graph.receivers)[~pointed].all()
    assert (~pointed).sum() == sum(owned.others)
    assert (graph.edges[~pointed, 0] == 0).all()


@pytest.mark.parametrize("way", WAYS)
def test_edges_of_nodes_that_are_cut_go_with_them(way, write, tmp_path):
    owned = random_graphs(way, seed=1)
    branches, edges = owned.write(way)
    nodes = [
        Collection(features={"name": "thing"}, cut="thing % 2 == 0"),
        Collection(features={"name": "other"}, cut="other % 3 != 0"),
    ]
    path = save(write, tmp_path / "g.root", branches)
    graph = checked(read(path, Columns(nodes, edges=edges, cut="entry != 3")))
    expected = [
        (thing, other)
        for thing, other in owned.joined
        if thing % 2 == 0 and other % 3 != 0 and thing // 1000 != 3
    ]
    assert 0 < len(expected) < len(owned.joined)
    assert sorted(pairs(graph)) == sorted(expected)


def test_momenta_labels_context_and_weights_go_with_graphs(write, tmp_path):
    parent = jagged([[-1, 0], [-1], []])
    branches = {
        "parent": parent,
        "pt": jagged([[30, 10], [20], []], np.float32),
        "label": np.array([0, 1, 1], np.int8),
        "w": np.array([1.0, 2.0, 0.5], np.float32),
    }
    zero = {"eta": "0 * pt", "phi": "0 * pt", "mass": "0"}
    columns = Columns(
        Collection({"pt": "pt"} | zero, positions={"eta": "pt / 10", "phi": "pt"}),
        edges=NodePointer("parent"),
        label="label",
        classes=("a", "b"),
        weights="w",
        context={"n": "sum(pt > 15)"},
    )
    graph = checked(read(write(tmp_path / "g.root", branches), columns))
    assert graph.p4[:, 0].tolist() == [30, 10, 20]
    assert graph.positions.tolist() == [[3, 30], [1, 10], [2, 20]]
    assert graph.nodes.shape == (3, 0)
    assert graph.edges is None
    assert graph.labels.tolist() == [0, 1, 1]
    assert graph.weights.tolist() == [1, 2, 0.5]
    assert graph.context[:, 0].tolist() == [1, 1, 0]


def test_nodes_and_particles_have_classes_of_their_own(write, tmp_path):
    owned = random_graphs("pointer", seed=4)
    branches, edges = owned.write("pointer")
    branches["px"] = branches["thing"] * 1.0
    path = save(write, tmp_path / "g.root", branches)
    first, second = (
        Collection(features=part.features, cut=f"{name} % 3 != 0", label=f"{name} % {modulus}")
        for part, name, modulus in zip(NODES, ("thing", "other"), (2, 5), strict=True)
    )
    columns = Columns([first, second], edges=edges)
    assert Columns.from_dict(columns.to_dict()) == columns
    graph = checked(read(path, columns))
    modulus = torch.where(graph.nodes[:, 0] % 1000 < 500, 2, 5)
    assert torch.equal(graph.node_labels, graph.nodes[:, 0].long() % modulus)
    assert read(path, columns.without_labels()).node_labels is None
    momentum = {"E": "px + 1", "px": "px", "py": "0 * px", "pz": "0 * px"}
    particles = Collection(momentum, {"name": "thing"}, label="thing % 2 == 0")
    sets = read(path, Columns(particles, cut="entry > 2"))
    assert torch.equal(sets.particle_labels, (sets.features[:, 0] % 2 == 0).long())
    assert Columns(particles).without_labels() == Columns(Collection(momentum, {"name": "thing"}))
    with pytest.raises(DataError, match=r"'thing / 2' \(label of particles\).*0.5 in particle 1"):
        read(path, Columns(Collection(momentum, label="thing / 2")))
    with pytest.raises(InputError, match="a label of each collection, or of none"):
        Columns([first, Collection(features={"name": "other"})], edges=edges)


# What is spoilt: way, branch, entry, value there, and what the message says.
SPOILT = {
    "pointer": ("pointer", 99, r"'pointer'.*of the entry, or -1.*got 99, of \d nodes"),
    "negative pointer": ("pointer", -2, r"'pointer'.*got -2, of \d nodes"),
    "sender": ("from_other", 77, r"'from_other'.*got 77, of \d nodes"),
    "receiver": ("to_thing", 0, r"'to_thing - 1'.*of \d nodes"),
    "link": ("link.m_persIndex", 70, r"'link.m_persIndex'.*got 70, of \d nodes"),
    "table": ("table.index", 70, r"'table.index'.*got 70, of \d nodes"),
    "end": ("end", 70, r"'begin', 'end'.*got \d+ to 70 of \d+ numbers"),
    "collection": ("table.collectionID", 8, r"'table.collectionID'.*collection 6, got 8 beside"),
    "first": ("first", 70, r"'first'.*got 70, of \d nodes"),
    "next": ("next", 70, r"'next'.*got 70, of \d nodes"),
}
WAY_OF = {
    **dict.fromkeys(["pointer", "negative pointer"], "pointer"),
    **dict.fromkeys(["sender", "receiver"], "list"),
    "link": "links",
    **dict.fromkeys(["table", "end", "collection"], "table"),
    "first": "range",
    "next": "adjacency",
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_number_that_no_node_has_names_file_branch_entry_and_value(what, write, tmp_path):
    branch, value, said = SPOILT[what]
    others = [2, 0, 3]
    lists = [[[0], [1]], [], [[2], [0, 1] if WAY_OF[what] == "range" else [1]]]
    branches, edges = Owned(lists, others).write(WAY_OF[what])
    spoilt = branches[branch].to_list()
    # A negative number of one that counts from 1 is -1, which is none: two below.
    value = -1 if what == "receiver" else value
    last = spoilt[2][-1]
    spoilt[2] = [*spoilt[2][:-1], [value] if isinstance(last, list) else value]
    like = np.asarray(ak.flatten(branches[branch], axis=None)).dtype
    branches[branch] = ak.values_astype(ak.Array(spoilt), like)
    path = save(write, tmp_path / "g.root", branches)
    columns = Columns(NODES, edges=edges)
    with pytest.raises(DataError, match=rf"g.root:tree, entry 2, column {said}"):
        read(path, columns)
    with pytest.warns(UserWarning, match="dropped 1 bad sets"):
        graph = checked(read(path, columns, bad="drop"))
    assert len(graph) == 2
    assert sorted(pairs(graph)) == [(0, 500), (1, 501)]


@pytest.mark.parametrize("way", ["list", "pointer", "table", "adjacency"])
def test_lists_of_another_length_make_a_bad_graph(way, write, tmp_path):
    branches, edges = Owned([[[0], [1]], [[0], [0]]], [2, 1]).write(way)
    branch = {"list": "to_thing", "pointer": "sum", "table": "end", "adjacency": "sums"}[way]
    kind = np.asarray(ak.flatten(branches[branch], axis=None)).dtype
    lists = branches[branch].to_list()
    lists[1] = [[], [0, 0]] if way == "adjacency" else lists[1][:1]
    branches[branch] = ak.values_astype(ak.Array(lists), kind)
    path = save(write, tmp_path / "g.root", branches)
    with pytest.raises(DataError, match=rf"entry 1, column '{branch}'.*unequal lengths"):
        read(path, Columns(NODES, edges=edges))
    with pytest.warns(UserWarning, match="dropped 1 bad sets: 1 unequal lengths"):
        assert len(read(path, Columns(NODES, edges=edges), bad="drop")) == 1


def test_features_of_edges_that_are_not_finite_make_a_bad_graph(write, tmp_path):
    branches, edges = Owned([[[0]], [[0]]], [1, 1]).write("pointer")
    branches["sum"] = jagged([[1], [np.nan]], np.float32)
    path = save(write, tmp_path / "g.root", branches)
    with pytest.raises(DataError, match=r"entry 1, column 'sum' \(edge feature sum\).*got nan"):
        read(path, Columns(NODES, edges=edges))


def test_what_cannot_say_what_is_joined_is_refused(write, tmp_path):
    branches, _ = Owned([[[0]], [[0]]], [1, 1]).write("pointer")
    branches["one"] = np.zeros(2, np.int32)
    path = save(write, tmp_path / "g.root", branches)

    def refuses(edges, error, match):
        with pytest.raises(error, match=match):
            read(path, Columns(NODES, edges=edges))

    refuses(NodePointer("poniter", into=1), ColumnError, "nearest are pointer")
    refuses(NodePointer("one", into=1), ColumnError, "a list of numbers in each entry.*got one")
    refuses(NodePointer("pointer - sum(thing)", into=1), InputError, "without reductions")
    refuses(EdgeList("one", "pointer"), ColumnError, r"EdgeList.senders 'one'")
    refuses(AdjacencyList("pointer", into=1), ColumnError, "a list of lists of numbers")
    refuses(ElementLinks("pointer", KEY, into=1), ColumnError, "member 'm_persKey'")
    refuses(NodeRange("one", "one"), ColumnError, "a list of numbers")
    refuses(TableRange("thing", "thing", "one"), ColumnError, r"TableRange.table 'one'")
