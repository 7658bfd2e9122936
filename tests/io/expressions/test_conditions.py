"""Conditions: a truth table with three values is the oracle."""

import itertools

import numpy as np
import pytest

from hepml.errors import InputError
from hepml.io.expressions._conditions import decided
from hepml.io.expressions._expressions import evaluate
from hepml.io.expressions._syntax import parse

NAN = float("nan")
ZERO_ONE = ("bool", "i1", "u1", "i4", "u8", "f2", "f4", "f8")


def compute(text, **columns):
    return evaluate(parse(text, columns), columns.__getitem__)


@pytest.mark.parametrize(("left", "right"), list(itertools.product(ZERO_ONE, ZERO_ONE)))
def test_logic_of_bools_and_of_numbers_that_are_all_zero_or_one(left, right):
    a, b = np.array([0, 0, 1, 1], left), np.array([0, 1, 0, 1], right)
    for text, expected in {
        "a & b": [0, 0, 0, 1],
        "a | b": [0, 1, 1, 1],
        "a ^ b": [0, 1, 1, 0],
        "~a": [1, 1, 0, 0],
        "~b & a": [0, 0, 1, 0],
        "logical_and(a, b)": [0, 0, 0, 1],
        "logical_or(a, b)": [0, 1, 1, 1],
        "logical_not(a)": [1, 1, 0, 0],
        "a & True": [0, 0, 1, 1],
        "a | 1": [1, 1, 1, 1],
    }.items():
        value = compute(text, a=a, b=b)
        np.testing.assert_array_equal(value, expected, err_msg=text)


def test_nan_stays_open_unless_the_other_decides():
    a = np.array([0, 0, 0, 1, 1, 1, NAN, NAN, NAN])
    b = np.array([0, 1, NAN, 0, 1, NAN, 0, 1, NAN])
    for text, expected in {
        "a & b": [0, 0, 0, 0, 1, NAN, 0, NAN, NAN],
        "a | b": [0, 1, NAN, 1, 1, 1, NAN, 1, NAN],
        "a ^ b": [0, 1, NAN, 1, 0, NAN, NAN, NAN, NAN],
        "~b": [1, 0, NAN, 1, 0, NAN, 1, 0, NAN],
        "a > 0.5": [0, 0, 0, 1, 1, 1, NAN, NAN, NAN],
        "a != b": [0, 1, NAN, 1, 0, NAN, NAN, NAN, NAN],
        "where(a, 2, 3)": [3, 3, 3, 2, 2, 2, NAN, NAN, NAN],
        "isfinite(a) & (a > 0.5)": [0, 0, 0, 1, 1, 1, 0, 0, 0],
        "isnan(a) | (a > 0.5)": [0, 0, 0, 1, 1, 1, 1, 1, 1],
    }.items():
        np.testing.assert_array_equal(compute(text, a=a, b=b), expected, err_msg=text)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("(pt > 1) & eta", "0.5"),
        ("(pt > 1) & flags", "4"),
        ("flags & flags", "4"),
        ("~flags", "4"),
        ("~eta", "0.5"),
        ("(pt > 1) & 2", "2"),
        ("True | 2", "2"),
        ("where(flags, 1, 2)", "4"),
        ("eta & 4", "0.5"),
    ],
)
def test_what_is_neither_true_nor_false_is_refused(text, got):
    columns = {"pt": np.ones(2), "eta": np.array([1, 0.5]), "flags": np.array([1, 4], np.int32)}
    with pytest.raises(InputError, match=rf"{got}.*Fix"):
        compute(text, **columns)


def test_a_constant_makes_a_mask_of_bits():
    flags = np.array([1, 4, 6, 7], np.uint8)
    for text, expected in {
        "flags & 4": [0, 4, 4, 4],
        "(flags & 4) != 0": [0, 1, 1, 1],
        "flags | 8": [9, 12, 14, 15],
        "flags & ~4": [1, 0, 2, 3],
        "flags & ~1": [0, 4, 6, 6],
        "flags >> 2 & 1": [0, 1, 1, 1],
        "flags ^ -1": [-2, -5, -7, -8],
    }.items():
        np.testing.assert_array_equal(compute(text, flags=flags), expected, err_msg=text)


def test_integers_of_64_bits_are_compared_exactly():
    a, b = np.array([2**64 - 1, 5, 2**53], np.uint64), np.array([-1, 5, 2**53 + 1])
    np.testing.assert_array_equal(compute("a > b", a=a, b=b), [True, False, False])
    np.testing.assert_array_equal(compute("a == b", a=a, b=b), [False, True, False])
    np.testing.assert_array_equal(compute("a > -1", a=a), [True] * 3)
    np.testing.assert_array_equal(compute("a < 1000", a=np.array([1], np.int8)), [True])


def test_choices_do_not_wrap():
    columns = {"c": np.array([True, False]), "hits": np.array([1, 200], np.uint8)}
    np.testing.assert_array_equal(compute("where(c, -1, hits)", **columns), [-1, 200])
    np.testing.assert_array_equal(compute("where(c, hits, -hits)", **columns), [1, -200])
    assert compute("where(c, c, ~c)", **columns).dtype == bool


def test_decided():
    true, open_ = decided(np.array([0, 1, NAN, 0.5, 2, -1]))
    assert true.tolist() == [False, True, False, False, False, False]
    assert open_.tolist() == [False, False, True, True, True, True]
    true, open_ = decided(np.array([True, False]))
    assert true.tolist() == [True, False]
    assert not open_.any()
