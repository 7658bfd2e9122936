"""What particles may have beside momenta and features: positions and classes."""

from typing import Any

import numpy as np

from hepml.io.chunks._binding import BoundCollection
from hepml.io.chunks._faults import Faults
from hepml.io.chunks._rows import Rows


def positions_of(part: BoundCollection, rows: Rows, offsets: Any, faults: Faults) -> Any:
    """The positions of the nodes of one collection; those that are not finite are noted."""
    table = np.empty((rows.size, len(part.positions)), np.float32)
    for i, (name, expression) in enumerate(part.positions.items()):
        with np.errstate(over="ignore"):
            table[:, i] = rows.evaluate(expression)
        bad = np.flatnonzero(~np.isfinite(table[:, i]))
        column = f"{expression.text!r} (position {name})"
        faults.add_particles(
            bad, offsets, "position not finite", column, "finite numbers", table[bad, i]
        )
    return table


def particle_labels_of(part: BoundCollection, rows: Rows, offsets: Any, faults: Faults) -> Any:
    """The classes of the particles of one collection, or None; what is no class is noted."""
    if part.label is None:
        return None
    values = np.asarray(rows.evaluate(part.label))
    with np.errstate(invalid="ignore"):
        labels = values.astype(np.int64)
    bad = np.flatnonzero((labels != values) | (labels < 0))
    column = f"{part.label.text!r} (label of particles)"
    faults.add_particles(
        bad, offsets, "label no class", column, "whole numbers from 0", values[bad]
    )
    return labels
