"""Which places of fixed arrays hold particles, and which particles of each set are the hardest."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from hepml.errors import InputError


class OtherPadding(NamedTuple):
    """A set at whose end stands what looks like padding other than zeros, and its value.

    The value is that of the first column where columns hold different ones: none fits all then.
    """

    set: int
    value: float
    fits: bool = True


def particle_places(
    stored: Sequence[Shaped[np.ndarray, " places"]],
    offsets: Int64[np.ndarray, " bounds"],
    fill: float = 0.0,
) -> Bool[np.ndarray, " places"]:
    """Which places of fixed arrays hold particles: all but the padding at the end of each set.

    A place is padding if every stored column holds the fill value there and at every later place of
    its set; where the fill value is not zero, some of the columns may hold zero beside it.

    Parameters
    ----------
    stored
        The columns that the momenta are computed from, as they are stored, set after set. What is
        computed of them may differ from zero where nothing is stored: ``eta`` as the sum of the
        jet's and a difference, or an energy with a constant mass.
    offsets
        Bounds of the sets.
    fill
        The number that stands in padded places; NaN is one.

    Raises
    ------
    InputError
        If the offsets are no bounds from 0 to the number of places.

    Examples
    --------
    >>> pt = np.array([5., 0., 3., 0., 0., 0., 0., 0.])
    >>> particle_places([pt], np.array([0, 4, 8])).tolist()
    [True, True, True, False, False, False, False, False]
    """
    _check(stored, offsets)
    zero = fill == 0
    present: Any = stored[0] != 0 if zero else _differs(stored[0], fill)
    for column in stored[1:]:
        present |= column != 0 if zero else _differs(column, fill)
    if not zero:
        # Zeros alone are momenta of zero: this file pads with something else.
        present |= ~np.any([_equals(column, fill) for column in stored], axis=0)
    # The last place that is present in each set, or the one before the set.
    places = np.flatnonzero(present)
    before = np.searchsorted(places, offsets[1:])
    last = np.concatenate([[-1], places])[before]
    ends = np.maximum(last + 1, offsets[:-1])
    runs = np.stack([ends - offsets[:-1], offsets[1:] - ends], axis=1).reshape(-1)
    return np.repeat(np.arange(len(runs)) % 2 == 0, runs)


def other_padding(
    stored: Sequence[Shaped[np.ndarray, " places"]],
    offsets: Int64[np.ndarray, " bounds"],
    pt: Shaped[np.ndarray, " places"] | None = None,
    company: Callable[[], Sequence[Shaped[np.ndarray, "others length"]]] | None = None,
) -> OtherPadding | None:
    """The first set whose last place looks like padding that is not zero, if there is one.

    That is a place where every stored column is NaN or zero, or one negative number or zero, or
    where three or more are one positive number and all others zero, if momenta differ; or where the
    transverse momentum is negative; or where every stored column is negative, with the numbers in
    which another set ends.

    Parameters
    ----------
    stored, offsets
        As in :func:`particle_places`.
    pt
        The transverse momenta, where they are a coordinate.
    company
        A function that gives the same columns of other sets of the file: momenta that may differ,
        and sets that may end alike. It is called only where these sets alone do not tell.

    Raises
    ------
    InputError
        If the offsets are no bounds from 0 to the number of places.
    """
    _check(stored if pt is None else [*stored, pt], offsets)
    sets = np.flatnonzero(offsets[1:] > offsets[:-1])
    places = offsets[1:][sets] - 1
    at_end = np.array([column[places] for column in stored], np.float64)
    lowest = np.fmin.reduce(at_end, axis=0)
    empty = np.isnan(at_end) | (at_end == 0)
    suspect = empty.all(axis=0) & (at_end != 0).any(axis=0)
    suspect |= (lowest < 0) & ((at_end == lowest) | (at_end == 0)).all(axis=0)
    highest = np.fmax.reduce(at_end, axis=0)
    alike = ((at_end == highest) | (at_end == 0)).all(axis=0) & (highest > 0)
    alike &= (at_end == highest).sum(axis=0) > 2
    negative = (at_end < 0).all(axis=0)
    others: list[Any] = []
    if company is not None and (alike.any() or negative.any()):
        others = [*company()]
    if alike.any():
        number = highest[alike][0]
        all_of = (*stored, *others)
        alike &= any(((column != number) & (column != 0)).any() for column in all_of)
    suspect |= alike
    value = np.where(np.isnan(at_end).any(axis=0), np.nan, np.where(alike, highest, lowest))
    if pt is not None:
        value = np.where(suspect, value, pt[places])
        suspect |= pt[places] < 0
    beside = np.array([column[:, -1] for column in others if column.size], np.float64)
    repeated = _repeated(at_end, beside.reshape(len(stored), -1))
    value[repeated] = np.where(suspect[repeated], value[repeated], at_end[0, repeated])
    suspect[repeated] = True
    found = np.flatnonzero(suspect)
    if not len(found):
        return None
    first = int(found[0])
    ends, number = at_end[:, first], float(value[first])
    fits = bool((np.isnan(ends) | (ends == 0) | (ends == number)).all())
    return OtherPadding(int(sets[first]), number, fits)


def hardest_places(
    pt: Shaped[np.ndarray, " particles"], offsets: Int64[np.ndarray, " bounds"], number: int
) -> Bool[np.ndarray, " particles"]:
    """Which particles are among so many of their set with the largest transverse momenta.

    Of equal ones the first are taken. NaN counts as the largest, so that it is found later.

    Raises
    ------
    InputError
        If the offsets are no bounds from 0 to the number of particles, or the number is below one.

    Examples
    --------
    >>> hardest_places(np.array([1., 3., 2., 3., 5.]), np.array([0, 4, 5]), 2).tolist()
    [False, True, False, True, True]
    """
    _check([pt], offsets)
    if number < 1:
        raise InputError(
            "number",
            expected="a number of particles, one or more",
            got=repr(number),
            fix="keep at least one particle of each set",
        )
    counts = np.diff(offsets)
    mask = np.ones(len(pt), bool)
    # Most sets are short: only the others are sorted.
    counts_of_long = counts[counts > number]
    rows = np.flatnonzero(np.repeat(counts > number, counts))
    if len(rows):
        falling = -np.where(np.isnan(pt[rows]), np.inf, pt[rows])
        order = np.lexsort((falling, np.repeat(np.arange(len(counts_of_long)), counts_of_long)))
        starts = np.cumsum(counts_of_long) - counts_of_long
        rank = np.arange(len(rows)) - np.repeat(starts, counts_of_long)
        mask[rows[order[rank >= number]]] = False
    return mask


def _repeated(at_end: Any, others: Any) -> Any:
    """The sets that end in negative numbers only, in which several end, among these or others."""
    negative = (at_end < 0).all(axis=0)
    if not negative.any():
        return np.flatnonzero(negative)
    often = set()
    # Among both together, a set could be counted twice.
    for ends in (at_end, others):
        ends = ends[:, (ends < 0).all(axis=0)]
        numbers, counts = np.unique(ends, axis=1, return_counts=True)
        often |= {*map(tuple, numbers.T[counts > 1].tolist())}
    return np.flatnonzero(negative & [tuple(ends) in often for ends in at_end.T.tolist()])


def _check(columns: Sequence[Any], offsets: Any) -> None:
    """Refuse what are no columns of numbers, or no bounds of sets among their rows."""
    plain = [isinstance(c, np.ndarray) and c.ndim == 1 and c.dtype.kind in "biuf" for c in columns]
    if not columns or not all(plain) or len({len(column) for column in columns}) > 1:
        raise InputError(
            "columns of places",
            expected="one array of numbers or more, all of one length and one axis",
            got=", ".join(f"{getattr(c, 'dtype', type(c).__name__)} {np.shape(c)}" for c in columns)
            or "none",
            fix="flatten fixed arrays, with offsets at multiples of their length",
        )
    size = len(columns[0])
    whole = isinstance(offsets, np.ndarray) and offsets.ndim == 1 and offsets.dtype == np.int64
    # Neighbours are compared: their difference may be beyond int64, and come out with either sign.
    if (
        not whole
        or not len(offsets)
        or offsets[0] != 0
        or offsets[-1] != size
        or (offsets[1:] < offsets[:-1]).any()
    ):
        raise InputError(
            "offsets",
            expected=f"int64 bounds that start at 0, never fall and end at {size}",
            got=f"{getattr(offsets, 'dtype', type(offsets).__name__)} {offsets!r:.80}",
            fix="pass the running sum of the numbers of places, starting with 0",
        )


def _equals(values: Any, fill: float) -> Any:
    """Where values are the fill value in the precision in which they are stored."""
    if np.isnan(fill):
        return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    return values == (values.dtype.type(fill) if values.dtype.kind == "f" else fill)


def _differs(values: Any, fill: float) -> Any:
    """Where values are neither the fill value nor zero."""
    return ~_equals(values, fill) & (values != 0)
