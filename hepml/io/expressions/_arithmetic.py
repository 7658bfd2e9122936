"""Arithmetic of expressions as it is read on paper, whatever the dtypes of columns.

Integers and bools compute in 64 bits, and in double precision where 64 bits do not hold the answer.
Operands are arrays or numbers of Python; numpy's own rules hold as soon as one of them is floating.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

Operation = Callable[..., Any]

# One more than the largest integer of int64.
_LARGEST = 2**63


class NotComputable(Exception):
    """An operation that has no meaning for its operands; the expression is the caller's to name."""

    def __init__(self, expected: str, got: str, fix: str) -> None:
        super().__init__(got)
        self.expected, self.got, self.fix = expected, got, fix


def number(operand: Any) -> Any:
    """An operand of arithmetic: bools and integers in 64 bits, floats in single or double."""
    if not isinstance(operand, np.ndarray):
        return int(operand) if isinstance(operand, bool) else operand
    if operand.dtype == np.float32 or operand.dtype == np.float64:
        return operand
    kind, size = operand.dtype.kind, operand.dtype.itemsize
    if kind == "f":
        return operand.astype(f"f{min(max(size, 4), 8)}", copy=False)
    if kind == "u" and size == 8 and operand.size and int(operand.max()) >= _LARGEST:
        return operand
    return operand.astype(np.int64, copy=False)


def real(operand: Any) -> Any:
    """An operand of a function of real numbers: what is not floating in double precision."""
    if isinstance(operand, np.ndarray):
        operand = number(operand) if is_floating(operand) else operand
        return operand if is_floating(operand) else operand.astype(np.float64)
    # A number of Python leaves an array in single precision.
    return float(operand)


def is_floating(operand: Any) -> bool:
    """Whether an operand is a float or an array of floats."""
    if isinstance(operand, np.ndarray):
        return bool(operand.dtype.kind == "f")
    return isinstance(operand, float)


def alike(*operands: Any) -> tuple[Any, ...]:
    """Operands that numpy may combine as they are: all in int64, all in uint64, or floating."""
    if any(map(is_floating, operands)):
        # Small integers times single precision stay single; they are never combined as integers.
        return tuple(number(each) if _is_half(each) else each for each in operands)
    operands = _integers(*operands)
    exact = not any(isinstance(each, np.ndarray) and each.dtype == object for each in operands)
    return operands if exact else tuple(map(real, operands))


def _integers(*operands: Any) -> tuple[Any, ...]:
    """Integers all in int64, all in uint64 or, where neither holds them, all of Python's own."""
    operands = tuple(map(number, operands))
    if not any(isinstance(each, np.ndarray) and each.dtype.kind == "u" for each in operands):
        return operands
    common = np.uint64 if all(_lowest(each) >= 0 for each in operands) else object
    return tuple(np.asarray(each).astype(common) for each in operands)


def arithmetic(function: Operation, bound: Callable[[int, int], int]) -> Operation:
    """Sum, difference or product; `bound` limits its magnitude by those of the operands."""

    def compute(left: Any, right: Any) -> Any:
        if is_floating(left) or is_floating(right):
            return function(*alike(left, right))
        fits = bound(_magnitude(left), _magnitude(right)) < _LARGEST
        left, right = number(left), number(right)
        if fits or bound(_largest(left), _largest(right)) < _LARGEST:
            return function(left, right)
        return _exact_or_double(function, left, right)

    return compute


def magnitude(operand: Any) -> Any:
    """The absolute value."""
    small = isinstance(operand, np.ndarray) and operand.dtype.kind == "i"
    if small and operand.size and operand.min() > np.iinfo(operand.dtype).min:
        # Only the lowest integer has no opposite in its own type: fast for types of particles.
        return np.abs(operand)
    return np.abs(number(operand))


def divide(left: Any, right: Any) -> Any:
    """The quotient, in floating point."""
    return operator.truediv(*alike(left, right))


def whole(function: Operation) -> Operation:
    """Floor division or modulo, where a division of integers by zero is NaN."""

    def compute(left: Any, right: Any) -> Any:
        if is_floating(left) or is_floating(right):
            return function(*alike(left, right))
        left, right = _integers(left, right)
        zero = np.equal(right, 0)
        value = function(left, np.where(zero, 1, right) if zero.any() else right)
        if function is operator.floordiv and _lowest(left) == -_LARGEST:
            # The opposite of the lowest integer is no integer of 64 bits.
            wraps = np.equal(left, -_LARGEST) & np.equal(right, -1)
            value = np.where(wraps, float(_LARGEST), value) if wraps.any() else value
        if value.dtype == object or zero.any():
            value = value.astype(np.float64)
            value[np.broadcast_to(zero, value.shape)] = np.nan
        return value

    return compute


def power(base: Any, exponent: Any) -> Any:
    """The power; of integers with a negative exponent, or beyond 64 bits, in double precision."""
    base, exponent = alike(base, exponent)
    if is_floating(base) or is_floating(exponent):
        return operator.pow(base, exponent)
    if _lowest(exponent) < 0 or _largest(exponent) >= _LARGEST:
        return operator.pow(real(base), real(exponent))
    return _exact_or_double(operator.pow, base, exponent)


def shift_left(bits: Any, places: Any) -> Any:
    """An integer times a power of two."""
    _shiftable(bits, places)
    return multiply(bits, power(2, np.asarray(places)))


def shift_right(bits: Any, places: Any) -> Any:
    """The floor of an integer divided by a power of two."""
    _shiftable(bits, places)
    bits, places = alike(bits, np.minimum(number(places), 63))
    return np.right_shift(bits, places)


def bitwise(function: Operation) -> Operation:
    """An operation on the bits of integers."""

    def compute(left: Any, right: Any) -> Any:
        for operand in (left, right):
            if is_floating(operand):
                raise _no_integer(operand)
        left, right = number(left), number(right)
        if any(isinstance(each, np.ndarray) and each.dtype.kind == "u" for each in (left, right)):
            # The bits of a negative number are those of two's complement.
            left, right = (np.asarray(each).astype(np.uint64) for each in (left, right))
        return function(left, right)

    return compute


add = arithmetic(operator.add, operator.add)
subtract = arithmetic(operator.sub, operator.add)
multiply = arithmetic(operator.mul, operator.mul)


def negative(operand: Any) -> Any:
    """The number with the opposite sign."""
    return operator.neg(number(operand)) if is_floating(operand) else subtract(0, operand)


def _exact_or_double(function: Operation, left: Any, right: Any) -> Any:
    """The value in 64 bits if all of it fits there, else in double precision."""
    value = function(real(left), real(right))
    fits = np.abs(value) < _LARGEST
    exact = function(*(np.asarray(each).astype(np.int64) for each in (left, right)))
    return exact if fits.all() else np.where(fits, exact, value)


def _magnitude(operand: Any) -> int:
    """What no integer of the operand's dtype exceeds."""
    if isinstance(operand, np.ndarray):
        signed = operand.dtype.kind == "i"
        return 1 if operand.dtype == bool else 1 << 8 * operand.dtype.itemsize - signed
    return abs(int(operand))


def _largest(operand: Any) -> int:
    """The largest magnitude among the integers themselves."""
    if isinstance(operand, np.ndarray):
        return max(abs(int(operand.min())), abs(int(operand.max()))) if operand.size else 0
    return abs(int(operand))


def _lowest(operand: Any) -> int:
    """The lowest of the integers."""
    if isinstance(operand, np.ndarray):
        return int(operand.min()) if operand.size else 0
    return int(operand)


def _is_half(operand: Any) -> bool:
    """Whether an array has floats of another size than single or double precision."""
    return is_floating(operand) and number(operand) is not operand


def _shiftable(bits: Any, places: Any) -> None:
    """Refuse to shift what is no integer, or by less than nothing."""
    for operand in (bits, places):
        if is_floating(operand):
            raise _no_integer(operand)
    if _lowest(number(places)) < 0:
        raise NotComputable(
            "a shift by zero places or more",
            f"{_lowest(number(places))}",
            "shift into the other direction",
        )


def _no_integer(operand: Any) -> NotComputable:
    """The error of bits of a number that is not an integer."""
    got = f"the dtype {operand.dtype}" if isinstance(operand, np.ndarray) else repr(operand)
    return NotComputable("integers where bits are meant", got, "compare or convert the numbers")
