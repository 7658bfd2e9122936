"""The edges of a chunk: which of its nodes are joined, and the features of what joins them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from hepml.io.chunks._assemble import Particles
from hepml.io.chunks._binding import Bound
from hepml.io.chunks._built_edges import built
from hepml.io.chunks._edge_binding import BoundEdges
from hepml.io.chunks._edge_numbers import (
    EdgeNumbers,
    check_lengths,
    numbers_of_edges,
    rows_of_edges,
)
from hepml.io.chunks._faults import Faults
from hepml.io.chunks._joining import JOINED, Columns, Joined, Nodes, reference_list
from hepml.io.chunks._rows import Rows, Unequal, offsets_of, reference_of
from hepml.io.columns._edges import EdgeList, StoredEdges
from hepml.io.formats._nested import lengths_of
from hepml.io.formats._table import Column


class Edges(NamedTuple):
    """Edges between the nodes of a batch, by receiver, the edges of one in the order of the file.

    ``senders`` and ``receivers`` are places among all nodes of the batch, ``offsets`` the bounds of
    the sets among the edges; ``features`` and ``targets`` have a row for each edge, ``labels`` a
    number, or is None. ``order`` rises, within a set, in the order in which the file has them.
    """

    senders: Any
    receivers: Any
    offsets: Any
    features: Any
    labels: Any
    targets: Any
    order: Any


def edges_unequal(bound: Bound, edges: BoundEdges, columns: Columns) -> Unequal:
    """The columns of edges whose lists have wrong lengths, and in which entries.

    Raises
    ------
    ColumnError
        If there is one number in each entry where there has to be a list.
    """
    unequal: Unequal = {}

    def compare(names: Iterable[str], reference: str) -> None:
        for name in names:
            if not columns[name].per_entry:
                differ = np.diff(offsets_of(columns[name])) != np.diff(
                    offsets_of(columns[reference])
                )
                if differ.any():
                    unequal[name] = (reference, differ)

    source = bound.table.source
    for role in (*edges.owned, *edges.linked):
        reference_list(source, edges, role, columns)
    if edges.owned or edges.nested:
        part = bound.parts[edges.edges.joins[0]]
        owner = reference_of(bound, part, columns)
        compare(map(lengths_of, edges.nested_names), owner)
        compare(edges.names_of(edges.owned), owner)
    if edges.linked:
        first = reference_list(source, edges, next(iter(edges.linked)), columns)
        compare(edges.names_of(edges.linked), first)
    compare(edges.nested_names[1:], next(iter(edges.nested_names), ""))
    return unequal


def edges_table(bound: Bound, columns: Columns, particles: Particles, faults: Faults) -> Edges:
    """The edges of all ways together, between the nodes of a chunk that are kept."""
    stored = [edges for edges in bound.edges if isinstance(edges.edges, StoredEdges)]
    parts = zip(bound.parts, particles.parts, strict=True) if stored else ()
    nodes = [
        _nodes(columns[reference_of(bound, part, columns)], rows, places)
        for part, (rows, places) in parts
    ]
    found = [EdgeNumbers.none(bound)]
    ends = [np.zeros((2, 0), np.int64)]
    for edges in stored:
        assert isinstance(edges.edges, StoredEdges)
        joined = JOINED[type(edges.edges)](bound.table.source, edges, columns, nodes, faults)
        both = _ends(edges, nodes, joined)
        kept = (both >= 0).all(axis=0)
        joined, both = Joined(*(each[kept] for each in joined)), both[:, kept]
        check_lengths(edges, columns, faults)
        direction = edges.edges.direction
        for own in [both] * (direction != "out") + [both[::-1]] * (direction != "in"):
            rows = rows_of_edges(edges, columns, particles, joined, own)
            ends.append(own)
            found.append(numbers_of_edges(bound, edges, rows, joined.entry, faults))
    for edges in bound.edges:
        if not isinstance(edges.edges, StoredEdges):
            own = built(bound, edges.edges, particles)
            sets = np.searchsorted(particles.offsets, own[1], "right") - 1
            rows = rows_of_edges(edges, columns, particles, None, own)
            ends.append(own)
            found.append(numbers_of_edges(bound, edges, rows, sets, faults))
    senders, receivers = np.concatenate(ends, axis=1)
    order = np.argsort(receivers, kind="stable")
    senders, receivers = senders[order], receivers[order]
    bounds = np.searchsorted(receivers, particles.offsets)
    features, labels, targets = (np.concatenate(each)[order] for each in zip(*found, strict=True))
    labelled = any(edges.label is not None for edges in bound.edges)
    bounds = bounds.astype(np.int64)
    classes = labels if labelled else None
    return Edges(senders, receivers, bounds, features, classes, targets, order)


def _nodes(reference: Column, rows: Rows, places: Any) -> Nodes:
    """Where the nodes of a collection went, of which some are kept."""
    bounds = offsets_of(reference)
    place = np.full(int(bounds[-1]), -1, np.int64)
    place[rows.kept] = places
    return Nodes(bounds, place)


def _ends(edges: BoundEdges, nodes: Sequence[Nodes], joined: Joined) -> Any:
    """Senders and receivers among the nodes of the batch, -1 where there is none."""
    way = edges.edges
    if isinstance(way, EdgeList):
        parts = (way.sender_nodes, way.receiver_nodes)
        rows = (joined.owner, joined.other)
    else:
        owner, into = way.joins
        parts, rows = (into, owner), (joined.other, joined.owner)
    return np.stack([_placed(nodes[p], each) for p, each in zip(parts, rows, strict=True)])


def _placed(nodes: Nodes, rows: Any) -> Any:
    """The place in the batch of nodes of a collection."""
    if not len(nodes.place):
        return np.full(len(rows), -1, np.int64)
    return np.where(rows >= 0, nodes.place[np.maximum(rows, 0)], -1)
