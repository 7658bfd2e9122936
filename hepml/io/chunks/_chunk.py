"""One range of entries as a batch of sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from hepml.data import Graph, ParticleSet
from hepml.io.chunks._assemble import (
    Particles,
    context_of,
    labels_of,
    numbers_of,
    particles_table,
)
from hepml.io.chunks._binding import Bound
from hepml.io.chunks._edges import edges_table, edges_unequal
from hepml.io.chunks._faults import Faults
from hepml.io.chunks._graphs import graph_of
from hepml.io.chunks._links import check_counter
from hepml.io.chunks._observers import observed, sets_apart
from hepml.io.chunks._rows import levels_of, offsets_of, set_levels_of, sets_of
from hepml.io.expressions._conditions import decided
from hepml.io.expressions._steps import Expression
from hepml.io.formats._table import Column, read_columns, take_entries
from hepml.io.streams._picks import Pick

Bad = Literal["error", "drop"]


@dataclass(frozen=True)
class Chunk:
    """The sets of one range of entries of one file.

    Parameters
    ----------
    particles
        The sets that passed the cut and were not dropped; a :class:`~hepml.data.Graph` where the
        columns have edges.
    file, tree
        Where they came from.
    start, stop
        The range of entries.
    total
        The number of sets in these entries, before the cut.
    rows
        For each set of `particles`, its number among the `total`.
    sets_per_entry
        The number of sets of each entry; None where an entry is a set.
    bad
        For each reason, the numbers among the `total` of the sets that were dropped for it.
    observers
        What the columns observe, for each of the `total` sets.
    edge_order
        Numbers that rise, among the edges of a set, in the order in which the file has them, way
        after way; None without edges.
    """

    particles: ParticleSet | Any
    file: str
    tree: str
    start: int
    stop: int
    total: int
    rows: Any
    sets_per_entry: Any = None
    bad: Mapping[str, Any] = field(default_factory=dict)
    observers: Mapping[str, Any] = field(default_factory=dict)
    edge_order: Any = None

    @property
    def dropped(self) -> dict[str, int]:
        """How many sets were dropped as bad, by reason."""
        return {reason: len(rows) for reason, rows in self.bad.items()}


def count_passing(bound: Bound, start: int, stop: int) -> int:
    """The number of sets in a range of entries that pass the cut."""
    if bound.cut is None and bound.jets is None:
        return stop - start
    return int(passing(bound, start, stop).sum())


def passing(bound: Bound, start: int, stop: int) -> Any:
    """Which sets of a range of entries pass the cut; those of which it is not known do.

    Particles are read only for a cut that reduces over them.
    """
    columns = columns_of_sets(bound, [] if bound.cut is None else [bound.cut], start, stop)
    return passing_among(bound, columns, start, stop, Faults())


def columns_of_sets(
    bound: Bound, expressions: Sequence[Expression], start: int, stop: int
) -> Mapping[str, Column]:
    """What expressions of the sets need."""
    names = [name for expression in expressions for name in expression.names]
    if bound.jets is not None:
        names.append(bound.jets)
    reduces = any(expression.reductions for expression in expressions)
    columns = read_columns(bound.table, bound.names if reduces else names, start, stop)
    check_counter(bound, columns, start)
    return columns


def read_chunk(
    bound: Bound, start: int, stop: int, bad: Bad, pick: Pick | None = None
) -> tuple[Chunk, Any]:
    """Read a range of entries, of the sets that pass the cut those that are picked, or all.

    Also, for each of these, its row in the chunk; or -1 - i if it was dropped for reason i.
    """
    entries = stop - start
    columns: Mapping[str, Column] = read_columns(bound.table, bound.names, start, stop)
    check_counter(bound, columns, start)
    if bound.nested_names:
        columns = {**columns, **bound.table.read_nested(bound.nested_names, start, stop)}
    bounds = None if bound.jets is None else offsets_of(columns[bound.jets])
    observers = observed(bound, columns, start, stop)
    faults = Faults()
    passed = passing_among(bound, columns, start, stop, faults)
    if pick is not None:
        passed = pick(passed)
    place = np.cumsum(passed) - 1
    levels = [levels_of(bound, part, columns) for part in bound.parts]
    set_levels = set_levels_of(bound, bound.per_set, columns)
    equal = np.ones(entries, bool)
    of_edges = [edges_unequal(bound, edges, columns) for edges in bound.edges]
    for unequal in [*(u for _, u in levels), set_levels[1], *of_edges]:
        for name, (reference, differ) in unequal.items():
            equal &= ~differ
            _add_unequal(faults, columns, name, reference, differ, bounds)
    rows = np.arange(len(passed))
    if not equal.all():
        rows = rows[mask_of_sets(equal, bounds)]
        columns = {name: take_entries(column, equal) for name, column in columns.items()}
        faults.numbers = rows
    sets = sets_of(bound, set_levels[0], columns, int(equal.sum()))
    particle_levels = [level for level, _ in levels]
    numbers = np.arange(start, stop)[equal]
    table = particles_table(bound, columns, particle_levels, numbers, faults)
    sets.particles = table.reduced
    edges = edges_table(bound, columns, table, faults) if bound.edges else None
    labels = labels_of(bound, sets, faults)
    weights = numbers_of({"weights": bound.weights} if bound.weights else {}, sets, faults)
    weights = None if weights is None else weights[:, 0]
    context = context_of(bound, sets, faults)
    named = {f"target {name}": each for name, each in bound.targets.items()}
    targets = numbers_of(named, sets, faults)
    lost: Mapping[str, Any] = {}
    remaining = passed
    if faults:
        if bad == "error":
            entry = np.arange(start, stop)
            if bounds is not None:
                entry = np.repeat(entry, np.diff(bounds))
            faults.raise_first(passed, bound.table.source, entry, bounds is None)
        remaining, lost = faults.dropped(passed)
    kept = remaining[rows]
    of_sets = {"context": context, "labels": labels, "targets": targets, "weights": weights}
    if edges is None:
        batch: ParticleSet | Graph = _particles(table, of_sets, kept)
    else:
        batch = graph_of(table, edges, of_sets, kept)
    rows = rows[kept]
    chunk = Chunk(
        particles=batch,
        file=bound.table.file,
        tree=bound.table.tree,
        start=start,
        stop=stop,
        total=len(passed),
        rows=rows,
        sets_per_entry=None if bounds is None else np.diff(bounds),
        bad=lost,
        observers=observers,
        edge_order=None if edges is None else edges.order[np.repeat(kept, np.diff(edges.offsets))],
    )
    row_of = np.empty(int(passed.sum()), np.int64)
    row_of[place[rows]] = np.arange(len(rows))
    for number, gone in enumerate(lost.values()):
        row_of[place[gone]] = -1 - number
    return chunk, row_of


def _particles(table: Particles, of_sets: Mapping[str, Any], kept: Any) -> ParticleSet:
    """The sets that are kept of a chunk."""
    p4, features, offsets = table.p4, table.features, table.offsets
    labels, targets = table.labels, table.targets
    if not kept.all():
        in_kept = np.repeat(kept, np.diff(offsets))
        p4, features = p4[in_kept], features[in_kept]
        labels, targets = (None if v is None else v[in_kept] for v in (labels, targets))
        offsets = np.concatenate([[0], np.cumsum(np.diff(offsets)[kept])])
        of_sets = {name: None if v is None else v[kept] for name, v in of_sets.items()}
    values = {"p4": p4, "offsets": offsets, "features": features, **of_sets}
    values |= {"particle_labels": labels, "particle_targets": targets}
    # Everything that a ParticleSet checks has been checked, with names of columns.
    return ParticleSet._trusted(
        **{name: None if v is None else torch.from_numpy(v) for name, v in values.items()}
    )


def passing_among(
    bound: Bound, columns: Mapping[str, Column], start: int, stop: int, faults: Faults
) -> Any:
    """Which sets pass the cut; those of which it cannot be computed are bad and pass."""
    bounds = None if bound.jets is None else offsets_of(columns[bound.jets])
    passed = np.ones(stop - start if bounds is None else int(bounds[-1]), bool)
    if bound.cut is None:
        return passed
    sets, equal = sets_apart(bound, [bound.cut], columns, start, stop)
    values = sets.evaluate(bound.cut)
    true, open_ = decided(values)
    computed = np.flatnonzero(mask_of_sets(equal, bounds))
    passed[computed] = true | open_
    column = f"{bound.cut.text!r} (cut)"
    bad = np.flatnonzero(open_)
    faults.add(computed[bad], "cut not decided", column, "true or false", values[bad])
    return passed


def mask_of_sets(entries: Any, bounds: Any) -> Any:
    """A mask over entries as one over their sets."""
    return entries if bounds is None else np.repeat(entries, np.diff(bounds))


def _add_unequal(
    faults: Faults,
    columns: Mapping[str, Column],
    name: str,
    reference: str,
    differ: Any,
    bounds: Any,
) -> None:
    """Note the sets of entries in which two columns have lists of different lengths."""
    own, other = (np.diff(offsets_of(columns[n])) for n in (name, reference))
    rows = np.flatnonzero(mask_of_sets(differ, bounds))
    entry = rows if bounds is None else np.searchsorted(bounds, rows, "right") - 1
    faults.add(
        rows,
        "unequal lengths",
        repr(name),
        f"as many values as {reference!r} has",
        [f"{own[e]} values against {other[e]}" for e in entry],
    )
