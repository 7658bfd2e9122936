"""Observers: numbers of each set that are carried along, of the type that they have in files."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hepml.errors import DataError
from hepml.io._binding import Bound, bind
from hepml.io._columns import Columns
from hepml.io._files import Files, locate
from hepml.io._open import open_table
from hepml.io._rows import offsets_of, set_levels_of, sets_of
from hepml.io._table import Column


def observed(bound: Bound, columns: Mapping[str, Column], entries: int) -> dict[str, Any]:
    """The observers of every set of a chunk, bad ones and those that a cut leaves out among them.

    Raises
    ------
    DataError
        If an entry has not one value for each of its jets.
    """
    expressions = list(bound.observers.values())
    levels, unequal = set_levels_of(bound, expressions, columns)
    for name, (reference, differ) in unequal.items():
        entry = int(np.argmax(differ))
        own, other = (int(np.diff(offsets_of(columns[n]))[entry]) for n in (name, reference))
        raise DataError(
            f"{bound.table.source}, column {name!r} (observers)",
            expected=f"one number for each jet, as many as {reference!r} has",
            got=f"{own} for {other} jets",
            fix="choose a column of the jets, or one with a number for each entry",
        )
    sets = sets_of(bound, levels, columns, entries)
    return {name: _native(sets.evaluate(each)) for name, each in bound.observers.items()}


def _native(values: Any) -> Any:
    """A copy in the order of bytes of the machine, in a type that ROOT files have."""
    dtype = np.dtype(np.float32) if values.dtype == np.float16 else values.dtype
    return values.astype(dtype.newbyteorder("="))


def observer_types(files: Files, columns: Columns) -> dict[str, np.dtype[Any]]:
    """The type of each observer, by the first file."""
    with open_table(locate(files)[0], columns.tree) as table:
        bound = bind(columns, table)
        nothing = table.read(bound.names, 0, 0)
        return {name: values.dtype for name, values in observed(bound, nothing, 0).items()}
