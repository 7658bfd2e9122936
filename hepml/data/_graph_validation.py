"""What a Graph refuses, once, when it is made."""

import torch
from torch import Tensor

from hepml.data._validation import FLOATS, check_finite, describe, is_dense
from hepml.errors import InputError


def check_nodes(nodes: Tensor) -> None:
    """Refuse anything but finite (nodes, channels) in floating point."""
    if not is_dense(nodes, 2) or nodes.dtype not in FLOATS:
        raise InputError(
            "nodes",
            expected="a tensor of shape (nodes, channels) in floating point",
            got=describe(nodes),
            fix="give one row of numbers for each node; (nodes, 0) if there are none",
        )
    check_finite("nodes", nodes)


def check_edges(senders: Tensor, receivers: Tensor, offsets: Tensor, nodes: Tensor) -> Tensor:
    """Refuse edges that are not between nodes of one graph, in the order of receivers.

    Returns
    -------
    :
        The bounds of the edges of each graph.
    """
    for name, ends in (("senders", senders), ("receivers", receivers)):
        if not is_dense(ends, 1) or ends.dtype != torch.int64 or ends.device != nodes.device:
            raise InputError(
                name,
                expected=f"int64 of shape (edges,) on {nodes.device}",
                got=describe(ends),
                fix="give the number of a node of the batch for each edge",
            )
    if len(senders) != len(receivers):
        raise InputError(
            "senders, receivers",
            expected="one of both for each edge",
            got=f"{len(senders)} and {len(receivers)}",
            fix="give both ends of each edge",
        )
    _check_ends("senders", senders, receivers, offsets, len(nodes))
    _check_ends("receivers", receivers, senders, offsets, len(nodes))
    bounds = torch.searchsorted(receivers, offsets)
    falls = receivers[1:] < receivers[:-1]
    # The graph of a node is the number of bounds up to it: of empty graphs the last.
    sent = torch.searchsorted(offsets, senders, right=True)
    received = torch.searchsorted(offsets, receivers, right=True)
    apart = sent != received
    if bool(apart.any()):
        edge = int(apart.nonzero()[0])
        raise InputError(
            "edges",
            expected="a sender and a receiver in the same graph",
            got=f"edge {edge} from node {int(senders[edge])} of graph {int(sent[edge]) - 1} to "
            f"node {int(receivers[edge])} of graph {int(received[edge]) - 1} "
            f"({int(apart.sum())} such edges)",
            fix="number the nodes through the whole batch, not through each graph",
        )
    if bool(falls.any()):
        edge = int(falls.nonzero()[0]) + 1
        raise InputError(
            "receivers",
            expected="edges sorted by receiver",
            got=f"edge {edge} of graph {int(received[edge]) - 1} to node {int(receivers[edge])} "
            f"after one to node {int(receivers[edge - 1])}",
            fix="Graph.from_edges(...) sorts edges and what belongs to them",
        )
    return bounds


def check_edge_offsets(given: Tensor, found: Tensor, edges: int) -> None:
    """Refuse bounds of edges that are not those of the receivers."""
    if (
        not is_dense(given, 1)
        or given.dtype != torch.int64
        or given.device != found.device
        or given.shape != found.shape
    ):
        raise InputError(
            "edge_offsets",
            expected=f"int64 of shape {tuple(found.shape)} on {found.device}",
            got=describe(given),
            fix="leave them out: they follow from the receivers",
        )
    wrong = given != found
    if bool(wrong.any()):
        bound = int(wrong.nonzero()[0])
        raise InputError(
            "edge_offsets",
            expected=f"bounds of the {edges} edges by the graphs of their receivers, "
            f"{int(found[bound])} at place {bound}",
            got=f"{int(given[bound])}, so that edges of graph {max(bound - 1, 0)} are not its own",
            fix="leave them out: they follow from the receivers",
        )


def _check_ends(name: str, ends: Tensor, others: Tensor, offsets: Tensor, nodes: int) -> None:
    """Refuse a node that is not there."""
    outside = (ends < 0) | (ends >= nodes)
    if not bool(outside.any()):
        return
    edge = int(outside.nonzero()[0])
    other = int(others[edge])
    graph = ""
    if 0 <= other < nodes:
        at = int(torch.searchsorted(offsets, others[edge : edge + 1], right=True)) - 1
        graph = f" of graph {at}"
    raise InputError(
        name,
        expected=f"numbers of nodes from 0 to {nodes - 1}" if nodes else "no edges without nodes",
        got=f"{int(ends[edge])} in edge {edge}{graph} ({int(outside.sum())} such edges)",
        fix="number the nodes through the whole batch from 0; drop edges that lead nowhere (-1)",
    )
