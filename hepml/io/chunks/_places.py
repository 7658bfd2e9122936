"""Which places of the lists of a collection hold particles, where arrays are padded."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hepml.data import other_padding, particle_places
from hepml.errors import ColumnError, DataError
from hepml.io.chunks._binding import Bound, BoundCollection
from hepml.io.chunks._faults import Faults
from hepml.io.chunks._levels import ENTRY
from hepml.io.chunks._rows import Rows, offsets_of, reference_of
from hepml.io.expressions._conditions import decided
from hepml.io.expressions._steps import Expression
from hepml.io.formats._table import Column


def places_of(
    bound: Bound,
    part: BoundCollection,
    columns: Mapping[str, Column],
    rows: Rows,
    offsets: Any,
    entries: Any,
    faults: Faults,
) -> Any:
    """A mask over the rows of a collection that leaves out padding; None if there is none.

    Parameters
    ----------
    offsets
        Bounds of the sets among the rows.
    entries
        The numbers of the entries in the file, for messages.

    Raises
    ------
    DataError
        If what ends a fixed array looks like padding, but is not zero and the columns do not say.
    """
    if part.padding is not None and part.padding.mask is not None:
        condition = part.padding.mask
        return passing(condition, "padding.mask", "mask not decided", rows, offsets, faults)
    if part.padding is not None and part.padding.count is not None:
        return _counted(bound, part.padding.count, columns, offsets, faults)
    told = None if part.padding is None else part.padding.fill
    reference = reference_of(bound, part, columns)
    stored = {
        name: rows.flat(name)
        for name in _stored_names(part)
        if (columns[name].padded or (told is not None and not columns[name].per_entry))
        and rows.levels[name] == rows.levels[reference]
    }
    if not stored:
        return None
    bounds = offsets_of(columns[reference])
    values = list(stored.values())
    if told is None:
        _check_other(bound, part, stored, rows, bounds, entries)
    mask = particle_places(values, bounds, told or 0.0)
    return rows.at(mask, rows.levels[reference])


def passing(
    condition: Expression,
    what: str,
    reason: str,
    rows: Rows,
    offsets: Any,
    faults: Faults,
    among: Any = None,
) -> Any:
    """A mask of the particles for which a condition is true; it must be so or not among some."""
    values = rows.evaluate(condition)
    true, open_ = decided(values)
    bad = np.flatnonzero(open_ if among is None else open_ & among)
    column = f"{condition.text!r} ({what})"
    faults.add_particles(bad, offsets, reason, column, "true or false", values[bad])
    return true


def _stored_names(part: BoundCollection) -> list[str]:
    """The columns whose zeros say that nothing is stored.

    A mass of its own, that of a type or of the pion, may stand beside a momentum of zero.
    """
    momenta = {k: e.names for k, e in part.momentum.items()}
    massless = [name for k, names in momenta.items() if k != "mass" for name in names]
    return list(dict.fromkeys(massless or momenta.get("mass", ())))


def _counted(
    bound: Bound, count: Any, columns: Mapping[str, Column], offsets: Any, faults: Faults
) -> Any:
    """A mask of as many places of each set as a column says."""
    for name in count.names:
        if not columns[name].per_entry:
            raise ColumnError(
                f"{bound.table.source}, column {name!r} (padding.count)",
                expected="one number in each entry",
                got="a list",
                fix="choose the column with the number of particles, or name a mask",
            )
    lengths = np.diff(offsets)
    sets = Rows(columns, len(lengths), dict.fromkeys(count.names, ENTRY), {ENTRY: None})
    counts = np.asarray(sets.evaluate(count), np.float64)
    wrong = np.flatnonzero(~((counts >= 0) & (counts <= lengths) & (counts == np.floor(counts))))
    faults.add(
        wrong,
        "count outside the array",
        f"{count.text!r} (padding.count)",
        "a whole number from 0 to the length of the array",
        [f"{counts[i]:g} for a length of {lengths[i]}" for i in wrong],
    )
    counts[wrong] = 0
    runs = np.stack([counts, lengths - counts], axis=1).astype(np.int64).reshape(-1)
    return np.repeat(np.arange(len(runs)) % 2 == 0, runs)


def _check_other(
    bound: Bound,
    part: BoundCollection,
    stored: Mapping[str, Any],
    rows: Rows,
    bounds: Any,
    entries: Any,
) -> None:
    """Refuse padding that nobody named, and that the cut on particles does not remove."""
    pt = part.momentum.get("pt")
    sets = np.flatnonzero(bounds[1:] > bounds[:-1])
    places = bounds[1:][sets] - 1
    columns = [values[places] for values in stored.values()]

    # What a few sets alone do not tell would change with the chunk.
    def others() -> list[Any]:
        return [column.values for column in bound.sample(stored).values()]

    # With an index, the particles lie in another order than the table.
    momenta = rows.evaluate(pt)[places] if pt is not None and part.index is None else None
    found = other_padding(columns, np.arange(len(sets) + 1), momenta, others)
    if found is not None and part.cut is not None and part.index is None:
        true, open_ = decided(rows.evaluate(part.cut))
        left = np.flatnonzero((true | open_)[places])
        momenta = None if momenta is None else momenta[left]
        found = other_padding(
            [values[left] for values in columns], np.arange(len(left) + 1), momenta, others
        )
        sets = sets[left]
    if found is None:
        return
    # Momenta that are computed of padding may be positive.
    positive = momenta is not None and momenta[found.set] > 0
    mask = "" if pt is None or positive else f"{{'mask': '{pt.text} > 0'}}"
    if found.fits:
        told = f"{{'fill': {found.value:g}}}" + (f" or {mask}" if mask else "")
    else:
        mask = mask or f"{{'mask': '{next(iter(stored))} != {found.value:g}'}}"
        told = f"{mask} or a count, as no one number fills all columns"
    raise DataError(
        f"{bound.table.source}, entry {entries[sets[found.set]]}, momentum ({', '.join(stored)})",
        expected="zeros in the places of a fixed array that hold no particle",
        got=f"{found.value:g} in the last place, which looks like padding of another kind",
        fix=f"name the padding in the collection, padding: {told}, or "
        "{'fill': 0} if only zeros are padding",
    )
