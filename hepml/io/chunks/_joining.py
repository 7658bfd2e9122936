"""Which nodes of a collection are joined to which of another, in each way that files say it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hepml.errors import ColumnError
from hepml.io.chunks._edge_binding import BoundEdges
from hepml.io.chunks._faults import Faults
from hepml.io.chunks._levels import ENTRY, LINK
from hepml.io.chunks._links import whole_numbers
from hepml.io.chunks._rows import Rows, offsets_of
from hepml.io.columns._edges import (
    AdjacencyList,
    EdgeColumns,
    EdgeList,
    ElementLinks,
    NodePointer,
    NodeRange,
    TableRange,
)
from hepml.io.expressions._steps import Expression
from hepml.io.formats._nested import lengths_of
from hepml.io.formats._table import Column

Columns = Mapping[str, Column]

# ATLAS' number of no element.
_NO_ELEMENT = 2**32 - 1


class Nodes(NamedTuple):
    """The nodes of a collection in the order of the file, and where they went."""

    bounds: Any
    """Of the entries among them."""
    place: Any
    """Of each the place among the nodes of the batch, -1 if it was left out."""


class Joined(NamedTuple):
    """What joins nodes, in the order of the file: entry, both ends, the row of its columns."""

    entry: Any
    owner: Any
    """The row of the node in its collection; -1 is none."""
    other: Any
    row: Any


def reference_list(source: str, edges: BoundEdges, role: str, columns: Columns) -> str:
    """The first column with lists that says what is joined to what.

    Raises
    ------
    ColumnError
        If there is one number in each entry instead.
    """
    expression = edges.level[role] if role in edges.level else edges.owned[role]
    for name in expression.names:
        if not columns[name].per_entry:
            return name
    raise ColumnError(
        f"{source}, {type(edges.edges).__name__}.{role} {expression.text!r}",
        expected="a list of numbers in each entry",
        got="one number in each entry",
        fix="choose a column with a number for each node or edge",
    )


def rows_of(
    columns: Columns, entry: Any, expressions: Iterable[Expression], row: Any = None
) -> Rows:
    """Nodes or links, by the entry of each and its row in the lists; in their order without."""
    names = dict.fromkeys(name for each in expressions for name in each.names)
    levels = {name: ENTRY if columns[name].per_entry else LINK for name in names}
    where = {ENTRY: lambda: entry, LINK: None if row is None else lambda: row}
    return Rows(columns, len(entry), levels, where)


def _listed(
    source: str, edges: BoundEdges, columns: Columns, nodes: Sequence[Nodes], faults: Faults
) -> Joined:
    """Two lists of numbers."""
    way = edges.edges
    assert isinstance(way, EdgeList)
    reference = reference_list(source, edges, "senders", columns)
    entry = _entries(offsets_of(columns[reference]))
    rows = rows_of(columns, entry, edges.linked.values())
    senders, receivers = (
        _found(edges.linked[role], rows, entry, nodes[part].bounds, faults)
        for role, part in (("senders", way.sender_nodes), ("receivers", way.receiver_nodes))
    )
    return Joined(entry, senders, receivers, np.arange(len(entry)))


def _pointed(
    source: str,  # noqa: ARG001
    edges: BoundEdges,
    columns: Columns,
    nodes: Sequence[Nodes],
    faults: Faults,
) -> Joined:
    """A number for each node of the owner, or a list of them; of ATLAS with its container."""
    way = edges.edges
    owner, into = way.joins
    if edges.nested:
        names = edges.nested_names
        lengths = columns[lengths_of(names[0])]
        holder = np.repeat(np.arange(len(lengths.values)), lengths.values)
        entry = _entries(columns[names[0]].offsets)
        rows = Rows(columns, len(entry), dict.fromkeys(names, LINK), {LINK: None})
    else:
        entry = _entries(nodes[owner].bounds)
        holder = np.arange(len(entry))
        rows = rows_of(columns, entry, edges.owned.values())
    among = None
    if isinstance(way, ElementLinks):
        key, index = (whole_numbers(rows.evaluate(edges.level[role])) for role in ("key", "index"))
        among = (key == way.container) & (index != _NO_ELEMENT)
    last = list(edges.level.values())[-1]
    other = _found(last, rows, entry, nodes[into].bounds, faults, among)
    return Joined(entry, holder, other, np.arange(len(entry)) if edges.nested else holder)


def _ranged(
    source: str,
    edges: BoundEdges,
    columns: Columns,
    nodes: Sequence[Nodes],
    faults: Faults,
) -> Joined:
    """Ranges of a table of numbers."""
    way = edges.edges
    assert isinstance(way, TableRange)
    own = _entries(nodes[way.owner].bounds)
    rows = rows_of(columns, own, edges.owned.values())
    begin, end = (whole_numbers(rows.evaluate(edges.owned[role])) for role in ("begin", "end"))
    table = offsets_of(columns[reference_list(source, edges, "table", columns)])
    lengths = np.diff(table)[own]
    counts = end - begin
    wrong = np.flatnonzero((counts != 0) & ~((begin >= 0) & (counts > 0) & (end <= lengths)))
    faults.add(
        own[wrong],
        "range outside the table",
        f"{edges.owned['begin'].text!r}, {edges.owned['end'].text!r}",
        f"a range within the table {edges.linked['table'].text!r}",
        [f"{begin[i]} to {end[i]} of {lengths[i]} numbers" for i in wrong],
    )
    counts[wrong] = 0
    holder = np.repeat(np.arange(len(own)), counts)
    entry = own[holder]
    row = (table[:-1][own] + begin)[holder] + _within(counts)
    linked = rows_of(columns, entry, edges.linked.values(), row)
    among = None
    if "collection" in edges.linked:
        # podio has negative numbers for what was never set.
        among = whole_numbers(linked.evaluate(edges.linked["table"])) >= 0
        found = linked.evaluate(edges.linked["collection"])
        other = np.flatnonzero(among & (found != way.collection_id))
        faults.add(
            entry[other],
            "another collection",
            repr(edges.linked["collection"].text),
            f"the collection {way.collection_id}",
            [f"{found[i]} beside the number {row[i] - table[entry[i]]}" for i in other],
        )
        among[other] = False
    named = _found(edges.linked["table"], linked, entry, nodes[way.into].bounds, faults, among)
    return Joined(entry, holder, named, row)


def _from_first_to_last(
    source: str,  # noqa: ARG001
    edges: BoundEdges,
    columns: Columns,
    nodes: Sequence[Nodes],
    faults: Faults,
) -> Joined:
    """Ranges of nodes with both ends; two nodes where the last is before the first."""
    way = edges.edges
    assert isinstance(way, NodeRange)
    own = _entries(nodes[way.owner].bounds)
    rows, bounds = rows_of(columns, own, edges.owned.values()), nodes[way.into].bounds
    first, last = (
        _found(edges.owned[role], rows, own, bounds, faults) for role in ("first", "last")
    )
    counts = np.where(
        first < 0, 0, np.where(last < 0, 1, np.where(last < first, 2, last - first + 1))
    )
    holder = np.repeat(np.arange(len(own)), counts)
    inside = _within(counts)
    second = (last < first)[holder] & (inside == 1)
    other = np.where(second, last[holder], first[holder] + inside)
    return Joined(own[holder], holder, other, holder)


def _found(
    expression: Expression, rows: Rows, entry: Any, bounds: Any, faults: Faults, among: Any = None
) -> Any:
    """The row of the node of each number in its collection, -1 for none; wrong ones are noted."""
    stored = rows.evaluate(expression)
    numbers = whole_numbers(np.asarray(stored))
    counts = np.diff(bounds)[entry]
    asked = numbers != -1 if among is None else among
    inside = (numbers >= 0) & (numbers < counts)
    wrong = np.flatnonzero(asked & ~inside)
    faults.add(
        entry[wrong],
        "index out of range",
        repr(expression.text),
        "the number of a node of the entry, or -1 for none",
        [f"{stored[i]}, of {counts[i]} nodes" for i in wrong],
    )
    return np.where(asked & inside, bounds[:-1][entry] + numbers, -1)


def _entries(bounds: Any) -> Any:
    """The entry of each thing of a list."""
    return np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))


def _within(counts: Any) -> Any:
    """The place of each thing in its own range."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


Way = Callable[[str, BoundEdges, Columns, Sequence[Nodes], Faults], Joined]

JOINED: Mapping[type[EdgeColumns], Way] = {
    EdgeList: _listed,
    NodePointer: _pointed,
    ElementLinks: _pointed,
    AdjacencyList: _pointed,
    TableRange: _ranged,
    NodeRange: _from_first_to_last,
}
