"""Reductions: what expressions compute over the particles of each set.

Of a set without particles the sum and the count are 0, any is false and all is true; max, min,
mean, first and argmax are NaN, and so floating whatever the column is: the type of a result does
not go with the sets that happen to be in a chunk.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hepml.io.expressions._arithmetic import NotComputable, is_floating, number, real
from hepml.io.expressions._conditions import truth

Reduction = Callable[[Any, Any], Any]


def _sum(values: Any, offsets: Any) -> Any:
    """The sum, of single precision rounded once."""
    values = number(values)
    if is_floating(values):
        return _over(np.add, values.astype(np.float64), offsets, 0).astype(values.dtype)
    double = _over(np.add, real(values), offsets, 0)
    fits = np.abs(double) < 2**63
    return _over(np.add, values.astype(np.int64), offsets, 0) if fits.all() else double


def _mean(values: Any, offsets: Any) -> Any:
    """The mean."""
    values = real(values)
    total = _over(np.add, values.astype(np.float64), offsets, 0)
    return (total / np.diff(offsets)).astype(values.dtype)


def _any(values: Any, offsets: Any) -> Any:
    """Whether a condition is true for a particle; open if it is so for one and true for none."""
    values = truth(values)
    true = _over(np.logical_or, values == 1, offsets, False)
    return _open(true, values, offsets, ~true)


def _all(values: Any, offsets: Any) -> Any:
    """Whether a condition is true for all particles; open if it is so for one, false for none."""
    values = truth(values)
    true = _over(np.logical_and, values != 0, offsets, True)
    return _open(true, values, offsets, true)


def _count(values: Any, offsets: Any) -> Any:
    """The number of particles."""
    if values.dtype == bool:
        raise count_of_condition()
    return np.diff(offsets)


def _first(values: Any, offsets: Any) -> Any:
    """The value of the first particle."""
    filled = np.diff(offsets) > 0
    return _where_filled(number(values)[offsets[:-1][filled]], filled)


def _argmax(values: Any, offsets: Any) -> Any:
    """The place, from 0, of the first particle with the largest value."""
    values = number(values)
    filled = np.diff(offsets) > 0
    largest = _over(np.maximum, values, offsets, 0)
    hit = np.flatnonzero(values == np.repeat(largest, np.diff(offsets)))
    # A NaN is the largest of all and equal to none.
    place = np.full(len(filled), -1)
    sets = np.searchsorted(offsets, hit, "right") - 1
    place[sets[::-1]] = (hit - offsets[sets])[::-1]
    found = place[filled]
    return _where_filled(np.where(found < 0, np.nan, found) if (found < 0).any() else found, filled)


def _extreme(function: np.ufunc) -> Reduction:
    """The largest or smallest value."""

    def reduce(values: Any, offsets: Any) -> Any:
        filled = np.diff(offsets) > 0
        return _where_filled(_over(function, number(values), offsets, 0)[filled], filled)

    return reduce


REDUCTIONS: Mapping[str, Reduction] = {
    "all": _all,
    "any": _any,
    "argmax": _argmax,
    "count": _count,
    "first": _first,
    "max": _extreme(np.maximum),
    "mean": _mean,
    "min": _extreme(np.minimum),
    "sum": _sum,
}


def count_of_condition() -> NotComputable:
    """The error of the number of particles for which a condition is true, or false."""
    return NotComputable(
        "a column in count(), which counts the particles of a set",
        "a condition",
        "count those for which it is true with sum(condition)",
    )


def _over(function: np.ufunc, values: Any, offsets: Any, empty: Any) -> Any:
    """The reduction of each set by a ufunc, and another value where there is nothing."""
    filled = offsets[1:] > offsets[:-1]
    result = np.full(len(filled), empty, values.dtype)
    if len(values):
        # The starts of the others are the ends of these, as nothing lies between them.
        result[filled] = function.reduceat(values, offsets[:-1][filled])
    return result


def _where_filled(values: Any, filled: Any) -> Any:
    """Values of the sets that have particles, in floating point; NaN for the others."""
    result = np.full(len(filled), np.nan, values.dtype if is_floating(values) else np.float64)
    result[filled] = values
    return result


def _open(true: Any, values: Any, offsets: Any, undecided: Any) -> Any:
    """A condition of sets that is NaN where particles leave it open."""
    if not is_floating(values):
        return true
    open_ = _over(np.logical_or, np.isnan(values), offsets, False) & undecided
    return np.where(open_, np.nan, true)
