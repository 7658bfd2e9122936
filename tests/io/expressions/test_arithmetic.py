"""Arithmetic of columns in every dtype: the integers of Python are the oracle."""

import itertools
import operator

import numpy as np
import pytest

from hepml.errors import InputError
from hepml.io.expressions._expressions import evaluate
from hepml.io.expressions._syntax import parse

INTEGERS = ("bool", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i2", ">u4")
OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "/": operator.truediv,
    "**": operator.pow,
}


def compute(text, **columns):
    return evaluate(parse(text, columns), columns.__getitem__)


def extremes(dtype):
    if dtype == "bool":
        return np.array([False, True])
    bounds = np.iinfo(dtype)
    return np.array([bounds.min, bounds.max, 0, 1, 3], dtype)


def by_python(symbol, a, b):
    """What is right in double precision; NaN without an answer."""
    try:
        return float(OPERATORS[symbol](int(a), int(b)))
    except ZeroDivisionError:
        return np.inf if symbol == "**" else np.nan
    except OverflowError:
        return np.inf


@pytest.mark.parametrize("symbol", ["+", "-", "*", "//", "%"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_never_wrap(dtype, symbol):
    for other in INTEGERS:
        pairs = list(itertools.product(extremes(dtype), extremes(other)))
        a, b = np.array([x for x, _ in pairs], dtype), np.array([y for _, y in pairs], other)
        expected = [by_python(symbol, x, y) for x, y in pairs]
        np.testing.assert_allclose(compute(f"a {symbol} b", a=a, b=b), expected, rtol=1e-15)


@pytest.mark.parametrize("symbol", ["+", "-", "*", "//", "%", "/", "**"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_with_constants_never_wrap(dtype, symbol):
    x = extremes(dtype)
    for constant in (-3, 0, 2, 300):
        expected = [by_python(symbol, each, constant) for each in x]
        if symbol == "/" and not constant:
            with np.errstate(all="ignore"):
                expected = x / np.float64(0)
        value = compute(f"x {symbol} ({constant})", x=x)
        np.testing.assert_allclose(np.abs(value), np.abs(expected), rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "dtype", "values", "expected"),
    [
        ("x - 5", "u1", [4], [-1]),
        ("x * 100", "u1", [3], [300]),
        ("x * 300", "u1", [3], [900]),
        ("x * 10", "i2", [5000], [50000]),
        ("x * 1000", "i1", [-1], [-1000]),
        ("2000 + x", "i1", [24], [2024]),
        ("x - 2", "u4", [1], [-1]),
        ("x + x", "bool", [True, False], [2, 0]),
        ("x - x", "bool", [True, False], [0, 0]),
        ("-x", "bool", [True, False], [-1, 0]),
        ("-x", "u8", [2**64 - 1, 1], [-(2.0**64), -1]),
        ("+x", "bool", [True], [1]),
        ("-x", "i1", [-128], [128]),
        ("abs(x)", "i1", [-128], [128]),
        ("x ** -1", "i1", [4, 0], [0.25, np.inf]),
        ("x ** 2", "i1", [100], [10000]),
        ("x ** 21", "i8", [10], [1e21]),
        ("2 ** x", "u1", [62, 64], [2.0**62, 2.0**64]),
        ("x / 2", "i1", [3], [1.5]),
        ("x / x", "i4", [0, 2], [np.nan, 1]),
        ("x // 0", "i2", [211, 0], [np.nan, np.nan]),
        ("x // -1", "i8", [-(2**63), 7], [2.0**63, -7]),
        ("x % x", "i2", [211, 0], [0, np.nan]),
        ("x << 10", "u1", [1], [1024]),
        ("x << x", "i4", [62, 64], [62 * 2.0**62, 2.0**70]),
        ("x >> 2", "i4", [-8, 9], [-2, 2]),
        ("x >> 70", "i4", [-8, 9], [-1, 0]),
        ("x * 1.5", "f2", [60000], [90000]),
    ],
)
def test_values_that_came_out_wrong(text, dtype, values, expected):
    np.testing.assert_array_equal(compute(text, x=np.array(values, dtype)), expected)


def test_integers_stay_exact_integers():
    """Event numbers beyond 2**53, which double precision rounds."""
    event = np.array([2**53 + 1, 2**62 + 1], np.int64)
    np.testing.assert_array_equal(compute("x - 1", x=event), event - 1)
    np.testing.assert_array_equal(compute("x % 5", x=event), [int(n) % 5 for n in event])
    assert compute("x * 2 - x", x=event[:1]).dtype == np.int64
    hashes = np.array([2**64 - 1, 2**63 + 5], np.uint64)
    np.testing.assert_array_equal(compute("x % 5", x=hashes), [int(n) % 5 for n in hashes])
    np.testing.assert_array_equal(compute("x - x", x=hashes), [0, 0])


def test_a_column_alone_keeps_its_dtype_and_is_not_copied():
    x = np.array([1, 2], np.int8)
    assert compute("x", x=x) is x


def test_small_integers_leave_single_precision():
    single, small = np.array([0.5], np.float32), np.array([3], np.int16)
    assert compute("x * y - 1", x=single, y=small).dtype == np.float32
    assert compute("x + y", x=single, y=np.array([True])).dtype == np.float32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x << 1", "integers where bits are meant, got the dtype float32"),
        ("n << (n - 5)", "a shift by zero places or more, got -4"),
        ("bitwise_and(n, x)", "integers where bits are meant"),
    ],
)
def test_bits_of_what_has_none(text, message):
    with pytest.raises(InputError, match=message):
        compute(text, x=np.array([1.0], np.float32), n=np.array([1], np.int8))


def test_bits_of_two_columns():
    a, b = np.array([6, 255], np.uint8), np.array([3, -1], np.int16)
    np.testing.assert_array_equal(compute("bitwise_and(a, b)", a=a, b=b), [2, 255])
    np.testing.assert_array_equal(compute("bitwise_or(a, 8)", a=a), [14, 255])
    hashes = np.array([2**63 + 5], np.uint64)
    np.testing.assert_array_equal(compute("a & ~5", a=hashes), np.array([2**63], np.uint64))
