"""Tables of nodes, edges and graphs as one batch."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hepml.data import Graph
from hepml.io.chunks._assemble import Particles
from hepml.io.chunks._edges import Edges


def graph_of(nodes: Particles, edges: Edges, of_sets: Mapping[str, Any], kept: Any) -> Graph:
    """The graphs that are kept of a chunk.

    Parameters
    ----------
    nodes, edges
        Those of all graphs.
    of_sets
        Context, labels, targets and weights of all graphs, or None.
    kept
        A mask of the graphs.
    """
    # Everything that a Graph checks has been checked, with names of columns.
    graph = Graph._trusted(
        nodes=torch.from_numpy(nodes.features),
        senders=torch.from_numpy(edges.senders),
        receivers=torch.from_numpy(edges.receivers),
        node_offsets=torch.from_numpy(nodes.offsets),
        edge_offsets=torch.from_numpy(edges.offsets),
        edges=_or_none(edges.features),
        edge_labels=None if edges.labels is None else torch.from_numpy(edges.labels),
        edge_targets=_or_none(edges.targets),
        positions=_or_none(nodes.positions),
        node_labels=None if nodes.labels is None else torch.from_numpy(nodes.labels),
        node_targets=None if nodes.targets is None else torch.from_numpy(nodes.targets),
        p4=_or_none(nodes.p4),
        **{name: None if v is None else torch.from_numpy(v) for name, v in of_sets.items()},
    )
    return graph if kept.all() else graph[torch.from_numpy(kept)]


def _or_none(table: Any) -> Tensor | None:
    """A table as a tensor; one without columns is none."""
    return torch.from_numpy(table) if table.shape[1] else None
