"""The functions that expressions may call, each with its number of arguments."""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from hepml.io.expressions._arithmetic import alike, bitwise, magnitude, negative, number, real
from hepml.io.expressions._conditions import both, choose, either, one_of_two, opposite


class Function(NamedTuple):
    """What computes, and of how many arguments."""

    call: Callable[..., Any]
    arguments: int


def _of_reals(function: Callable[..., Any], arguments: int = 1) -> Function:
    """A function of real numbers: integers come in double precision, and never wrap."""
    return Function(lambda *values: function(*map(real, values)), arguments)


def _of_numbers(function: Callable[..., Any], arguments: int = 1) -> Function:
    """A function that gives integers for integers."""
    return Function(lambda *values: function(*alike(*values)), arguments)


def _of_one(function: Any) -> Function:
    """A function of one number that gives an integer for an integer."""
    return Function(lambda value: function(number(value)), 1)


def _each(function: Callable[[float], float]) -> Function:
    """A function of the standard library, number by number; NaN and infinity beyond its domain."""

    def safe(value: float) -> float:
        try:
            return function(value)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    vectorized = np.frompyfunc(safe, 1, 1)
    return _of_reals(lambda values: np.asarray(vectorized(values), np.float64))


def _factorial(value: float) -> float:
    """The factorial of a natural number."""
    return math.gamma(value + 1) if value == math.floor(value) else math.nan


# The names of uproot's own expressions, so that what works in tree.arrays works here.
_REALS = {
    name: getattr(np, name)
    for name in (
        *("arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "cos", "cosh"),
        *("exp", "exp2", "expm1", "fabs", "isfinite", "isinf", "isnan", "log", "log10", "log1p"),
        *("log2", "signbit", "sin", "sinh", "sqrt", "tan", "tanh"),
    )
} | {f"a{name[3:]}": getattr(np, name) for name in (
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh"
)}  # fmt: skip

FUNCTIONS: Mapping[str, Function] = {
    **{name: _of_reals(function) for name, function in _REALS.items()},
    **{
        name: _of_reals(function, 2)
        for name, function in {
            "arctan2": np.arctan2,
            "atan2": np.arctan2,
            "copysign": np.copysign,
            "hypot": np.hypot,
            "nextafter": np.nextafter,
        }.items()
    },
    **{
        name: _of_one(function)
        for name, function in {
            "ceil": np.ceil,
            "conj": np.positive,
            "conjugate": np.positive,
            "floor": np.floor,
            "imag": np.zeros_like,
            "real": np.positive,
            "rint": np.rint,
            "round": np.rint,
            "sign": np.sign,
            "trunc": np.trunc,
        }.items()
    },
    **{name: _of_numbers(getattr(np, name), 2) for name in ("fmax", "fmin", "maximum", "minimum")},
    "clip": _of_numbers(np.clip, 3),
    **{
        name: _each(function)
        for name, function in {
            "erf": math.erf,
            "erfc": math.erfc,
            "factorial": _factorial,
            "gamma": math.gamma,
            "lgamma": math.lgamma,
            "tgamma": math.gamma,
        }.items()
    },
    "abs": Function(magnitude, 1),
    "absolute": Function(magnitude, 1),
    "neg": Function(negative, 1),
    "where": Function(choose, 3),
    "logical_and": Function(both, 2),
    "logical_or": Function(either, 2),
    "logical_xor": Function(one_of_two, 2),
    "logical_not": Function(opposite, 1),
    "bitwise_and": Function(bitwise(operator.and_), 2),
    "bitwise_or": Function(bitwise(operator.or_), 2),
    "bitwise_xor": Function(bitwise(operator.xor), 2),
}
