"""Tables of numbers for the particles and for the sets, with what is wrong in them noted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hepml.data import hardest_places
from hepml.io.chunks._binding import Bound, BoundCollection
from hepml.io.chunks._faults import Faults
from hepml.io.chunks._links import particles_of
from hepml.io.chunks._momenta import fill_p4
from hepml.io.chunks._particle_numbers import (
    particle_labels_of,
    particle_targets_of,
    positions_of,
)
from hepml.io.chunks._places import passing, places_of
from hepml.io.chunks._rows import Rows, offsets_of
from hepml.io.columns._column_checks import UNITS
from hepml.io.expressions._conditions import decided
from hepml.io.expressions._steps import Expression
from hepml.io.formats._table import Column


class Particles(NamedTuple):
    """The particles of all collections together, in their order in each set."""

    p4: Any
    """(particles, 4), or (particles, 0) of nodes without momenta."""
    features: Any
    positions: Any
    """(particles, coordinates), as many as the collections have."""
    labels: Any
    """(particles,), or None."""
    targets: Any
    """(particles, targets), or None."""
    offsets: Any
    reduced: dict[Expression, Rows]
    """The particles over which each reduction of the sets runs."""
    parts: list[tuple[Rows, Any]]
    """Of each collection the particles that are kept, and their places among all."""


def particles_table(
    bound: Bound,
    columns: Mapping[str, Column],
    levels: Sequence[Mapping[str, str]],
    entries: Any,
    faults: Faults,
) -> Particles:
    """Momenta, features and offsets of all collections together."""
    parts = momenta_of(bound, columns, levels, entries, faults)
    reduced = reduced_over(bound, parts)
    tables, kept = [], []
    before = np.sum([offsets[:-1] for _, _, offsets in parts], axis=0)
    for part, (p4, rows, offsets) in zip(bound.parts, parts, strict=True):
        features = np.empty((rows.size, len(bound.columns.feature_names)), np.float32)
        _fill_features(features, part, rows)
        positions = positions_of(part, rows, offsets, faults)
        _check_particles(bound, part, p4, features, rows, offsets, faults)
        labels = particle_labels_of(part, rows, offsets, faults)
        targets = particle_targets_of(bound, part, rows, offsets, faults)
        tables.append((p4, features, positions, labels, targets))
        places = np.arange(rows.size)
        if len(parts) > 1:
            places += np.repeat(before - offsets[:-1], np.diff(offsets))
            before = before + np.diff(offsets)
        kept.append((rows, places))
    offsets = np.sum([offsets for _, _, offsets in parts], axis=0)
    if len(parts) == 1:
        p4, features, positions, labels, targets = tables[0]
    else:
        p4, features, positions, labels, targets = (
            _merged(own, [places for _, places in kept]) for own in zip(*tables, strict=True)
        )
    return Particles(p4, features, positions, labels, targets, offsets, reduced, kept)


def _merged(tables: Sequence[Any], places: Sequence[Any]) -> Any:
    """The rows of several tables at their places in one; None of none."""
    if tables[0] is None:
        return None
    size = sum(map(len, tables))
    merged = np.empty((size, *tables[0].shape[1:]), tables[0].dtype)
    for own, table in zip(places, tables, strict=True):
        merged[own] = table
    return merged


def momenta_of(
    bound: Bound,
    columns: Mapping[str, Column],
    levels: Sequence[Mapping[str, str]],
    entries: Any,
    faults: Faults,
) -> list[tuple[Any, Rows, Any]]:
    """Momenta, rows and offsets of each collection, without padding and what is cut away."""
    jets = None if bound.jets is None else offsets_of(columns[bound.jets])
    parts = []
    for part, level in zip(bound.parts, levels, strict=True):
        rows, offsets = particles_of(bound, part, columns, level, jets, faults)
        kept = places_of(bound, part, columns, rows, offsets, entries, faults)
        parts.append(_momenta(bound, part, rows, offsets, kept, faults))
    return parts


def reduced_over(bound: Bound, parts: Sequence[tuple[Any, Rows, Any]]) -> dict[Expression, Rows]:
    """The particles over which each reduction of the sets runs: those that are kept."""
    return {
        argument: rows
        for part, (_, rows, _) in zip(bound.parts, parts, strict=True)
        for argument in part.reduced
    }


def _momenta(
    bound: Bound, part: BoundCollection, rows: Rows, offsets: Any, kept: Any, faults: Faults
) -> tuple[Any, Rows, Any]:
    """The momenta of one collection, without padding and what its cut and its number remove."""
    rows.counted = kept
    coordinates = {name: rows.evaluate(e) for name, e in part.momentum.items()}
    if part.cut is not None:
        passed = passing(
            part.cut, "cut on particles", "cut not decided", rows, offsets, faults, kept
        )
        kept = passed if kept is None else kept & passed
    if kept is not None:
        coordinates, offsets = _only(kept, coordinates, rows)
    if part.hardest is not None:
        cartesian = "px" in coordinates
        pt = np.hypot(coordinates["px"], coordinates["py"]) if cartesian else coordinates["pt"]
        kept = hardest_places(pt, offsets, part.hardest)
        coordinates, offsets = _only(kept, coordinates, rows)
    if "pt" in coordinates:
        pt = coordinates["pt"]
        bad = np.flatnonzero(pt < 0)
        column = repr(part.momentum["pt"].text)
        faults.add_particles(bad, offsets, "negative pt", column, "zero or more", pt[bad])
    p4 = np.empty((rows.size, 4 if coordinates else 0), np.float32)
    if coordinates:
        fill_p4(p4, coordinates, UNITS[bound.columns.unit])
    return p4, rows, offsets


def _only(kept: Any, coordinates: Mapping[str, Any], rows: Rows) -> tuple[dict[str, Any], Any]:
    """Coordinates and offsets of the particles that a mask keeps; the rows forget the others."""
    rows.keep(kept)
    return {name: values[kept] for name, values in coordinates.items()}, rows.offsets


def _fill_features(features: Any, part: BoundCollection, rows: Rows) -> None:
    """Write the features of one collection; those that it lacks are zero."""
    with np.errstate(all="ignore"):
        for place in range(features.shape[1]):
            if place in part.features:
                values = rows.evaluate(part.features[place])
                # numpy converts int8 five times faster than bool, which has the same bytes.
                features[:, place] = values.view(np.int8) if values.dtype == bool else values
            else:
                features[:, place] = 1.0 if place == part.kind else 0.0


def _check_particles(
    bound: Bound,
    part: BoundCollection,
    p4: Any,
    features: Any,
    rows: Rows,
    offsets: Any,
    faults: Faults,
) -> None:
    """Note the sets with momenta or features that are not finite, or with negative energies."""
    if not _all_finite(p4):
        bad = np.flatnonzero(~np.isfinite(p4).all(axis=1))
        column, values = _culprit(part, rows, bad)
        nan = np.isnan(p4[bad]).any(axis=1)
        for reason, chosen in (("NaN momentum", nan), ("infinite momentum", ~nan)):
            faults.add_particles(
                bad[chosen], offsets, reason, column, "finite numbers", values[chosen]
            )
    if p4.size and p4[:, 0].min() < 0:
        bad = np.flatnonzero(p4[:, 0] < 0)
        name = "E" if "E" in part.momentum else "energy"
        column = repr(part.momentum[name].text) if name in part.momentum else "momentum"
        expected = "energies of zero or more"
        faults.add_particles(bad, offsets, "negative energy", column, expected, p4[bad, 0])
    if features.shape[1] and not _all_finite(features):
        for place, expression in part.features.items():
            bad = np.flatnonzero(~np.isfinite(features[:, place]))
            name = bound.columns.feature_names[place]
            column = f"{expression.text!r} (feature {name})"
            values = features[bad, place]
            faults.add_particles(
                bad, offsets, "feature not finite", column, "finite numbers", values
            )


def _culprit(part: BoundCollection, rows: Rows, bad: Any) -> tuple[str, Any]:
    """The first expression of the momentum that is not finite itself, and its values."""
    for expression in part.momentum.values():
        values = rows.evaluate(expression)[bad]
        if not np.isfinite(np.asarray(values, np.float64)).all():
            return repr(expression.text), values
    text = ", ".join(expression.text for expression in part.momentum.values())
    return f"({text})", np.full(len(bad), "a momentum beyond single precision")


def labels_of(bound: Bound, sets: Rows, faults: Faults) -> Any:
    """The number of the class of each set, or None without labels."""
    if bound.file_label is not None:
        return np.full(sets.size, bound.file_label, np.int64)
    names = bound.columns.class_names
    if bound.label is not None:
        values = np.asarray(sets.evaluate(bound.label))
        with np.errstate(invalid="ignore"):
            labels = values.astype(np.int64)
        bad = np.flatnonzero((labels != values) | (labels < 0) | (labels >= len(names)))
        expected = f"one of 0..{len(names) - 1} ({_listed(names)})"
        target = "; numbers to regress are targets, which are not read as labels"
        fractions = np.isfinite(values[bad]) & (labels[bad] != values[bad])
        found = [f"{v!s}{target if f else ''}" for v, f in zip(values[bad], fractions, strict=True)]
        faults.add(bad, "label outside the classes", repr(bound.label.text), expected, found)
        return labels
    if not bound.classes:
        return None
    found = [sets.evaluate(expression) for expression in bound.classes.values()]
    both = [decided(each) for each in found]
    true, open_ = (np.stack(each, axis=1) for each in zip(*both, strict=True))
    bad = np.flatnonzero((true.sum(axis=1) != 1) | open_.any(axis=1))
    examples = [
        ", ".join(
            name if true[i, c] else f"{name} {found[c][i]}"
            for c, name in enumerate(names)
            if true[i, c] or open_[i, c]
        )
        or "none is true"
        for i in bad
    ]
    column = " or ".join(repr(expression.text) for expression in list(bound.classes.values())[:6])
    expected = f"one true expression among the classes {_listed(names)}"
    faults.add(bad, "label outside the classes", column, expected, examples)
    return true.argmax(axis=1).astype(np.int64)


def numbers_of(expressions: Mapping[str, Expression], sets: Rows, faults: Faults) -> Any:
    """Weights or context as (sets, names), or None without any."""
    if not expressions:
        return None
    table = np.empty((sets.size, len(expressions)), np.float32)
    for i, (name, expression) in enumerate(expressions.items()):
        # A number beyond single precision becomes infinite, which is found.
        with np.errstate(over="ignore"):
            table[:, i] = sets.evaluate(expression)
        bad = np.flatnonzero(~np.isfinite(table[:, i]))
        column = f"{expression.text!r} ({name})"
        faults.add(bad, f"{name} not finite", column, "finite numbers", table[bad, i])
    return table


def context_of(bound: Bound, sets: Rows, faults: Faults) -> Any:
    """The context as (sets, names), or None; an integer that single precision rounds is bad."""
    table = numbers_of(bound.context, sets, faults)
    for i, (name, expression) in enumerate(bound.context.items()):
        values = sets.evaluate(expression)
        if values.dtype.kind in "iu":
            with np.errstate(invalid="ignore"):
                bad = np.flatnonzero(table[:, i].astype(values.dtype) != values)
            column = f"{expression.text!r} (context {name})"
            expected = "integers that context, in single precision, can hold; an identifier is no "
            expected += "number to learn from, and 1.0 * x is rounded"
            faults.add(bad, "integer beyond single precision", column, expected, values[bad])
    return table


def _listed(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


def _all_finite(table: Any) -> bool:
    """Whether no number is NaN or infinite."""
    # One pass without a temporary; the sum may overflow, so only then look at every number.
    with np.errstate(all="ignore"):
        return bool(np.isfinite(table.sum())) or bool(np.isfinite(table).all())
