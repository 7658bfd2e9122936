"""Graphs in small files: nodes at random places, each of one of two vertices."""

from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from hepml.io import AllPairs, Collection, Columns, EdgeList

TREE = "events"


def write_graphs(path: Path, graphs: int = 300, seed: int = 0) -> Path:
    """A file of nodes with the coordinate z of their vertex, smeared, and an edge list of its own.

    The list joins neighbours in a ring, in an order that is not that of the receivers.
    """
    random = np.random.default_rng(seed)
    counts = random.integers(0, 6, graphs)
    total = int(counts.sum())
    vertex = random.integers(0, 2, total)
    nodes = {
        "z": (2.0 * vertex + random.normal(0, 0.2, total)).astype(np.float32),
        "x": random.normal(0, 1, total).astype(np.float32),
        "vertex": vertex.astype(np.int8),
    }
    jagged = {name: ak.unflatten(values, counts) for name, values in nodes.items()}
    ring = [random.permutation(n) for n in counts]
    lists = {
        "from": ak.unflatten(np.concatenate(ring).astype(np.int32), counts),
        "to": ak.unflatten(
            np.concatenate([(r + 1) % max(len(r), 1) for r in ring]).astype(np.int32), counts
        ),
    }
    of_graphs = {
        "label": np.array([np.sum(v) > 1 for v in jagged["vertex"]], np.int8),
        "height": np.array([np.sum(z) for z in jagged["z"]], np.float32),
    }
    with uproot.recreate(path) as file:
        file.mktree(
            TREE,
            {
                "node": ak.zip(jagged).type,
                "edge": ak.zip(lists).type,
                **{name: values.dtype for name, values in of_graphs.items()},
            },
        )
        file[TREE].extend({"node": ak.zip(jagged), "edge": ak.zip(lists), **of_graphs})
    return path


_EDGES = {
    "features": {"dz": "sender.node_z - receiver.node_z"},
    "label": "sender.node_vertex == receiver.node_vertex",
    "classes": ("different", "same"),
    "targets": {"step": "sender.node_z - receiver.node_z + 1"},
}
_NODES = Collection(
    {},
    features={"z": "node_z", "x": "node_x"},
    label="node_vertex",
    classes=("near", "far"),
    targets={"twice": "2 * node_z"},
)
# All that the files have to be learned, on all pairs and on the edges that they hold.
BUILT = Columns(
    _NODES,
    label="label",
    classes=("few", "many"),
    targets={"height": "height"},
    edges=AllPairs(**_EDGES),
)
STORED = BUILT.replace(edges=EdgeList("edge_from", "edge_to", **_EDGES))
