"""Which of the sets that pass the cut are used, where there is a limit to their number."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

# Of a mask of the sets that pass, the mask of those that are used.
Pick = Callable[[Any], Any]


def first_of(limit: int) -> Pick:
    """The first so many sets."""
    return partial(_first, limit)


def evenly(sets: int) -> Pick:
    """So many sets, one from each of as many equal ranges of those that pass.

    Where in its range is decided at random, once and for all: at equal distances, sets of two
    classes that take turns would give one class.
    """
    return partial(_evenly, sets)


def _first(limit: int, passed: Any) -> Any:
    return passed & (np.cumsum(passed) <= limit)


def _evenly(sets: int, passed: Any) -> Any:
    places = np.flatnonzero(passed)
    if sets >= len(places):
        return passed
    bounds = np.arange(sets + 1) * len(places) // sets
    used = np.zeros_like(passed)
    random = np.random.default_rng([len(places), sets])
    used[places[random.integers(bounds[:-1], bounds[1:])]] = True
    return used
