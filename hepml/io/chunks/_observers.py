"""Numbers of each set that are computed apart from its particles: for cuts, and observers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hepml.errors import DataError
from hepml.io.chunks._assemble import momenta_of, reduced_over
from hepml.io.chunks._binding import Bound, bind
from hepml.io.chunks._faults import Faults
from hepml.io.chunks._rows import Rows, levels_of, set_levels_of, sets_of
from hepml.io.columns._columns import Columns
from hepml.io.expressions._steps import Expression
from hepml.io.formats._files import Files, locate
from hepml.io.formats._open import open_table
from hepml.io.formats._table import Column, take_entries


def sets_apart(
    bound: Bound,
    expressions: Sequence[Expression],
    columns: Mapping[str, Column],
    start: int,
    stop: int,
) -> tuple[Rows, Any]:
    """The sets of a range of entries, for these expressions, and in which entries they are.

    Entries in which columns have lists of different lengths are left out.
    """
    levels, unequal = set_levels_of(bound, expressions, columns)
    reduces = any(expression.reductions for expression in expressions)
    parts = [levels_of(bound, part, columns) for part in bound.parts] if reduces else []
    equal = np.ones(stop - start, bool)
    for _, differ in (pair for each in (unequal, *(u for _, u in parts)) for pair in each.values()):
        equal &= ~differ
    if not equal.all():
        columns = {name: take_entries(column, equal) for name, column in columns.items()}
    sets = sets_of(bound, levels, columns, int(equal.sum()))
    if reduces:
        # What is wrong with the particles is found, and said, when they are read for good.
        numbers, own = np.arange(start, stop)[equal], [level for level, _ in parts]
        sets.particles = reduced_over(bound, momenta_of(bound, columns, own, numbers, Faults()))
    return sets, equal


def observed(bound: Bound, columns: Mapping[str, Column], start: int, stop: int) -> dict[str, Any]:
    """The observers of every set of a chunk, bad ones and those that a cut leaves out among them.

    Raises
    ------
    DataError
        If an observer has not one value for each set of an entry.
    """
    found = {}
    for name, expression in bound.observers.items():
        sets, equal = sets_apart(bound, [expression], columns, start, stop)
        if not equal.all():
            raise DataError(
                f"{bound.table.source}, entry {start + int(np.argmin(equal))}, observer "
                f"{expression.text!r} ({name})",
                expected="one number for each set",
                got="lists of other lengths than those of the jets or particles",
                fix="choose a column of the jets, or one with a number for each entry",
            )
        found[name] = _native(sets.evaluate(expression))
    return found


def _native(values: Any) -> Any:
    """A copy in the order of bytes of the machine, in a type that ROOT files have."""
    dtype = np.dtype(np.float32) if values.dtype == np.float16 else values.dtype
    return values.astype(dtype.newbyteorder("="))


def observer_types(files: Files, columns: Columns) -> dict[str, np.dtype[Any]]:
    """The type of each observer, by the first file."""
    with open_table(locate(files)[0], columns.tree) as table:
        bound = bind(columns, table)
        nothing = bound.table.read(bound.names, 0, 0)
        return {name: values.dtype for name, values in observed(bound, nothing, 0, 0).items()}
