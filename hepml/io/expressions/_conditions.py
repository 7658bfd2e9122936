"""Conditions: true, false or, where a NaN leaves them open, NaN.

Where none is open they are bools, otherwise floats. Nothing turns a NaN into true or false, except
what the other operand of ``&`` or ``|`` decides alone.
"""

from typing import Any

import numpy as np

from hepml.io.expressions._arithmetic import (
    NotComputable,
    Operation,
    alike,
    bitwise,
    is_floating,
    real,
)


def truth(operand: Any) -> Any:
    """A condition: bools as they are, 0 and 1 as bools; in floats, with NaN where it is open."""
    if not isinstance(operand, np.ndarray):
        if operand in (0, 1):
            return bool(operand)
        raise _no_condition(operand)
    if operand.dtype == bool:
        return operand
    true, open_ = operand == 1, _nan(operand)
    known = true | (operand == 0) if open_ is None else true | (operand == 0) | open_
    if not known.all():
        raise _no_condition(operand[~known][0])
    return true if open_ is None else _with_nan(true, open_)


def decided(values: Any) -> tuple[Any, Any]:
    """Where the values of a condition are true, and where they are neither true nor false."""
    if values.dtype == bool:
        return values, np.zeros(values.shape, bool)
    true = values == 1
    return true, ~(true | (values == 0))


def both(left: Any, right: Any) -> Any:
    """Whether both conditions are true; a false one decides whatever the other is."""
    left, right = truth(left), truth(right)
    if not (is_floating(left) or is_floating(right)):
        return np.logical_and(left, right)
    return np.where((left == 0) | (right == 0), 0.0, np.add(left, right, dtype=float) - 1)


def either(left: Any, right: Any) -> Any:
    """Whether a condition of two is true; a true one decides whatever the other is."""
    left, right = truth(left), truth(right)
    if not (is_floating(left) or is_floating(right)):
        return np.logical_or(left, right)
    return np.where((left == 1) | (right == 1), 1.0, np.add(left, right, dtype=float))


def one_of_two(left: Any, right: Any) -> Any:
    """Whether exactly one of two conditions is true."""
    left, right = truth(left), truth(right)
    if not (is_floating(left) or is_floating(right)):
        return np.logical_xor(left, right)
    return np.abs(np.subtract(left, right, dtype=float))


def opposite(operand: Any) -> Any:
    """Whether a condition is false."""
    operand = truth(operand)
    return 1.0 - operand if is_floating(operand) else np.logical_not(operand)


def logical_or_bits(logical: Operation, bits: Operation) -> Operation:
    """``&``, ``|`` or ``^``: of conditions or, with an integer constant, of bits."""
    of_bits = bitwise(bits)

    def compute(left: Any, right: Any) -> Any:
        for mask, other in ((left, right), (right, left)):
            if type(mask) is int and (type(other) is int or _is_integers(other)):
                return of_bits(left, right)
        return logical(left, right)

    return compute


def compare(function: Operation) -> Operation:
    """A comparison, which NaN leaves open."""

    def compute(left: Any, right: Any) -> Any:
        open_ = _any_nan(_nan(left), _nan(right))
        value = function(left, right)
        return value if open_ is None else _with_nan(value, open_)

    return compute


def choose(condition: Any, true: Any, false: Any) -> Any:
    """One value where the condition is true and another where it is false; NaN where it is open."""
    condition = truth(condition)
    if not all(_is_bool(each) for each in (true, false)):
        true, false = alike(true, false)
    if not is_floating(condition):
        return np.where(condition, true, false)
    value = np.asarray(np.where(condition == 1, real(true), real(false)))
    value[np.isnan(condition)] = np.nan
    return value


def _is_bool(operand: Any) -> bool:
    """Whether an operand is a bool or an array of bools."""
    return isinstance(operand, bool) or (isinstance(operand, np.ndarray) and operand.dtype == bool)


def _is_integers(operand: Any) -> bool:
    """Whether an operand is an array of integers."""
    return isinstance(operand, np.ndarray) and operand.dtype.kind in "iu"


def _nan(operand: Any) -> Any:
    """Where an operand is NaN, or None if it is nowhere."""
    if not (isinstance(operand, np.ndarray) and operand.dtype.kind == "f" and operand.size):
        return None
    # The minimum of numbers with a NaN is NaN, and takes a fraction of the time of a mask.
    return np.isnan(operand) if np.isnan(operand.min()) else None


def _any_nan(left: Any, right: Any) -> Any:
    """Where either of two operands is NaN."""
    if left is None or right is None:
        return right if left is None else left
    return left | right


def _with_nan(value: Any, open_: Any) -> Any:
    """A condition that is NaN where it is open."""
    value = np.asarray(value, np.float64).copy()
    value[open_] = np.nan
    return value


def _no_condition(got: Any) -> NotComputable:
    """The error of a number that is neither true nor false."""
    return NotComputable(
        "conditions (comparisons, bools, or numbers that are all 0 or 1) beside & | ^ ~",
        f"{got} among the values",
        "compare it, as in (x > 0), or take bits of integers with a constant mask, as in "
        "(flags & 4) != 0, or with bitwise_and(a, b)",
    )
