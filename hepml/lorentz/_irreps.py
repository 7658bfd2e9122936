"""Irreducible representations of the Lorentz group and their direct sums, as values."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import total_ordering
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import NamedTuple, SupportsIndex, overload

from hepml.errors import InputError

Spin = int | float | str | Fraction
"""A spin: an integer or half of one, as 1, 0.5, "1/2" or Fraction(1, 2)."""

_SPIN = r"\s*(\d+(?:\s*/\s*\d+)?|\d*\.\d+)\s*"
_IRREP = re.compile(rf"\s*\({_SPIN},{_SPIN}\)\s*")
_TERM = re.compile(rf"\s*(?:(\d+)\s*x)?\s*(\({_SPIN},{_SPIN}\))\s*")


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
                raise _not_an_irrep(j1)
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


class MulIrrep(NamedTuple):
    """One term of a direct sum: so many copies of an irrep."""

    mul: int
    irrep: Irrep

    @property
    def dim(self) -> int:
        """Dimension of all copies together."""
        return self.mul * self.irrep.dim

    def __str__(self) -> str:
        return f"{self.mul}x{self.irrep}"


@dataclass(frozen=True, init=False, repr=False)
class Irreps:
    """A direct sum of irreps of the Lorentz group, in the order of the columns of its tensors.

    Parameters
    ----------
    terms
        A string such as ``"16x(0,0) + 4x(1/2,1/2)"``, where a missing multiplicity means 1; an
        irrep; or pairs of a multiplicity and an irrep.

    Raises
    ------
    InputError
        If a string cannot be read, or a multiplicity is negative.

    Notes
    -----
    A tensor of these irreps has ``dim`` columns: term after term, in each the copies one after the
    other, in each the components in the basis that :func:`representation` documents. (1/2,1/2) has
    the components (E, px, py, pz).

    Where every (a,b) comes as often as (b,a) the irreps are real (``is_real``), and so are their
    tensors. The i-th copy of (a,b), a > b, and the i-th of (b,a) then are one field with the
    complex components ``z = x + iy`` in (a,b), and their conjugates in (b,a): the columns of (a,b)
    hold x, those of (b,a) hold y. In ``(1,0) + (0,1)`` these are the electric and the magnetic
    field, three components each.

    Examples
    --------
    >>> irreps = Irreps("2x(0,0) + (1/2,1/2) + 2x(1,0) + 2x(0,1)")
    >>> irreps.dim, irreps.is_real, irreps.slices()[1]
    (18, True, slice(2, 6, None))
    >>> irreps + Irreps("3x(0,0)")
    Irreps("2x(0,0) + 1x(1/2,1/2) + 2x(1,0) + 2x(0,1) + 3x(0,0)")
    """

    terms: tuple[MulIrrep, ...]

    def __init__(self, terms: "str | Irrep | Irreps | Iterable[tuple[int, Irrep | str]]") -> None:
        if isinstance(terms, str):
            checked = _parse(terms)
        elif isinstance(terms, Irrep):
            checked = (MulIrrep(1, terms),)
        elif isinstance(terms, Irreps):
            checked = terms.terms
        else:
            checked = tuple(
                MulIrrep(mul, irrep if isinstance(irrep, Irrep) else Irrep(irrep))
                for mul, irrep in terms
            )
            for mul, irrep in checked:
                if mul < 0:
                    raise InputError(
                        f"multiplicity of {irrep}",
                        expected="0 or more",
                        got=str(mul),
                        fix="leave the term out",
                    )
        object.__setattr__(self, "terms", checked)

    @property
    def dim(self) -> int:
        """Number of columns."""
        return sum(term.dim for term in self.terms)

    @property
    def is_real(self) -> bool:
        """Whether every (a,b) comes as often as (b,a), so that the tensors are real."""
        return all(self.count(irrep) == self.count(irrep.conjugate) for _, irrep in self.terms)

    def count(self, irrep: Irrep | str) -> int:
        """Number of copies of an irrep in all terms."""
        irrep = irrep if isinstance(irrep, Irrep) else Irrep(irrep)
        return sum(mul for mul, other in self.terms if other == irrep)

    def slices(self) -> list[slice]:
        """The columns of each term."""
        bounds = accumulate((term.dim for term in self.terms), initial=0)
        return [slice(start, stop) for start, stop in pairwise(bounds)]

    def simplify(self) -> "Irreps":
        """Neighbouring terms of one irrep joined, empty ones left out: the same columns."""
        joined: list[tuple[int, Irrep]] = []
        for mul, irrep in self.terms:
            if joined and joined[-1][1] == irrep:
                joined[-1] = (joined[-1][0] + mul, irrep)
            elif mul:
                joined.append((mul, irrep))
        return Irreps(joined)

    def sorted(self) -> "Irreps":
        """One term for each irrep, in the order of irreps; the columns move."""
        return Irreps(sorted(self.terms, key=attrgetter("irrep"))).simplify()

    def __add__(self, other: "Irreps") -> "Irreps":
        return Irreps(self.terms + other.terms)

    def __mul__(self, other: "Irreps | int") -> "Irreps":
        if isinstance(other, int):
            return Irreps((mul * other, irrep) for mul, irrep in self.terms)
        return Irreps(
            (mul * left.mul * right.mul, irrep)
            for left in self.terms
            for right in other.terms
            for mul, irrep in left.irrep * right.irrep
        ).sorted()

    __rmul__ = __mul__

    def __len__(self) -> int:
        return len(self.terms)

    def __iter__(self) -> Iterator[MulIrrep]:
        return iter(self.terms)

    def __contains__(self, irrep: Irrep | str) -> bool:
        return self.count(irrep) > 0

    @overload
    def __getitem__(self, index: SupportsIndex) -> MulIrrep: ...

    @overload
    def __getitem__(self, index: slice) -> "Irreps": ...

    def __getitem__(self, index: SupportsIndex | slice) -> "MulIrrep | Irreps":
        return Irreps(self.terms[index]) if isinstance(index, slice) else self.terms[index]

    def __str__(self) -> str:
        return " + ".join(map(str, self.terms))

    def __repr__(self) -> str:
        return f'Irreps("{self}")'


def _couple(twice_j1: int, twice_j2: int) -> tuple[Fraction, ...]:
    """The spins that two spins couple to, ascending."""
    low, high = abs(twice_j1 - twice_j2), twice_j1 + twice_j2
    return tuple(Fraction(twice, 2) for twice in range(low, high + 1, 2))


def _twice(name: str, spin: Spin) -> int:
    """Twice a spin, which is an integer."""
    try:
        twice = 2 * Fraction(spin.replace(" ", "") if isinstance(spin, str) else spin)
    except (ValueError, OverflowError, ZeroDivisionError):
        twice = Fraction(-1)
    if twice < 0 or twice.denominator != 1:
        raise InputError(
            name, expected="a spin 0, 1/2, 1, ...", got=repr(spin), fix='write "1/2" or 0.5'
        )
    return int(twice)


def _parse(text: str) -> tuple[MulIrrep, ...]:
    """The terms of a string; none of an empty one."""
    if not text.strip():
        return ()
    position, terms = 0, []
    while True:
        match = _TERM.match(text, position)
        if match is None:
            raise _not_an_irrep(text, text[position:].strip())
        mul, irrep = match.group(1, 2)
        terms.append(MulIrrep(int(mul) if mul else 1, Irrep(irrep)))
        position = match.end()
        if position == len(text):
            return tuple(terms)
        if text[position] != "+":
            raise _not_an_irrep(text, text[position:].strip())
        position += 1


def _not_an_irrep(value: object, rest: str | None = None) -> InputError:
    """The error for what cannot be read, with the place where reading stopped."""
    return InputError(
        f"irreps {value!r}",
        expected="a sum of terms such as 4x(1/2,1/2)",
        got=repr(value if rest is None else rest),
        fix='write for example "16x(0,0) + 4x(1/2,1/2) + 2x(1,0) + 2x(0,1)"',
    )
