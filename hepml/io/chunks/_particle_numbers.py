"""What particles may have beside momenta and features: positions, classes and targets."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hepml.io.chunks._binding import Bound, BoundCollection
from hepml.io.chunks._faults import Faults
from hepml.io.chunks._rows import Rows
from hepml.io.expressions._steps import Expression


def positions_of(part: BoundCollection, rows: Rows, offsets: Any, faults: Faults) -> Any:
    """The positions of the nodes of one collection; those that are not finite are noted."""
    return _finite(part.positions, "position", rows, offsets, faults)


def particle_targets_of(
    bound: Bound, part: BoundCollection, rows: Rows, offsets: Any, faults: Faults
) -> Any:
    """The targets of the particles of one collection, or None; what is not finite is noted.

    NaN is not, where targets are partial.
    """
    if not part.targets:
        return None
    partial = bound.columns.partial_targets
    return _finite(part.targets, "target", rows, offsets, faults, partial=partial)


def _finite(
    expressions: Mapping[str, Expression],
    what: str,
    rows: Rows,
    offsets: Any,
    faults: Faults,
    *,
    partial: bool = False,
) -> Any:
    """A column for each expression; the sets in which one is not finite are noted."""
    table = np.empty((rows.size, len(expressions)), np.float32)
    for i, (name, expression) in enumerate(expressions.items()):
        with np.errstate(over="ignore"):
            table[:, i] = rows.evaluate(expression)
        fine = np.isfinite(table[:, i]) | (partial & np.isnan(table[:, i]))
        bad = np.flatnonzero(~fine)
        column = f"{expression.text!r} ({what} {name})"
        faults.add_particles(
            bad, offsets, f"{what} not finite", column, "finite numbers", table[bad, i]
        )
    return table


def particle_labels_of(part: BoundCollection, rows: Rows, offsets: Any, faults: Faults) -> Any:
    """The classes of the particles of one collection, or None; what is no class is noted."""
    if part.label is None:
        return None
    values = np.asarray(rows.evaluate(part.label))
    with np.errstate(invalid="ignore"):
        labels = values.astype(np.int64)
    most = len(part.classes) or np.iinfo(np.int64).max
    bad = np.flatnonzero((labels != values) | (labels < 0) | (labels >= most))
    column = f"{part.label.text!r} (label of particles)"
    expected = "whole numbers from 0"
    if part.classes:
        expected = f"one of 0..{most - 1} ({', '.join(part.classes)})"
    faults.add_particles(bad, offsets, "label no class", column, expected, values[bad])
    return labels
