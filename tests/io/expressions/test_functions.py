"""Functions of columns in every dtype: the standard library is the oracle."""

import math

import numpy as np
import pytest

from hepml.io.expressions._expressions import evaluate
from hepml.io.expressions._functions import FUNCTIONS
from hepml.io.expressions._syntax import parse

DTYPES = ("bool", "i1", "i2", "i8", "u1", "u8", "f2", "f4", "f8")


def compute(text, **columns):
    return evaluate(parse(text, columns), columns.__getitem__)


@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_of_integers_are_in_double_precision(dtype):
    """numpy's square root of int8 has three digits."""
    x = np.array([1, 0, 1] if dtype == "bool" else [1, 2, 80], dtype)
    for name in ("sqrt", "exp", "log1p", "tanh", "arctan", "cosh", "erf", "cbrt"):
        expected = [getattr(math, name.replace("arctan", "atan"))(v) for v in x.tolist()]
        rtol = 1e-6 if dtype in ("f2", "f4") else 1e-14
        np.testing.assert_allclose(compute(f"{name}(x)", x=x), expected, rtol=rtol)
    np.testing.assert_allclose(compute("hypot(x, x)", x=x), np.sqrt(2.0) * x, rtol=1e-6)


def test_what_gives_integers_for_integers_does_not_wrap():
    x, y = np.array([-128, 100], np.int8), np.array([200, 3], np.uint8)
    for text, expected in {
        "abs(x)": [128, 100],
        "maximum(x, y)": [200, 100],
        "minimum(x, 1000)": [-128, 100],
        "clip(x, -1000, 50)": [-128, 50],
        "clip(y, 0, 500)": [200, 3],
        "clip(y, -0.5, 300)": [200, 3],
        "sign(y)": [1, 1],
        "sign(x > 0)": [0, 1],
        "neg(y)": [-200, -3],
        "round(x)": [-128, 100],
    }.items():
        np.testing.assert_array_equal(compute(text, x=x, y=y), expected, err_msg=text)


def test_gamma_functions_have_no_tracebacks():
    x = np.array([0.5, 5.0, 0.0, -1.0, 200.0, np.nan])
    expected = [math.gamma(0.5), 24, math.nan, math.nan, math.inf, math.nan]
    np.testing.assert_allclose(compute("gamma(x)", x=x), expected)
    np.testing.assert_allclose(
        compute("factorial(x)", x=np.array([0, 5, -1, 1000])), [1, 120, math.nan, math.inf]
    )
    assert compute("gamma(x)", x=x[:0]).shape == (0,)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_function_takes_every_dtype_and_no_entries(name, dtype):
    function = FUNCTIONS[name]
    if name.startswith("bitwise"):
        dtype = dtype.replace("f", "i")
    for size in (0, 3):
        columns = {c: np.array([0, 1, 1][:size], dtype) for c in "abc"[: function.arguments]}
        value = compute(f"{name}({', '.join(columns)})", **columns)
        assert value.shape == (size,)
        assert value.dtype.kind in "biuf"
        assert value.dtype.kind == "b" or value.dtype.itemsize >= np.dtype(dtype).itemsize
