"""Neighbours in torch: the pairs of some receivers after others, as many as memory holds."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hepml.ops.edges._reference import bounds_from, nearest_of, within_of
from hepml.ops.segments._reference import segment_index

# Pairs that are held at a time.
_PAIRS = 1 << 22


def nearest(
    points: Float[Tensor, "items dimensions"],
    offsets: Int64[Tensor, " bounds"],
    period: tuple[float | None, ...],
    neighbours: int,
    loops: bool,
) -> Int64[Tensor, " edges"]:
    """The pairs of some receivers at a time, sorted."""
    set_of = segment_index(offsets, points.shape[0])
    parts = [
        nearest_of(points, offsets, set_of, receivers, period, neighbours, loops)
        for receivers in _portions(offsets, set_of)
    ]
    return torch.cat(parts) if parts else offsets[:0]


def within(
    points: Float[Tensor, "items dimensions"],
    offsets: Int64[Tensor, " bounds"],
    period: tuple[float | None, ...],
    distance: float,
    loops: bool,
) -> tuple[Int64[Tensor, " edges"], Int64[Tensor, " edge_bounds"]]:
    """The pairs of some receivers at a time, compared."""
    set_of = segment_index(offsets, points.shape[0])
    parts = [
        within_of(points, offsets, set_of, receivers, period, distance, loops)
        for receivers in _portions(offsets, set_of)
    ]
    if not parts:
        return offsets[:0], offsets.new_zeros(1)
    senders, counts = (torch.cat(each) for each in zip(*parts, strict=True))
    return senders, bounds_from(counts)


def _portions(
    offsets: Int64[Tensor, " bounds"], set_of: Int64[Tensor, " items"]
) -> Iterator[Int64[Tensor, " receivers"]]:
    """Receivers that together have no more pairs than are held, or one."""
    items = torch.arange(set_of.shape[0], device=set_of.device)
    pairs = offsets.diff()[set_of].cumsum(0)
    _, sizes = torch.unique_consecutive(pairs // _PAIRS, return_counts=True)
    yield from torch.split(items, sizes.tolist())
