"""Tiles: rectangles of pairs that are worked on at a time."""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from hepml.errors import InputError
from hepml.ops._pair_reference import metric_of


class Tile(NamedTuple):
    """Some receivers and all senders of ``sets`` sets, which follow one another in the tables.

    All these sets have ``size`` items, the items ``first:last`` of each receive. A pair is an
    element of (sets, receivers, senders); an item and itself are one, too, and have to be dropped.
    """

    start: int
    sets: int
    size: int
    first: int
    last: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(sets, receivers, senders)."""
        return self.sets, self.last - self.first, self.size

    def senders(self, table: Tensor) -> Tensor:
        """The senders' rows of a table, as (sets, senders, channels)."""
        rows = table[self.start : self.start + self.sets * self.size]
        return rows.view(self.sets, self.size, table.shape[1])

    def receivers(self, table: Tensor) -> Tensor:
        """The receivers' rows of a table, as (sets, receivers, channels)."""
        return self.senders(table)[:, self.first : self.last]

    def drop_self(self, of_pairs: Tensor) -> Tensor:
        """Set to 0 what an item would send to itself, in (pairs, ...)."""
        of_pairs.view(*self.shape, *of_pairs.shape[1:]).diagonal(self.first, 1, 2).zero_()
        return of_pairs


def by_size(
    offsets: Tensor, items: int, *tables: Tensor
) -> tuple[Tensor | None, list[tuple[int, int]], list[Tensor]]:
    """The tables with the sets of one size behind one another, and how many there are of each.

    First comes the old place of each row; None, if all stay where they are.
    """
    first, sizes = int(offsets[0]), offsets.diff().tolist()
    if first != 0 or sum(sizes) != items or min(sizes, default=0) < 0:
        raise InputError(
            "offsets",
            expected=f"bounds from 0 to {items}, the number of items, never falling",
            got=f"bounds from {first} to {int(offsets[-1])}",
            fix="pass the offsets of the batch to which the items belong",
        )
    groups = [(size, len(list(sets))) for size, sets in itertools.groupby(sorted(sizes))]
    if sizes == sorted(sizes):
        return None, groups, list(tables)
    counts, sets = offsets.diff().sort(stable=True)
    shift = offsets[:-1][sets] - (counts.cumsum(0) - counts)
    places = torch.arange(items, device=offsets.device)
    places += shift.repeat_interleave(counts, output_size=items)
    return places, groups, [table.index_select(0, places) for table in tables]


def tiles(groups: list[tuple[int, int]], pairs: int) -> Iterator[Tile]:
    """Tiles of about so many pairs, and of one receiver at least."""
    start = 0
    for size, sets in groups:
        if size > 1:
            receivers = math.ceil(size / math.ceil(size**2 / pairs))
            together = max(pairs // size**2, 1)
            for done in range(0, sets, together):
                for first in range(0, size, receivers):
                    last = min(first + receivers, size)
                    number = min(together, sets - done)
                    yield Tile(start + done * size, number, size, first, last)
        start += size * sets


class Momenta(NamedTuple):
    """Momenta in double precision, and what their products need."""

    upper: Tensor
    lower: Tensor
    squares: Tensor

    @classmethod
    def of(cls, p4: Tensor) -> "Momenta":
        """Of momenta in any precision."""
        upper = p4.double()
        lower = upper * metric_of(p4)
        return cls(upper, lower, (upper * lower).sum(1, keepdim=True))

    def products(self, tile: Tile) -> Tensor:
        """``|p - q|²`` and ``<p, q>`` of the pairs, as (2, sets, receivers, senders).

        The first is p² + q² - 2 <p, q>: double precision affords what this cancels.
        """
        both = self.upper.new_empty(2, *tile.shape)
        square, dot = both.unbind(0)
        torch.bmm(tile.receivers(self.lower), tile.senders(self.upper).mT, out=dot)
        torch.add(tile.receivers(self.squares), tile.senders(self.squares).mT, out=square)
        square.sub_(dot, alpha=2)
        return both

    def add_gradient(self, d_p: Tensor, d_squares: Tensor, tile: Tile, d_products: Tensor) -> None:
        """Add what the gradient of the products gives for the momenta and for their squares."""
        d_square, d_dot = d_products.unbind(0)
        tile.receivers(d_squares).add_(d_square.sum(2)[..., None])
        tile.senders(d_squares).add_(d_square.sum(1)[..., None])
        d_dot.sub_(d_square, alpha=2)
        tile.receivers(d_p).baddbmm_(d_dot, tile.senders(self.lower))
        tile.senders(d_p).baddbmm_(d_dot.mT, tile.receivers(self.lower))


def psi(x: Tensor) -> Tensor:
    """``sign(x) ln(|x| + 1)``."""
    return x.abs().log1p_().copysign_(x)


def psi_backward(d: Tensor, x: Tensor) -> Tensor:
    """The gradient for x, in its precision."""
    return d.to(x.dtype).div_(x.abs().add_(1))
