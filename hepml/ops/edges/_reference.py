"""The definition of neighbours: all pairs, and those that are kept of them."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from hepml.ops._bounds import last_bound
from hepml.ops._memory import check_memory
from hepml.ops.segments._reference import segment_index

# The bytes for each pair: its ends, distances, and their order.
BYTES_PER_PAIR = 72


def bounds_from(counts: Int64[Tensor, " segments"]) -> Int64[Tensor, " bounds"]:
    """Offsets of segments with the given numbers of items."""
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def pairs_of(
    offsets: Int64[Tensor, " bounds"],
    set_of: Int64[Tensor, " items"],
    receivers: Int64[Tensor, " receivers"],
    *,
    loops: bool = False,
    bytes_per_pair: int = BYTES_PER_PAIR,
    fix: str = "take fewer or smaller sets at a time",
) -> tuple[Int64[Tensor, " pairs"], Int64[Tensor, " pairs"], Int64[Tensor, " pair_bounds"]]:
    """The receiver and the sender of all pairs of some receivers, and the bounds of each."""
    of = set_of[receivers]
    counts = offsets.diff()[of] - int(not loops)
    bounds = bounds_from(counts)
    size = last_bound(bounds)
    what = f"all {size} pairs of {receivers.shape[0]} items"
    check_memory(what, bytes_per_pair * size, offsets.device, fix)
    place = segment_index(bounds, size)
    to = receivers[place]
    senders = torch.arange(size, device=offsets.device) - bounds[place] + offsets[of[place]]
    return to, senders if loops else senders + (senders >= to), bounds


def squared_distances(
    points: Float[Tensor, "items dimensions"],
    period: tuple[float | None, ...],
    a: Int64[Tensor, " pairs"],
    b: Int64[Tensor, " pairs"],
) -> Float[Tensor, " pairs"]:
    """The squared distances of pairs of points, dimension by dimension."""
    total = points.new_zeros(a.shape[0])
    for k, length in enumerate(period):
        d = points[a, k] - points[b, k]
        if length is not None:
            d = d - length * torch.round(d / length)
        total = total + d * d
    return total


def nearest_of(
    points: Float[Tensor, "items dimensions"],
    offsets: Int64[Tensor, " bounds"],
    set_of: Int64[Tensor, " items"],
    receivers: Int64[Tensor, " receivers"],
    period: tuple[float | None, ...],
    neighbours: int,
    loops: bool,
) -> Int64[Tensor, " edges"]:
    """The senders of some receivers: the nearest first, and among equals the first."""
    to, senders, bounds = pairs_of(offsets, set_of, receivers, loops=loops)
    distances = squared_distances(points, period, to, senders)
    # By distance, then by receiver: the second sort is stable and keeps the order of the first.
    order = distances.argsort(stable=True)
    place = segment_index(bounds, to.shape[0])
    order = order[place[order].argsort(stable=True)]
    rank = torch.arange(to.shape[0], device=to.device) - bounds[place]
    return senders[order[rank < neighbours]]


def within_of(
    points: Float[Tensor, "items dimensions"],
    offsets: Int64[Tensor, " bounds"],
    set_of: Int64[Tensor, " items"],
    receivers: Int64[Tensor, " receivers"],
    period: tuple[float | None, ...],
    distance: float,
    loops: bool,
) -> tuple[Int64[Tensor, " edges"], Int64[Tensor, " receivers"]]:
    """The senders of some receivers within a distance, in rising order, and how many each has."""
    to, senders, bounds = pairs_of(offsets, set_of, receivers, loops=loops)
    near: Bool[Tensor, " pairs"]
    near = squared_distances(points, period, to, senders) <= distance * distance
    place = segment_index(bounds, to.shape[0])[near]
    counts = torch.zeros_like(receivers).index_add(0, place, torch.ones_like(place))
    return senders[near], counts


def nearest(
    points: Float[Tensor, "items dimensions"],
    offsets: Int64[Tensor, " bounds"],
    period: tuple[float | None, ...],
    neighbours: int,
    loops: bool,
) -> Int64[Tensor, " edges"]:
    """All pairs, sorted."""
    items = torch.arange(points.shape[0], device=points.device)
    set_of = segment_index(offsets, points.shape[0])
    return nearest_of(points, offsets, set_of, items, period, neighbours, loops)


def within(
    points: Float[Tensor, "items dimensions"],
    offsets: Int64[Tensor, " bounds"],
    period: tuple[float | None, ...],
    distance: float,
    loops: bool,
) -> tuple[Int64[Tensor, " edges"], Int64[Tensor, " edge_bounds"]]:
    """All pairs, compared."""
    items = torch.arange(points.shape[0], device=points.device)
    set_of = segment_index(offsets, points.shape[0])
    senders, counts = within_of(points, offsets, set_of, items, period, distance, loops)
    return senders, bounds_from(counts)
