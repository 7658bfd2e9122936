"""One irreducible representation of the Lorentz group, as a value."""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import total_ordering
from typing import TYPE_CHECKING

from hepml.errors import InputError

if TYPE_CHECKING:
    from hepml.lorentz._irreps import Irreps

Spin = int | float | str | Fraction
"""A spin: an integer or half of one, as 1, 0.5, "1/2" or Fraction(1, 2)."""

SPIN = r"\s*(\d+(?:\s*/\s*\d+)?|\d*\.\d+)\s*"
_IRREP = re.compile(rf"\s*\({SPIN},{SPIN}\)\s*")


@total_ordering
@dataclass(frozen=True, init=False, repr=False)
class Irrep:
    """The irreducible representation (j1, j2) of SL(2,C), the double cover of SO(1,3)+.

    Parameters
    ----------
    j1, j2
        Spins, in steps of one half; or j1 alone, a string such as "(1/2,1/2)". (1/2,0) is the
        spinor that transforms with the matrix of SL(2,C) itself, (0,1/2) with its complex
        conjugate.

    Raises
    ------
    InputError
        If a spin is negative or not a multiple of one half, or if the string is no irrep.

    Notes
    -----
    (j2, j1) is the complex conjugate of (j1, j2). Only (n, n) is real by itself; the sum of two
    conjugates is real as well, see :class:`Irreps`.

    Order: by j1 + j2, then by \\|j1 - j2\\|, and (j1, j2) with the larger j1 first.

    Examples
    --------
    >>> vector = Irrep("1/2", 0.5)
    >>> print(vector, vector.dim, vector * vector)
    (1/2,1/2) 4 1x(0,0) + 1x(1,0) + 1x(0,1) + 1x(1,1)
    """

    twice_j1: int
    twice_j2: int

    def __init__(self, j1: Spin, j2: Spin | None = None) -> None:
        if j2 is None:
            match = _IRREP.fullmatch(j1) if isinstance(j1, str) else None
            if match is None:
                raise not_an_irrep(j1)
            j1, j2 = match.groups()
        object.__setattr__(self, "twice_j1", _twice("j1", j1))
        object.__setattr__(self, "twice_j2", _twice("j2", j2))

    @property
    def j1(self) -> Fraction:
        """The first spin."""
        return Fraction(self.twice_j1, 2)

    @property
    def j2(self) -> Fraction:
        """The second spin."""
        return Fraction(self.twice_j2, 2)

    @property
    def dim(self) -> int:
        """Complex dimension ``(2 j1 + 1) (2 j2 + 1)``."""
        return (self.twice_j1 + 1) * (self.twice_j2 + 1)

    @property
    def is_real(self) -> bool:
        """Whether the representation is real by itself: j1 = j2."""
        return self.twice_j1 == self.twice_j2

    @property
    def is_spinor(self) -> bool:
        """Whether j1 + j2 is half-integer: a rotation by 2 pi is -1, not 1."""
        return (self.twice_j1 + self.twice_j2) % 2 == 1

    @property
    def conjugate(self) -> "Irrep":
        """The complex conjugate (j2, j1)."""
        return Irrep(self.j2, self.j1)

    @property
    def spins(self) -> tuple[Fraction, ...]:
        """The spins \\|j1 - j2\\|, ..., j1 + j2 into which it falls apart under rotations."""
        return _couple(self.twice_j1, self.twice_j2)

    def __mul__(self, other: "Irrep") -> "Irreps":
        from hepml.lorentz._irreps import Irreps

        return Irreps(
            (1, Irrep(j1, j2))
            for j1 in _couple(self.twice_j1, other.twice_j1)
            for j2 in _couple(self.twice_j2, other.twice_j2)
        ).sorted()

    def __lt__(self, other: "Irrep") -> bool:
        return self._rank() < other._rank()

    def _rank(self) -> tuple[int, int, int]:
        """What the order of irreps goes by."""
        a, b = self.twice_j1, self.twice_j2
        return (a + b, abs(a - b), b)

    def __str__(self) -> str:
        return f"({self.j1},{self.j2})"

    def __repr__(self) -> str:
        return f"Irrep({self.j1}, {self.j2})"


def _couple(twice_j1: int, twice_j2: int) -> tuple[Fraction, ...]:
    """The spins that two spins couple to, ascending."""
    low, high = abs(twice_j1 - twice_j2), twice_j1 + twice_j2
    return tuple(Fraction(twice, 2) for twice in range(low, high + 1, 2))


def _twice(name: str, spin: Spin) -> int:
    """Twice a spin, which is an integer."""
    try:
        twice = 2 * Fraction(spin.replace(" ", "") if isinstance(spin, str) else spin)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        twice = Fraction(-1)
    if twice < 0 or twice.denominator != 1:
        raise InputError(
            name, expected="a spin 0, 1/2, 1, ...", got=repr(spin), fix='write "1/2" or 0.5'
        )
    return int(twice)


def not_an_irrep(value: object, rest: str | None = None) -> InputError:
    """The error for what cannot be read, with the place where reading stopped."""
    return InputError(
        f"irreps {value!r}",
        expected="a sum of terms such as 4x(1/2,1/2)",
        got=repr(value if rest is None else rest),
        fix='write for example "16x(0,0) + 4x(1/2,1/2) + 2x(1,0) + 2x(0,1)"',
    )
