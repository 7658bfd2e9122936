"""Which rows of which columns make up the sets of a chunk and the particles of each set.

A column has one number for each entry of the file, or lists: one number for each particle of the
entry or, where an entry is an event of jets, one for each jet, for each link between a jet and a
particle, or for each particle of the common table. An expression may mix them: here each column
gets its level, and each level the row of every particle.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hepml.errors import ColumnError
from hepml.io.chunks._binding import Bound, BoundCollection
from hepml.io.chunks._levels import ENTRY, LINK, PARTICLE, SET
from hepml.io.expressions._arithmetic import NotComputable
from hepml.io.expressions._expressions import evaluate
from hepml.io.expressions._steps import Expression, Reduce
from hepml.io.formats._table import Column

Columns = Mapping[str, Column]
# For a column: the column whose lists should be as long, and the entries in which they are not.
Unequal = dict[str, tuple[str, Any]]


class Rows:
    """Things in flat order (sets, or the particles of all sets) and their rows in the columns.

    Parameters
    ----------
    columns
        The columns of the chunk.
    size
        The number of things.
    levels
        The level of each column.
    rows
        For each level, a function that gives the row of each thing, or None if the column lists
        the things in their order.
    offsets
        Of particles, the bounds of the sets among them.
    """

    def __init__(
        self,
        columns: Columns,
        size: int,
        levels: Mapping[str, str],
        rows: Mapping[str, Callable[[], Any] | None],
        offsets: Any = None,
    ) -> None:
        self.columns, self.size, self.levels, self._rows = columns, size, levels, dict(rows)
        self.offsets = offsets
        self.counted: Any = None
        """Of particles, a mask of those over which reductions run; None for all of them."""
        self.particles: Mapping[Expression, Rows] = {}
        """Of sets, the particles over which the argument of each reduction runs."""
        self._kept: Any = None
        self._cache: dict[str, Any] = {}
        self._flat: dict[str, Any] = {}

    def operand(self, name: str) -> Any:
        """One number for each thing, not to be written to: other expressions read the column."""
        return self.at(self.flat(name), self.levels[name])

    def flat(self, name: str) -> Any:
        """The numbers of a column in flat order."""
        # Those of a table of HDF5 lie apart, and are copied here: once.
        if name not in self._flat:
            self._flat[name] = self.columns[name].values.reshape(-1)
        return self._flat[name]

    def at(self, values: Any, level: str) -> Any:
        """The value for each thing, of values that are listed at a level."""
        if level not in self._cache:
            function = self._rows[level]
            rows = None if function is None else function()
            if self._kept is not None:
                rows = self._kept if rows is None else rows[self._kept]
            self._cache[level] = rows
        rows = self._cache[level]
        values = values.view() if rows is None else values[rows]
        values.flags.writeable = False
        return values

    @property
    def kept(self) -> Any:
        """The places of the things among those that there were before some were forgotten."""
        return np.arange(self.size) if self._kept is None else self._kept

    def evaluate(self, expression: Expression) -> Any:
        """The value of an expression for each thing."""
        value = evaluate(expression, self.operand, self._reduced)
        return np.broadcast_to(value, (self.size,)) if np.ndim(value) == 0 else value

    def _reduced(self, reduction: Reduce) -> Any:
        """A reduction over the particles of the set of each thing."""
        if self.offsets is None:
            return self.particles[reduction.argument]._of_sets(reduction)
        return np.repeat(self._of_sets(reduction), np.diff(self.offsets))

    def _of_sets(self, reduction: Reduce) -> Any:
        """A reduction over particles, for each set."""
        if all(self.levels[name] in (ENTRY, SET) for name in reduction.argument.names):
            raise NotComputable(
                "a column with a number for each particle in a reduction over the particles",
                f"{reduction.argument.text!r}, of one number for each set",
                "leave the reduction out",
            )
        values, offsets = self.evaluate(reduction.argument), self.offsets
        if self.counted is not None:
            values, offsets = values[self.counted], _bounds_of(self.counted, offsets)
        return reduction.call(values, offsets)

    def keep(self, mask: Any) -> None:
        """Forget the things that the mask leaves out."""
        if self.offsets is not None:
            self.offsets = _bounds_of(mask, self.offsets)
        self.counted = None
        kept = np.flatnonzero(mask)
        self._kept = kept if self._kept is None else self._kept[kept]
        self._cache.clear()
        self.size = len(kept)


def _bounds_of(mask: Any, offsets: Any) -> Any:
    """The bounds of the sets among the particles that a mask keeps."""
    return np.concatenate([[0], np.cumsum(mask)])[offsets]


def sets_of(bound: Bound, levels: Mapping[str, str], columns: Columns, entries: int) -> Rows:
    """The sets of a chunk: its entries, or the jets of its entries."""
    if bound.jets is None:
        return Rows(columns, entries, levels, {ENTRY: None})
    bounds = offsets_of(columns[bound.jets])
    rows = {ENTRY: lambda: np.repeat(np.arange(entries), np.diff(bounds)), SET: None}
    return Rows(columns, int(bounds[-1]), levels, rows)


def levels_of(
    bound: Bound, part: BoundCollection, columns: Columns
) -> tuple[dict[str, str], Unequal]:
    """The level of each column of a collection, and where its lists have the wrong length.

    Raises
    ------
    ColumnError
        If no column of the momentum holds lists, or if the level of a column is open.
    """
    levels = {
        name: ENTRY if columns[name].per_entry else _decided(bound, part, name)
        for name in part.levels
    }
    if part.index is None:
        return levels, _unequal(levels, {PARTICLE: reference_of(bound, part, columns)}, columns)
    for name in (part.index.jet, part.index.particle):
        if name is not None and columns[name].per_entry:
            raise ColumnError(
                f"{bound.table.source}, column {name!r} (index)",
                expected="a list in each entry, with one number for each particle or link",
                got="one number",
                fix="choose the column of indices, such as FatJetPFCands_jetIdx",
            )
    references = {SET: part.index.jets, LINK: part.index.jet}
    compared = dict(levels)
    if part.index.particle is not None:
        references[PARTICLE] = reference_of(bound, part, columns)
        compared[part.index.particle] = LINK
    return levels, _unequal(compared, references, columns)


def set_levels_of(
    bound: Bound, expressions: Sequence[Expression], columns: Columns
) -> tuple[dict[str, str], Unequal]:
    """The level of each column that is needed once a set, and where it has the wrong length.

    Raises
    ------
    ColumnError
        If a column holds lists where an entry is a set.
    """
    names = dict.fromkeys(name for e in expressions for name in e.outer)
    levels = {name: ENTRY if columns[name].per_entry else SET for name in names}
    if bound.jets is not None:
        return levels, _unequal(levels, {SET: bound.jets}, columns)
    for name, level in levels.items():
        if level == SET:
            raise ColumnError(
                f"{bound.table.source}, column {name!r}",
                expected="one number in each entry",
                got="a list",
                fix="label, weights, cut and context need one number for each set: reduce the "
                "list, as in sum(x) or max(x); a cut on particles belongs to their collection",
            )
    return levels, {}


def _decided(bound: Bound, part: BoundCollection, name: str) -> str:
    """The level of the lists of a column."""
    level = part.levels[name]
    if level is None:
        assert part.index is not None
        links = [each for each in (part.index.jet, part.index.particle) if each is not None]
        raise ColumnError(
            f"{bound.table.source}, column {name!r}",
            expected="a counter, or the beginning of a name, that it shares with the columns of "
            f"one level: {part.index.jets!r} of the jets, {' and '.join(map(repr, links))} of the "
            "links, or the momentum of the particles",
            got="lists that could be of several",
            fix=f"say it in the index, levels: {{{name!r}: 'particle'}}, or 'jet', or 'link'",
        )
    return level


def _unequal(levels: Mapping[str, str], references: Mapping[str, str], columns: Columns) -> Unequal:
    """The columns whose lists differ in length from the column that stands for their level."""
    counts = {level: np.diff(offsets_of(columns[name])) for level, name in references.items()}
    unequal: Unequal = {}
    for name, level in levels.items():
        if level != ENTRY and name != references[level]:
            differ = np.diff(offsets_of(columns[name])) != counts[level]
            if differ.any():
                unequal[name] = (references[level], differ)
    return unequal


def offsets_of(column: Column) -> Any:
    """The bounds of the lists; a fixed array is a list, and a number is the length of one."""
    if column.offsets is not None:
        return column.offsets
    if column.per_entry:
        return np.concatenate([[0], np.cumsum(column.values, dtype=np.int64)])
    entries, length = column.values.shape
    return np.arange(entries + 1, dtype=np.int64) * length


def reference_of(bound: Bound, part: BoundCollection, columns: Columns) -> str:
    """The column of the momentum, or of nodes without one, whose lists are the particles.

    Raises
    ------
    ColumnError
        If none of these holds lists of particles.
    """
    level = LINK if part.index is not None and part.index.particle is None else PARTICLE
    stored = [*part.momentum.values()] or [*part.positions.values(), *part.features.values()]
    for expression in stored:
        for name in expression.names:
            if not columns[name].per_entry and part.levels[name] == level:
                return name
    texts = ", ".join(expression.text for expression in stored)
    what = "momentum" if part.momentum else "positions and features"
    raise ColumnError(
        f"{bound.table.source}, {what} ({texts})",
        expected="lists of particles in each entry",
        got="one number in each entry",
        fix="choose the columns of the constituents, not of the jet",
    )
