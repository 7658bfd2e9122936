"""What has a number for each edge: features and labels, of columns of edges and of their ends."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from hepml.io.chunks._assemble import Particles
from hepml.io.chunks._binding import Bound
from hepml.io.chunks._edge_binding import BoundEdges
from hepml.io.chunks._faults import Faults
from hepml.io.chunks._joining import Columns, Joined
from hepml.io.chunks._levels import ENTRY, LINK
from hepml.io.chunks._rows import Rows
from hepml.io.expressions._steps import Expression
from hepml.io.formats._nested import lengths_of


class EdgeNumbers(NamedTuple):
    """Features (edges, channels), labels and targets of edges; 0 where there are no labels."""

    features: Any
    labels: Any
    targets: Any

    @classmethod
    def none(cls, bound: Bound) -> "EdgeNumbers":
        """Those of no edges."""
        channels = len(bound.columns.edge_feature_names)
        targets = np.zeros((0, len(bound.columns.edge_target_names)), np.float32)
        return cls(np.zeros((0, channels), np.float32), np.zeros(0, np.int64), targets)


class _EdgeRows(Rows):
    """Edges and their rows in the columns, and what the nodes at their ends have."""

    at_ends: Mapping[str, Any]

    def operand(self, name: str) -> Any:
        return self.at_ends[name] if name in self.at_ends else super().operand(name)


def rows_of_edges(
    edges: BoundEdges, columns: Columns, particles: Particles, joined: Joined | None, ends: Any
) -> Rows:
    """Edges between nodes that are kept, for their features.

    Parameters
    ----------
    joined
        What they are in the file; None of edges that no file holds.
    ends
        Senders and receivers (2, edges) among the nodes of the batch.
    """
    asked = {name for each in edges.computed for name in each.names} - set(edges.at_ends)
    if edges.nested:
        levels = dict.fromkeys(asked, LINK)
    else:
        levels = {name: ENTRY if columns[name].per_entry else LINK for name in asked}
    where = {ENTRY: lambda: joined.entry, LINK: lambda: joined.row} if joined is not None else {}
    rows = _EdgeRows(columns, ends.shape[1], levels, where)
    at_ends = {}
    for name, (end, column) in edges.at_ends.items():
        nodes, places = particles.parts[edges.edges.ends[0][end]]
        # Of the nodes of the collection, in the order of the batch.
        number = np.zeros(len(particles.features), np.int64)
        number[places] = np.arange(nodes.size)
        at_ends[name] = nodes.operand(column)[number[ends[end]]]
    rows.at_ends = at_ends
    return rows


def numbers_of_edges(
    bound: Bound, edges: BoundEdges, rows: Rows, sets: Any, faults: Faults
) -> EdgeNumbers:
    """Features and labels of edges; features that this way lacks are zero, bad ones are noted.

    Parameters
    ----------
    sets
        The set of each edge.
    """
    features = np.zeros((rows.size, len(bound.columns.edge_feature_names)), np.float32)
    if edges.kind is not None:
        features[:, edges.kind] = 1.0
    for place, expression in edges.features.items():
        name = bound.columns.edge_feature_names[place]
        features[:, place] = _finite(expression, f"edge feature {name}", rows, sets, faults)
    targets = np.zeros((rows.size, len(edges.targets)), np.float32)
    for place, (name, expression) in enumerate(edges.targets.items()):
        what, partial = f"edge target {name}", bound.columns.partial_targets
        targets[:, place] = _finite(expression, what, rows, sets, faults, partial=partial)
    return EdgeNumbers(features, _labels(edges, rows, sets, faults), targets)


def _finite(
    expression: Expression,
    what: str,
    rows: Rows,
    sets: Any,
    faults: Faults,
    *,
    partial: bool = False,
) -> Any:
    """A number for each edge; what is not finite is noted, but for NaN where it may be."""
    with np.errstate(all="ignore"):
        values = np.asarray(rows.evaluate(expression)).astype(np.float32)
    bad = np.flatnonzero(~(np.isfinite(values) | (partial & np.isnan(values))))
    column = f"{expression.text!r} ({what})"
    reason = f"{' '.join(what.split()[:2])} not finite"
    faults.add(sets[bad], reason, column, "finite numbers", values[bad])
    return values


def _labels(edges: BoundEdges, rows: Rows, sets: Any, faults: Faults) -> Any:
    """The class of each edge, 0 without label; what is no class is noted."""
    if edges.label is None:
        return np.zeros(rows.size, np.int64)
    values = np.asarray(rows.evaluate(edges.label))
    with np.errstate(invalid="ignore"):
        labels = values.astype(np.int64)
    names = edges.edges.classes
    most = len(names) or np.iinfo(np.int64).max
    bad = np.flatnonzero((labels != values) | (labels < 0) | (labels >= most))
    expected = f"one of 0..{most - 1} ({', '.join(names)})" if names else "whole numbers from 0"
    column = f"{edges.label.text!r} (edge label)"
    faults.add(sets[bad], "label no class", column, expected, values[bad])
    return labels


def check_lengths(edges: BoundEdges, columns: Columns, faults: Faults) -> None:
    """Note the entries in which two columns have lists of other lengths for the same node."""
    if len(names := edges.nested_names) < 2:
        return
    first = columns[lengths_of(names[0])]
    for name in names[1:]:
        lengths = columns[lengths_of(name)].values
        wrong = np.flatnonzero(lengths != first.values)
        faults.add(
            np.searchsorted(first.offsets, wrong, "right") - 1,
            "unequal lengths",
            repr(name),
            f"as many values for each node as {names[0]!r} has",
            [f"{lengths[i]} values against {first.values[i]}" for i in wrong],
        )
