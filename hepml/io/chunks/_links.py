"""Which particles belong to which set: lists, or links between the jets and particles of events."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hepml.errors import DataError
from hepml.io.chunks._binding import Bound, BoundCollection
from hepml.io.chunks._faults import Faults
from hepml.io.chunks._levels import ENTRY, LINK, PARTICLE, SET
from hepml.io.chunks._rows import Columns, Rows, offsets_of, reference_of

# No index is as large; as a float it is exact.
_BEYOND = 2**62
# More jets in an event are no jets: a damaged counter would ask for all the memory there is.
_MOST_JETS = 1_000_000


def particles_of(
    bound: Bound,
    part: BoundCollection,
    columns: Columns,
    levels: Mapping[str, str],
    set_bounds: Any,
    faults: Faults,
) -> tuple[Rows, Any]:
    """The particles of one collection, set by set, and the offsets of the sets."""
    if part.index is not None:
        return _indexed(bound, part, columns, levels, set_bounds, faults)
    offsets = offsets_of(columns[reference_of(bound, part, columns)])
    size = int(offsets[-1])

    def entry() -> Any:
        return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))

    return Rows(columns, size, levels, {ENTRY: entry, PARTICLE: None}, offsets), offsets


def _indexed(
    bound: Bound,
    part: BoundCollection,
    columns: Columns,
    levels: Mapping[str, str],
    jet_bounds: Any,
    faults: Faults,
) -> tuple[Rows, Any]:
    """The particles of each jet, out of the links between the jets and particles of an event."""
    assert part.index is not None
    jets_before, sets = jet_bounds[:-1], int(jet_bounds[-1])
    links = columns[part.index.jet]
    entry = np.repeat(np.arange(len(jets_before)), np.diff(offsets_of(links)))
    stored = links.values.reshape(-1)
    jet = whole_numbers(stored)
    linked = jet >= 0
    inside = linked & (jet < np.diff(jet_bounds)[entry])
    outside = np.flatnonzero(linked & ~inside)
    # The link names no jet, so that every jet of its event may lack it.
    spoilt = [np.arange(jet_bounds[entry[i]], jet_bounds[entry[i] + 1]) for i in outside]
    faults.add(
        np.concatenate([np.zeros(0, np.int64), *spoilt]),
        "index out of range",
        repr(part.index.jet),
        "the number of a jet of the event",
        np.repeat(stored[outside], [len(rows) for rows in spoilt]) if spoilt else stored[:0],
    )
    particle = None
    if part.index.particle is not None:
        bounds = offsets_of(columns[reference_of(bound, part, columns)])
        stored = columns[part.index.particle].values.reshape(-1)
        number = whole_numbers(stored)
        valid = (number >= 0) & (number < np.diff(bounds)[entry])
        wrong = np.flatnonzero(inside & ~valid)
        faults.add(
            jets_before[entry[wrong]] + jet[wrong],
            "index out of range",
            repr(part.index.particle),
            "the number of a particle of the event",
            stored[wrong],
        )
        inside &= valid
        particle = bounds[:-1][entry] + np.where(valid, number, 0)
    chosen = np.flatnonzero(inside)
    set_index = jets_before[entry[chosen]] + jet[chosen]
    if np.any(np.diff(set_index) < 0):
        order = np.argsort(set_index, kind="stable")
        chosen, set_index = chosen[order], set_index[order]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(set_index, minlength=sets))])
    rows: dict[str, Callable[[], Any] | None] = {
        ENTRY: lambda: entry[chosen],
        SET: lambda: set_index,
        LINK: lambda: chosen,
        PARTICLE: None if particle is None else lambda: particle[chosen],
    }
    offsets = offsets.astype(np.int64)
    return Rows(columns, len(chosen), levels, rows, offsets), offsets


def whole_numbers(values: Any) -> Any:
    """Indices as int64; what is no whole number, or beyond, is larger than any index."""
    if values.dtype.kind in "bi" or (values.dtype.kind == "u" and values.dtype.itemsize < 8):
        return values.astype(np.int64)
    with np.errstate(invalid="ignore"):
        whole = (values == np.floor(values)) & (values < _BEYOND) & (values > -_BEYOND)
    return np.where(whole, values, _BEYOND).astype(np.int64)


def check_counter(bound: Bound, columns: Columns, start: int) -> None:
    """Refuse what cannot be numbers of jets, before memory is taken for as many.

    Raises
    ------
    DataError
        If the jets are known by a counter and it is negative, no whole number, or too large.
    """
    if bound.jets is None or not columns[bound.jets].per_entry:
        return
    values = columns[bound.jets].values
    wrong = np.flatnonzero(~((values >= 0) & (values <= _MOST_JETS) & (values == np.floor(values))))
    if len(wrong):
        raise DataError(
            f"{bound.table.source}, entry {start + wrong[0]}, column {bound.jets!r} (index)",
            expected=f"a number of jets, from 0 to {_MOST_JETS}",
            got=f"{values[wrong[0]]}",
            fix="choose the counter of the jets, or a column with a value for each of them",
        )
