"""Batches of graphs for tests."""

import torch

from hepml.data import Graph


def graphs(counts=(3, 0, 1, 4), edges=9, *, dtype=torch.float32, seed=0) -> Graph:
    """Random graphs, loops and parallel edges among them, with everything that a batch can carry.

    By default the second has no node, the last no edge; none is to the third's only node but loops.
    """
    generator = torch.Generator().manual_seed(seed)

    def numbers(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    offsets = torch.tensor([0, *counts]).cumsum(0)
    nodes = int(offsets[-1])
    graph = torch.repeat_interleave(torch.arange(len(counts)), offsets.diff())
    open_ = torch.arange(nodes)[graph < len(counts) - 1] if len(counts) > 1 else torch.arange(nodes)
    edges = edges if len(open_) else 0
    receivers = open_[torch.randint(len(open_), (edges,), generator=generator)] if edges else open_
    first, size = offsets[graph[receivers]], offsets.diff()[graph[receivers]]
    senders = first + (torch.rand(edges, generator=generator) * size).long()
    return Graph.from_edges(
        numbers(nodes, 2),
        senders,
        receivers,
        offsets,
        edges=numbers(edges, 3),
        positions=numbers(nodes, 3),
        p4=numbers(nodes, 4),
        context=numbers(len(counts), 2),
        labels=torch.arange(len(counts)) % 2,
        targets=numbers(len(counts), 1),
        weights=numbers(len(counts)).abs(),
        node_labels=torch.arange(nodes) % 3,
        node_targets=numbers(nodes, 1),
        node_weights=numbers(nodes).abs(),
        edge_labels=torch.arange(edges) % 2,
        edge_targets=numbers(edges, 2),
        edge_weights=numbers(edges).abs(),
    )
