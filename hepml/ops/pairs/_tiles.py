"""Tiles: runs of pairs that are worked on at a time."""

import bisect
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from hepml.ops._bounds import check_bounds
from hepml.ops.pairs._reference import metric_of
from hepml.ops.segments import _torch


class Tile(NamedTuple):
    """All pairs of the receivers ``first:last``, sorted by receiver.

    Behind them come rows that are no pairs, so that few tiles differ in length: oneDNN prepares
    every length anew, which takes a millisecond and half a megabyte.
    """

    first: int
    last: int
    # Of every row, whether a pair or not.
    receivers: Tensor
    senders: Tensor
    # Of the pairs of each receiver.
    bounds: Tensor
    pairs: int

    def drop_rest(self, rows: Tensor) -> Tensor:
        """Set to 0 the rows that are no pairs."""
        rows[self.pairs :].zero_()
        return rows

    def to_receivers(self, rows: Tensor) -> Tensor:
        """The sum over the pairs of each receiver."""
        return _torch.segment_sum(rows[: self.pairs], self.bounds)


class Tiling:
    """The tiles of a batch: about so many pairs each, and one receiver at least."""

    def __init__(self, offsets: Tensor, items: int, size: int) -> None:
        check_bounds(offsets, items)
        counts = offsets.diff()
        self.device = offsets.device
        self._others = (counts - 1).repeat_interleave(counts, output_size=items)
        self._bounds = torch.cat([counts.new_zeros(1), self._others.cumsum(0)])
        # From the number of a pair to its sender, but for the receiver itself.
        starts = offsets[:-1].repeat_interleave(counts, output_size=items)
        self._shift = starts - self._bounds[:-1]
        self._items = torch.arange(items, device=offsets.device)
        self._starts: list[int] = self._bounds.tolist()
        self.ranges = list(self._ranges(items, size))

    def _ranges(self, items: int, size: int) -> Iterator[tuple[int, int]]:
        """First and last receiver of each tile."""
        first = 0
        while first < items:
            last = max(bisect.bisect_right(self._starts, self._starts[first] + size) - 1, first + 1)
            if self._starts[last] > self._starts[first]:
                yield first, last
            first = last

    def tile(self, first: int, last: int) -> Tile:
        """The tile of these receivers."""
        start, pairs = self._starts[first], self._starts[last] - self._starts[first]
        rows = _rounded_up(pairs)
        lengths = self._others[first:last].clone()
        lengths[-1] += rows - pairs
        receivers = self._items[first:last].repeat_interleave(lengths, output_size=rows)
        senders = torch.arange(start, start + rows, device=receivers.device)
        senders += self._shift.index_select(0, receivers)
        senders += senders >= receivers
        senders.clamp_(max=len(self._items) - 1)
        return Tile(first, last, receivers, senders, self._bounds[first : last + 1] - start, pairs)


def _rounded_up(number: int) -> int:
    """The next number of four significant bits."""
    step = 1 << max(number.bit_length() - 4, 0)
    return -(-number // step) * step


class Momenta(NamedTuple):
    """The momenta of the pairs of a tile, in double precision."""

    p: Tensor
    q: Tensor
    difference: Tensor
    # |p - q|² and <p, q>, as (rows, 2)
    products: Tensor

    @classmethod
    def of(cls, p4: Tensor, tile: Tile) -> "Momenta":
        """Receivers' and senders' momenta out of the momenta of the items."""
        metric = metric_of(p4)
        p, q = p4.index_select(0, tile.receivers), p4.index_select(0, tile.senders)
        difference = p - q
        square, dot = difference.square() @ metric, (p * q) @ metric
        return cls(p, q, difference, torch.stack([square, dot], dim=1))

    def add_gradient(self, d_p4: Tensor, tile: Tile, d_products: Tensor, d_step: Tensor) -> None:
        """Add the gradient for the momenta times the metric, given that for the products.

        ``d_step`` is what else there is for the difference, times the metric.
        """
        d_square, d_dot = d_products.unbind(1)
        d_difference = torch.addcmul(d_step, self.difference, d_square[:, None], value=2)
        d_p = torch.addcmul(d_difference, self.q, d_dot[:, None])
        d_q = torch.addcmul(d_difference.neg_(), self.p, d_dot[:, None])
        d_p4[tile.first : tile.last] += tile.to_receivers(d_p)
        d_p4.index_add_(0, tile.senders[: tile.pairs], d_q[: tile.pairs])


def psi(x: Tensor) -> Tensor:
    """``sign(x) ln(|x| + 1)``."""
    return x.abs().log1p_().copysign_(x)


def psi_backward(d: Tensor, x: Tensor) -> Tensor:
    """The gradient for x, in its precision."""
    return d.to(x.dtype).div_(x.abs().add_(1))
