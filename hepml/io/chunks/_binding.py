"""Columns bound to one table: every name looked up and every expression parsed, once a file."""

import fnmatch
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from hepml.errors import DataError, InputError
from hepml.io.chunks._edge_binding import BoundEdges, bind_edges
from hepml.io.chunks._levels import ListOf, levels_in_jets, levels_in_sets
from hepml.io.columns._collection import Collection, JetIndex
from hepml.io.columns._columns import Columns
from hepml.io.expressions._steps import Expression, Name
from hepml.io.expressions._syntax import parse
from hepml.io.formats._entries import ENTRY_NUMBER, Numbered
from hepml.io.formats._table import Column, Table, missing_column, read_columns

# Entries that tell what a file is like: so many, from so many places.
_SAMPLE, _SAMPLES = 128, 4


@dataclass(frozen=True)
class BoundPadding:
    """What tells padding from particles: one of a fill value, a mask and a count."""

    fill: float | None
    mask: Expression | None
    count: Expression | None


@dataclass(frozen=True)
class BoundCollection:
    """A collection whose expressions are parsed; features go with their place in the table."""

    momentum: dict[str, Expression]
    features: dict[int, Expression]
    kind: int | None
    index: JetIndex | None
    cut: Expression | None
    padding: BoundPadding | None
    hardest: int | None
    positions: dict[str, Expression] = field(default_factory=dict)
    label: Expression | None = None
    classes: tuple[str, ...] = ()
    targets: dict[str, Expression] = field(default_factory=dict)
    levels: Mapping[str, str | None] = field(default_factory=dict)
    """For each column, the level of its lists, if it holds lists; None where it is open."""
    reduced: tuple[Expression, ...] = ()
    """What expressions of the sets reduce over the particles of this collection."""
    at_ends: tuple[Expression, ...] = ()
    """The columns that features of edges take from the nodes at their ends."""

    @property
    def expressions(self) -> list[Expression]:
        """Everything that is computed for each particle; the momentum comes first."""
        padding = self.padding
        told = (padding.mask, padding.count) if padding is not None else ()
        extra = (self.cut, self.label, *told)
        optional = [expression for expression in extra if expression is not None]
        stored = (*self.momentum.values(), *self.positions.values(), *self.features.values())
        return [*stored, *optional, *self.targets.values(), *self.reduced, *self.at_ends]


@dataclass(frozen=True)
class Bound:
    """Columns of which every name exists in the table."""

    table: Table
    columns: Columns
    parts: tuple[BoundCollection, ...]
    cut: Expression | None
    label: Expression | None
    classes: dict[str, Expression]
    file_label: int | None
    weights: Expression | None
    context: dict[str, Expression]
    targets: dict[str, Expression]
    observers: dict[str, Expression]
    edges: tuple[BoundEdges, ...] = ()
    _samples: dict[tuple[str, ...], dict[str, Column]] = field(default_factory=dict, repr=False)

    @property
    def jets(self) -> str | None:
        """The column with one value for each jet, where an entry is an event of jets."""
        index = self.columns.collections[0].index
        return None if index is None else index.jets

    @property
    def per_set(self) -> list[Expression]:
        """Everything that is computed for each set."""
        optional = [e for e in (self.cut, self.label, self.weights) if e is not None]
        named = (self.classes, self.context, self.targets)
        return [*optional, *(e for each in named for e in each.values())]

    @property
    def of_sets(self) -> list[Expression]:
        """What has a value for each set: what is computed for it, and its observers."""
        return [*self.per_set, *self.observers.values()]

    @property
    def names(self) -> list[str]:
        """The columns to read."""
        expressions = [*self.of_sets, *(e for part in self.parts for e in part.expressions)]
        names = dict.fromkeys(name for e in expressions for name in e.names)
        for part in self.parts:
            if part.index is not None:
                index = (part.index.jets, part.index.jet, part.index.particle)
                names |= dict.fromkeys(name for name in index if name is not None)
        return list(names | dict.fromkeys(name for edges in self.edges for name in edges.names))

    @property
    def nested_names(self) -> list[str]:
        """The columns of lists of lists to read."""
        return list(dict.fromkeys(name for edges in self.edges for name in edges.nested_names))

    def sample(self, names: Iterable[str]) -> dict[str, Column]:
        """Columns without lists over some entries from all over the file, which are read once."""
        names, entries = tuple(names), self.table.entries
        # Threads that come here at once find the same.
        if names not in self._samples:
            starts = np.linspace(0, entries - _SAMPLE, _SAMPLES).astype(np.int64).tolist()
            few = entries <= _SAMPLE * _SAMPLES
            ranges = [(0, entries)] if few else [(start, start + _SAMPLE) for start in starts]
            parts = [read_columns(self.table, names, *each) for each in ranges]
            self._samples[names] = {
                name: Column(np.concatenate([part[name].values for part in parts]))
                for name in names
            }
        return self._samples[names]


def bind(columns: Columns, table: Table) -> Bound:
    """Look up every name that the columns use in the table, or ``entry``, the number of an entry.

    Raises
    ------
    ColumnError
        If the table lacks one; the message lists the nearest names.
    InputError
        If an expression is no arithmetic.
    DataError
        If labels go by file and the file belongs to no class or to several.
    """
    table = Numbered(table)
    known = frozenset((*table.names(), ENTRY_NUMBER))

    def look_up(text: str, where: str, names: frozenset[str] = known) -> Expression:
        expression = parse(text, names, columns.tables)
        for name in expression.names:
            if name not in names:
                raise missing_column(name, table, where)
        return expression

    def optional(text: str | None, where: str) -> Expression | None:
        return None if text is None else look_up(text, where)

    places = {name: i for i, name in enumerate(columns.feature_names)}
    parts = tuple(_bind_collection(part, places, look_up, optional) for part in columns.collections)
    of_edges = {name: i for i, name in enumerate(columns.edge_feature_names)}
    by_expression = columns.classes if isinstance(columns.classes, dict) else {}
    bound = Bound(
        table=table,
        columns=columns,
        parts=parts,
        cut=optional(columns.cut, "cut"),
        label=optional(columns.label, "label"),
        classes={name: look_up(text, f"class {name}") for name, text in by_expression.items()},
        file_label=_file_label(columns, table.file) if columns.class_files else None,
        weights=optional(columns.weights, "weights"),
        context={name: look_up(text, f"context {name}") for name, text in columns.context.items()},
        targets={name: look_up(text, f"target {name}") for name, text in columns.targets.items()},
        observers={
            name: look_up(text, f"observer {name}") for name, text in columns.observers.items()
        },
        edges=tuple(bind_edges(each, of_edges, known, look_up) for each in columns.edges),
    )
    arguments = dict.fromkeys(step.argument for e in bound.of_sets for step in e.reductions)
    owners = {argument: _owner(argument, parts) for argument in arguments}
    whole = []
    for i, part in enumerate(parts):
        reduced = tuple(argument for argument, owner in owners.items() if owner == i)
        names = dict.fromkeys(name for each in bound.edges for name in each.columns_of_nodes(i))
        at_ends = tuple(Expression(name, (Name(name),)) for name in names)
        part = replace(part, reduced=reduced, at_ends=at_ends)
        whole.append(_with_levels(part, table.list_of))
    return replace(bound, parts=tuple(whole))


def _owner(argument: Expression, parts: Sequence[BoundCollection]) -> int:
    """The number of the collection over whose particles an expression of the sets reduces."""
    if len(parts) == 1:
        return 0
    names = [{name for e in part.expressions for name in e.names} for part in parts]
    shared = set.union(*(a & b for a, b in combinations(names, 2)))
    owners = [i for i, own in enumerate(names) if set(argument.names) & (own - shared)]
    if len(owners) != 1:
        raise InputError(
            f"expression {argument.text!r} that is reduced over the particles of a set",
            expected="columns that one collection has in its momentum, features or cut, and no "
            "other collection has",
            got=f"columns of {len(owners)} of {len(parts)} collections",
            fix="reduce a column of one collection; add sums over several",
        )
    return owners[0]


def _bind_collection(
    part: Collection,
    places: Mapping[str, int],
    look_up: Callable[[str, str], Expression],
    optional: Callable[[str | None, str], Expression | None],
) -> BoundCollection:
    """Parse the expressions of one collection."""
    index, padding = part.index, part.padding

    def stored(text: str | None, where: str) -> Expression | None:
        """What says which particles there are cannot be reduced over them."""
        expression = optional(text, where)
        return None if expression is None else _by_itself(expression, where)

    if index is not None:
        for name in ("jets", "jet", "particle"):
            stored(getattr(index, name), f"index.{name}")
        for name in index.levels:
            look_up(name, "index.levels")
    return BoundCollection(
        momentum={name: look_up(text, name) for name, text in part.momentum.items()},
        features={
            places[name]: look_up(text, f"feature {name}") for name, text in part.features.items()
        },
        kind=None if part.kind is None else places[part.kind],
        positions={name: look_up(text, name) for name, text in part.positions.items()},
        label=optional(part.label, "label of particles"),
        classes=part.classes,
        targets={name: look_up(text, f"target {name}") for name, text in part.targets.items()},
        index=index,
        cut=optional(part.cut, "cut on particles"),
        padding=None
        if padding is None
        else BoundPadding(
            padding.fill,
            stored(padding.mask, "padding.mask"),
            stored(padding.count, "padding.count"),
        ),
        hardest=part.hardest,
    )


def _by_itself(expression: Expression, where: str) -> Expression:
    """The expression, if it is computed before it is known which particles are kept."""
    if expression.reductions:
        raise InputError(
            f"expression {expression.text!r} ({where})",
            expected="no reduction over the particles of a set, as which are kept is not known yet",
            got=f"a reduction of {expression.reductions[0].argument.text!r}",
            fix="name a column, or reduce in features, cut, label, weights or context",
        )
    return expression


def _with_levels(part: BoundCollection, list_of: ListOf) -> BoundCollection:
    """The collection with the level of each of its columns."""
    names = [name for expression in part.expressions for name in expression.names]
    if part.index is None:
        return replace(part, levels=levels_in_sets(names))
    known = (part.momentum or part.positions or part.features).values()
    return replace(part, levels=levels_in_jets(part.index, known, names, list_of))


def _file_label(columns: Columns, file: str) -> int:
    """The number of the class whose pattern the file's name matches."""
    spellings = (file, os.path.abspath(file), os.path.basename(file))
    matching = [
        name
        for name, pattern in columns.class_files.items()
        if any(fnmatch.fnmatch(spelling, pattern) for spelling in spellings)
    ]
    if len(matching) != 1:
        raise DataError(
            f"file {file!r}",
            expected="a name that matches the pattern of one class: "
            + ", ".join(f"{name} {pattern!r}" for name, pattern in columns.class_files.items()),
            got=f"a match with {', '.join(matching)}" if matching else "no match",
            fix="correct the patterns in class_files",
        )
    return columns.class_names.index(matching[0])
