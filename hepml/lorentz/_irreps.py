"""Direct sums of irreducible representations of the Lorentz group, as values."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from numbers import Integral
from typing import NamedTuple, SupportsIndex, overload

from hepml.errors import InputError
from hepml.lorentz._irrep import SPIN, Irrep, not_an_irrep

_TERM = re.compile(rf"\s*(?:(\d+)\s*x)?\s*(\({SPIN},{SPIN}\))\s*")


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
        irrep; or a sequence of such strings, of irreps, and of pairs of a multiplicity and an
        irrep.

    Raises
    ------
    InputError
        If a string cannot be read, or a multiplicity is negative or no whole number.

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

    def __init__(self, terms: "IrrepsLike") -> None:
        if isinstance(terms, Irreps):
            checked = terms.terms
        elif isinstance(terms, str | Irrep):
            checked = tuple(_terms(terms))
        elif isinstance(terms, Iterable):
            try:
                several = [*terms]
            # Such as a tensor without axes.
            except TypeError:
                raise not_an_irrep(terms) from None
            checked = tuple(term for each in several for term in _terms(each))
        else:
            raise not_an_irrep(terms)
        object.__setattr__(self, "terms", checked)

    @property
    def dim(self) -> int:
        """Number of columns."""
        return sum(term.dim for term in self.terms)

    @property
    def num_irreps(self) -> int:
        """Number of irreps, each copy counted."""
        return sum(term.mul for term in self.terms)

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
        """One term for each irrep, in the order of irreps; the columns move, see :meth:`sort`."""
        return self.sort().irreps.simplify()

    def sort(self) -> "SortedIrreps":
        """The terms in the order of irreps, those of one irrep in their own, and how they moved.

        Examples
        --------
        >>> irreps = Irreps("2x(1/2,1/2) + (0,0)")
        >>> irreps.sort().irreps, irreps.sort().columns
        (Irreps("1x(0,0) + 2x(1/2,1/2)"), (8, 0, 1, 2, 3, 4, 5, 6, 7))
        """
        order = sorted(range(len(self.terms)), key=lambda i: self.terms[i].irrep)
        place = {old: new for new, old in enumerate(order)}
        slices = self.slices()
        return SortedIrreps(
            irreps=Irreps(self.terms[i] for i in order),
            p=tuple(place[i] for i in range(len(order))),
            inv=tuple(order),
            columns=tuple(c for i in order for c in range(slices[i].start, slices[i].stop)),
        )

    def filter(
        self,
        keep: "IrrepsLike | Callable[[MulIrrep], bool] | None" = None,
        *,
        drop: "IrrepsLike | Callable[[MulIrrep], bool] | None" = None,
    ) -> "Irreps":
        """The terms whose irreps are kept, or not dropped.

        Parameters
        ----------
        keep, drop
            Irreps, whatever their multiplicities; or a function of a term that tells whether it
            is meant.

        Examples
        --------
        >>> irreps = Irreps("2x(0,0) + 4x(1/2,1/2) + (1,1)")
        >>> irreps.filter("(0,0) + (1,1)"), irreps.filter(drop=lambda term: term.mul > 1)
        (Irreps("2x(0,0) + 1x(1,1)"), Irreps("1x(1,1)"))
        """
        kept, dropped = (each if callable(each) else _among(each) for each in (keep, drop))
        return Irreps(
            term
            for term in self.terms
            if (keep is None or kept(term)) and (drop is None or not dropped(term))
        )

    def __add__(self, other: "IrrepsLike") -> "Irreps":
        return Irreps(self.terms + Irreps(other).terms)

    def __radd__(self, other: "IrrepsLike") -> "Irreps":
        return Irreps(other) + self

    def __mul__(self, other: "IrrepsLike | int") -> "Irreps":
        if isinstance(other, int):
            return Irreps(
                (_multiplicity(other, "factor") * mul, irrep) for mul, irrep in self.terms
            )
        return Irreps(
            (mul * left.mul * right.mul, irrep)
            for left in self.terms
            for right in Irreps(other).terms
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


IrrepsLike = str | Irrep | Irreps | Iterable[str | Irrep | tuple[int, Irrep | str]]
"""What :class:`Irreps` reads."""


class SortedIrreps(NamedTuple):
    """A direct sum in the order of its irreps, and the permutation that leads there.

    Parameters
    ----------
    irreps
        The sorted terms.
    p
        For each term of before, its place now.
    inv
        For each term of now, its place before.
    columns
        For each column of now, its place before: ``x[..., columns]`` sorts a tensor.
    """

    irreps: Irreps
    p: tuple[int, ...]
    inv: tuple[int, ...]
    columns: tuple[int, ...]


def _terms(value: object) -> Iterator[MulIrrep]:
    """The terms that a string, an irrep, or a pair of a multiplicity and an irrep stands for."""
    if isinstance(value, str):
        yield from _parse(value)
    elif isinstance(value, Irrep):
        yield MulIrrep(1, value)
    elif isinstance(value, tuple | list) and len(value) == 2:
        mul, irrep = value
        irrep = irrep if isinstance(irrep, Irrep) else Irrep(irrep)
        yield MulIrrep(_multiplicity(mul, f"multiplicity of {irrep}"), irrep)
    else:
        raise not_an_irrep(value)


def _multiplicity(value: object, what: str) -> int:
    """A number of copies, which numpy's integers may be, too."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or int(value) < 0:  # type: ignore[call-overload]
        raise InputError(
            what,
            expected="0 or more" if whole else "a whole number",
            got=repr(value),
            fix="leave the term out" if whole else "write the number of copies, such as 2",
        )
    return int(value)  # type: ignore[call-overload, no-any-return]


def _among(irreps: "IrrepsLike | None") -> Callable[[MulIrrep], bool]:
    """Whether a term's irrep is one of these."""
    wanted = {irrep for _, irrep in Irreps(irreps or "")}
    return lambda term: term.irrep in wanted


def _parse(text: str) -> tuple[MulIrrep, ...]:
    """The terms of a string; none of an empty one."""
    if not text.strip():
        return ()
    position, terms = 0, []
    while True:
        match = _TERM.match(text, position)
        if match is None:
            raise not_an_irrep(text, text[position:].strip())
        mul, irrep = match.group(1, 2)
        terms.append(MulIrrep(int(mul) if mul else 1, Irrep(irrep)))
        position = match.end()
        if position == len(text):
            return tuple(terms)
        if text[position] != "+":
            raise not_an_irrep(text, text[position:].strip())
        position += 1
