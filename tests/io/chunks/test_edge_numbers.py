"""Features and labels of edges out of the nodes at their ends."""

import numpy as np
import pytest
import torch

from hepml.errors import ColumnError, DataError, InputError
from hepml.io import Collection, Columns, EdgeList, NodePointer, read
from tests.support.graph_files import jagged, random_graphs

NODES = [
    Collection(features={"name": "thing"}, kind="is_thing", cut="thing % 3 != 1"),
    Collection(features={"name": "other"}),
]


def save(write, path, way="list", seed=2):
    owned = random_graphs(way, seed=seed)
    branches, edges = owned.write(way)
    branches["number"] = np.arange(len(owned.others), dtype=np.int32)
    # What no feature of a node is made of.
    branches["weight"] = branches["other"] * 2
    path = path / "graphs.root"
    write(path, branches, kind="rntuple" if way == "adjacency" else "ttree")
    return str(path), edges


@pytest.mark.parametrize("way", ["list", "pointer", "links", "table", "range", "adjacency"])
def test_an_edge_knows_the_columns_of_both_ends(way, write, tmp_path):
    path, edges = save(write, tmp_path, way)
    thing, other = ("sender", "receiver") if way == "range" else ("receiver", "sender")
    features = {
        "thing": f"{thing}.thing",
        "weight": f"{other}.weight",
        "gap": f"{other}.other - {thing}.thing",
        "entry": "sender.number",
    }
    label = f"({thing}.thing % 2) + ({other}.other % 3 == 0)"
    edges = type(edges)(**vars(edges) | {"features": features, "label": label})
    graph = read(path, Columns(NODES, edges=edges))
    assert len(graph.senders) > 10
    receiver, sender = graph.nodes[graph.receivers, 0], graph.nodes[graph.senders, 0]
    things, others = (sender, receiver) if way == "range" else (receiver, sender)
    expected = [things, 2 * others, others - things, things // 1000]
    for found, values in zip(graph.edges.T, expected, strict=True):
        assert found.tolist() == values.tolist()
    labels = things.long() % 2 + (others.long() % 3 == 0)
    assert graph.edge_labels.tolist() == labels.tolist()


def test_in_both_directions_each_edge_has_its_own_ends(write, tmp_path):
    parent = jagged([[-1, 0, 0, 1], [-1, 0]])
    path = write(tmp_path / "tree.root", {"parent": parent, "x": parent * 10})
    pointer = NodePointer("parent", direction="both", features={"gap": "sender.x - receiver.x"})
    graph = read(path, Columns(Collection(features={"x": "x"}), edges=pointer))
    gap = graph.nodes[graph.senders, 0] - graph.nodes[graph.receivers, 0]
    assert graph.edges[:, 0].tolist() == gap.tolist()
    assert sorted(gap.tolist()) == [-10, -10, -10, -10, 10, 10, 10, 10]


def test_labels_that_are_no_classes_make_a_bad_graph(write, tmp_path):
    path, edges = save(write, tmp_path)
    edges = type(edges)(**vars(edges) | {"label": "sum / 2"})
    with pytest.raises(DataError, match=r"'sum / 2' \(edge label\): expected whole numbers from 0"):
        read(path, Columns(NODES, edges=edges))


def test_edges_have_targets_and_named_classes(write, tmp_path):
    path, edges = save(write, tmp_path)
    targets = {"gap": "sender.other - receiver.thing", "sum": "sum"}
    classes = ("even", "odd")
    changes = {"targets": targets, "label": "sender.other % 2", "classes": classes}
    columns = Columns(NODES, edges=type(edges)(**vars(edges) | changes))
    assert Columns.from_dict(columns.to_dict()) == columns
    assert columns.edge_class_names == classes
    assert columns.edge_target_names == ("gap", "sum")
    graph = read(path, columns)
    gap = graph.nodes[graph.senders, 0] - graph.nodes[graph.receivers, 0]
    assert torch.equal(graph.edge_targets, torch.stack([gap, graph.edges[:, 0]], 1))
    assert read(path, columns.without_labels()).edge_targets is None
    bad = type(edges)(**vars(edges) | changes | {"label": "sender.other % 3"})
    with pytest.raises(DataError, match=r"expected one of 0..1 \(even, odd\), got 2"):
        read(path, columns.replace(edges=bad))
    bad = type(edges)(**vars(edges) | {"targets": {"x": "log(sum - sum)"}})
    with pytest.raises(DataError, match=r"\(edge target x\): .* got -inf \(edge target not finite"):
        read(path, columns.replace(edges=bad))
    with pytest.raises(InputError, match="the same targets of all edges"):
        columns.replace(edges=[edges, bad])


def test_what_the_ends_do_not_have_is_refused(write, tmp_path):
    path, edges = save(write, tmp_path)

    def refuses(error, match, **changes):
        with pytest.raises(error, match=match):
            read(path, Columns(NODES, edges=type(edges)(**vars(edges) | changes)))

    refuses(ColumnError, "weight", features={"w": "sender.wieght"})
    refuses(ColumnError, "thing", senders="sender.thing")
    refuses(
        InputError,
        "both directions between two collections",
        direction="both",
        features={"w": "sender.weight"},
    )
    # The other collection has other lists.
    refuses(DataError, "unequal lengths", features={"w": "receiver.weight"})
    with pytest.raises(InputError, match="a label of all edges or of none"):
        Columns(NODES, edges=[edges, EdgeList("a", "b", label="0")])
