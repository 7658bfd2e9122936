"""Padding at the end of fixed arrays, and the hardest particles: loops over sets are the oracle."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepml.data import hardest_places, other_padding, particle_places
from hepml.errors import InputError

NAN = math.nan


def offsets_of(counts):
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def by_hand(rows, fill):
    """Cut from the end while every number is the fill value (or zero beside it)."""
    masks = []
    for row in rows:
        kept = len(row)
        while kept and all(v == 0 or v == fill or v != v for v in row[kept - 1]):
            if fill != 0 and not any(v == fill or v != v for v in row[kept - 1]):
                break
            kept -= 1
        masks += [place < kept for place in range(len(row))]
    return masks


@pytest.mark.parametrize("fill", [0.0, -1.0, NAN])
@given(counts=st.lists(st.integers(0, 4), max_size=5), seed=st.integers(0, 99))
def test_places_agree_with_a_loop(fill, counts, seed):
    random = np.random.default_rng(seed)
    values = random.choice([0.0, 3.0, fill, fill], (sum(counts), 2)).astype(np.float32)
    if fill == 0:
        assert not np.isnan(values).any()
    offsets = offsets_of(counts)
    rows = [values[a:b] for a, b in pairwise(offsets)]
    mask = particle_places(list(values.T), offsets, fill)
    assert mask.tolist() == by_hand(rows, fill)


def test_what_is_zero_in_one_column_is_no_padding():
    pt, eta = np.array([5.0, 0.0, 0.0]), np.array([0.0, 0.3, 0.0])
    assert particle_places([pt, eta], offsets_of([3])).tolist() == [True, True, False]


def test_the_fill_value_is_compared_in_the_precision_of_the_column():
    pt = np.array([5.0, -0.1, -0.1], np.float32)
    assert particle_places([pt], offsets_of([3]), -0.1).tolist() == [True, False, False]


@pytest.mark.parametrize("fill", [-1.0, -999.0])
def test_integers_take_a_fill_value(fill):
    pt = np.array([5, fill, 3, fill, fill], np.int32)
    assert particle_places([pt], offsets_of([5]), fill).tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("pt", "eta", "expected"),
    [
        ([5, 4, -1], [1, 2, -1], (0, -1)),
        ([5, 4, -1], [1, 2, 0], (0, -1)),
        ([5, 4, -1], [1, 2, -999], (0, -1)),
        ([5, 4, -999], [1, 2, -999], (0, -999)),
        ([5, 4, NAN], [1, 2, NAN], (0, NAN)),
        ([5, 4, NAN], [1, 2, 0], (0, NAN)),
        # A bad particle, not padding: it is found where momenta are checked.
        ([5, 4, NAN], [1, 2, 0.5], None),
        ([5, -1, 4], [1, -1, 2], None),
        ([5, 4, 3], [-1, -2, -3], None),
        ([5, 4, 0], [1, 2, 0], None),
    ],
)
@pytest.mark.parametrize("before", [0, 2], ids=["first", "after others"])
def test_what_looks_like_other_padding(pt, eta, expected, before):
    offsets = offsets_of([1] * before + [0] * before + [3])
    pt, eta = ([1.0] * before + column for column in (pt, eta))
    found = other_padding([np.array(pt), np.array(eta)], offsets, np.array(pt))
    if expected is None:
        assert found is None
    else:
        assert found.set == 2 * before
        np.testing.assert_equal(found.value, expected[1])


def test_each_column_may_have_a_padding_of_its_own():
    offsets = offsets_of([2, 0, 2, 2])
    pt = np.array([5.0, 4.0, 5.0, -999.0, 4.0, -999.0])
    eta = np.array([1.0, -2.0, -1.0, -9.0, 1.0, -9.0])
    assert other_padding([pt, eta], offsets) == (2, -999, False)
    assert other_padding([pt, eta], offsets, pt) == (2, -999, False)
    # One set that was measured, with negative numbers as well, does not hide the others.
    mixed = [np.append(pt, -3.0), np.append(eta, -1.5)]
    assert other_padding(mixed, offsets_of([2, 0, 2, 2, 1])) == (2, -999, False)
    # Numbers that differ are measured; of one set alone nothing can be told.
    assert other_padding([pt, eta - pt.cumsum() / 1000], offsets) is None
    assert other_padding([pt[:4], eta[:4]], offsets[:4]) is None


def test_in_company_one_set_is_enough():
    """What a few sets do not tell, others of the same file do; a set is no company of its own."""
    measured = np.array([[5.0, -4.0], [3.0, -2.0], [2.0, -0.5], [4.0, 1.0]])
    padded = np.array([[5.0, -999.0], [4.0, -999.0]])
    for number, other in ((-999, -9), (7, 7)):
        padded[:, 1] = number
        beside = np.where(padded == number, other, padded - 1)
        alone = [padded[0], beside[0], padded[0]]
        assert other_padding(alone, offsets_of([2])) is None or number == 7
        last = [column[1:] for column in alone]
        assert other_padding(last, offsets_of([1])) is None
        company = [padded, beside, padded]
        assert other_padding(last, offsets_of([1]), company=company.copy) == (
            0,
            number,
            number == 7,
        )
    ends = [measured[:1, 1], measured[:1, 1] - 2]
    assert other_padding(ends, offsets_of([1]), company=lambda: [measured, measured - 2]) is None
    # What ends in zeros, or in a momentum with both signs, needs no company.
    clear = [np.array([3.0, 0.0]), np.array([-1.0, 0.0])]
    assert other_padding(clear, offsets_of([1, 1]), company=pytest.fail) is None
    ends = [measured[0], measured[0] - 2]
    assert other_padding(ends, offsets_of([2]), company=lambda: [measured, measured - 2]) is None


def test_nothing_looks_like_padding_in_nothing():
    assert other_padding([np.zeros(0)], np.array([0, 0]), np.zeros(0)) is None


@given(
    counts=st.lists(st.integers(0, 6), max_size=5),
    number=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_the_hardest_of_each_set_agree_with_sorted(counts, number, seed):
    pt = np.random.default_rng(seed).integers(0, 4, sum(counts)).astype(np.float32)
    offsets = offsets_of(counts)
    expected = []
    for start, stop in pairwise(offsets):
        # sorted is stable: of equal ones the first come first.
        chosen = sorted(range(start, stop), key=lambda i: -pt[i])[:number]
        expected += [i in chosen for i in range(start, stop)]
    assert hardest_places(pt, offsets, number).tolist() == expected


def test_nan_is_among_the_hardest():
    mask = hardest_places(np.array([5.0, NAN, 9.0]), offsets_of([3]), 2)
    assert mask.tolist() == [False, True, True]


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    "offsets",
    [
        np.array([0, 10**9, 2**63 - 1, -2, 10]),
        np.array([0, 5, 3, 10]),
        np.array([-1, 10]),
        np.array([0, 11]),
        np.array([0, 2**62]),
        np.array([1, 10]),
        np.array([], np.int64),
        np.array([0.0, 10.0]),
        np.array([0.0, math.nan]),
        np.array([[0, 10]]),
        np.array(["0", "10"]),
        np.array([0, 10], np.uint64),
        [0, 10],
        None,
        10,
    ],
    ids=lambda offsets: f"{offsets!r:.40}",
)
def test_offsets_that_are_no_bounds_are_refused(offsets):
    column = np.ones(10)
    for call in (
        lambda: particle_places([column], offsets),
        lambda: particle_places([column], offsets, -1.0),
        lambda: other_padding([column], offsets),
        lambda: hardest_places(column, offsets, 2),
    ):
        with pytest.raises(InputError, match="offsets: expected int64 bounds that start at 0"):
            call()


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    "columns",
    [[], [np.ones((5, 2))], [np.ones(5), np.ones(4)], [np.array(["a"] * 5)], [[1.0] * 5], [None]],
)
def test_columns_that_are_none_are_refused(columns):
    for call in (particle_places, other_padding):
        with pytest.raises(InputError, match="columns of places: expected one array of numbers"):
            call(columns, offsets_of([5]))


@pytest.mark.parametrize("number", [0, -3])
def test_no_particles_are_the_hardest(number):
    with pytest.raises(InputError, match=f"number: expected .* got {number}"):
        hardest_places(np.ones(5), offsets_of([5]), number)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ((999, 999, 999), (0, 999, True)),
        ((999, 999, 999, 0), (0, 999, True)),
        ((1e30, 1e30, 1e30, 1e30), (0, 1e30, True)),
        # Of two columns chance may make as much.
        ((2, 2, 0), None),
        ((2, 2, 1), None),
    ],
)
def test_one_positive_number_in_all_columns_is_no_momentum(last, expected):
    columns = [np.array([5 + i, 1.5 * i + 1, number]) for i, number in enumerate(last)]
    assert other_padding(columns, offsets_of([3]), columns[0]) == expected


def test_particles_that_are_all_alike_are_no_padding():
    columns = [np.array([2.0, 2.0, 0.0, 2.0])] * 4
    assert other_padding(columns, offsets_of([3, 1]), columns[0]) is None
