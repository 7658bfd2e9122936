"""Picks of the sets that pass: as many as asked for, none twice, from everywhere."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hepml.io.streams._picks import evenly, first_of


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 70))
def test_picks_are_as_many_as_asked_for_of_those_that_pass(passed, sets):
    passed = np.array(passed, bool)
    total = int(passed.sum())
    for pick in (first_of(sets), evenly(sets)):
        used = pick(passed)
        assert used.sum() == min(sets, total)
        assert not (used & ~passed).any()
        assert np.array_equal(used, pick(passed))
    place = np.cumsum(passed) - 1
    assert (place[first_of(sets)(passed)] < sets).all()
    if sets < total:
        bounds = np.arange(sets) * total // sets
        ranges = np.searchsorted(bounds, place[evenly(sets)(passed)], "right") - 1
        assert ranges.tolist() == list(range(sets))


def test_of_sets_that_take_turns_both_kinds_are_picked():
    used = np.flatnonzero(evenly(1000)(np.ones(2000, bool)))
    # Of 500 expected, with a deviation of 16 by chance.
    assert abs((used % 2).sum() - 500) < 80
