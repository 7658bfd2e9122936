"""Edges between the items of each set: all of them, the nearest, or those within a distance."""

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hepml.errors import InputError
from hepml.ops._arguments import described, is_dense
from hepml.ops._bounds import check_bounds, check_index, check_offsets, last_bound
from hepml.ops._kernel import choose_kernel
from hepml.ops._memory import check_memory
from hepml.ops._transforms import is_batched, is_transformed
from hepml.ops.edges import _reference
from hepml.ops.edges._priority import EDGE_KERNELS
from hepml.ops.segments._segment import segment_counts, segment_gather, segment_index


class Edges(NamedTuple):
    """Directed edges between items, sorted by receiver.

    Parameters
    ----------
    senders
        The item that sends, of each edge.
    offsets
        Bounds of the edges of each receiver: item ``i`` receives in the edges
        ``offsets[i]:offsets[i + 1]``.
    """

    senders: Int64[Tensor, " edges"]
    offsets: Int64[Tensor, " bounds"]

    @property
    def receivers(self) -> Int64[Tensor, " edges"]:
        """The item that receives, of each edge."""
        return segment_index(self.offsets, self.senders.shape[0])


def checked_edges(edges: Edges, items: int) -> Edges:
    """These edges, if they are between so many items.

    Parameters
    ----------
    edges
        Edges, such as those of :func:`all_pairs`.
    items
        The number of items.

    Raises
    ------
    InputError
        If senders are no index of these items, or if there are not bounds of all of them.
    """
    if not isinstance(edges, Edges):
        raise InputError(
            "edges",
            expected="Edges, senders and the bounds of those of each receiver",
            got=described(edges),
            fix="pass Edges(senders, offsets), or those of all_pairs",
        )
    check_index(edges.senders, items)
    if torch.compiler.is_compiling():
        # To compare sizes would make them constants of the program.
        return edges
    offsets, senders = edges.offsets, edges.senders
    misfit = segment_counts(offsets).shape[0] != items or offsets.device != senders.device
    # A GPU would have to be waited for.
    if not misfit and offsets.device.type == "cpu":
        misfit = last_bound(offsets) != senders.shape[0]
    if misfit:
        raise InputError(
            "edges",
            expected=f"bounds of the {senders.shape[0]} edges of {items} items",
            got=f"bounds of {offsets.shape[0] - 1} items on {offsets.device}, "
            f"and senders on {senders.device}",
            fix="pass the edges of the sets to which the items belong",
        )
    return edges


def all_pairs(offsets: Int64[Tensor, " bounds"], items: int) -> Edges:
    """The edges from every item of a set to every other item of the set.

    Parameters
    ----------
    offsets
        Bounds of the sets.
    items
        The number of items, ``offsets[-1]`` without asking the device.

    Raises
    ------
    InputError
        If the offsets are no bounds of so many items, or if the edges do not fit into memory.

    Examples
    --------
    >>> edges = all_pairs(torch.tensor([0, 3, 4]), 4)
    >>> edges.receivers.tolist()
    [0, 0, 1, 1, 2, 2]
    >>> edges.senders.tolist()
    [1, 2, 0, 2, 0, 1]
    """
    others = segment_gather(segment_counts(offsets) - 1, offsets, items)
    first = segment_gather(offsets[:-1], offsets, items)
    bounds = _reference.bounds_from(others)
    # The one number that the device has to report; the blocks of a network share the edges.
    size = last_bound(bounds)
    fix = "take fewer or smaller sets at a time"
    check_memory(f"all {size} pairs of {items} items", 40 * size, offsets.device, fix)
    receivers = segment_index(bounds, size)
    senders = torch.arange(size, device=offsets.device) + (first - bounds[:-1])[receivers]
    return Edges(senders + (senders >= receivers), bounds)


@torch.no_grad()
def nearest_neighbours(
    coordinates: Float[Tensor, "items dimensions"],
    offsets: Int64[Tensor, " bounds"],
    neighbours: int,
    *,
    period: Sequence[float | None] | float | None = None,
    loops: bool = False,
) -> Edges:
    """The edges to every item from the nearest others of its set, nearest first.

    Parameters
    ----------
    coordinates
        Where the items are, in one dimension or more, in any unit; float32 or float64.
    offsets
        Bounds of the sets.
    neighbours
        How many send to an item; all others, in a set that has fewer.
    period
        The period of each dimension, None where there is none: ``(None, 2 * math.pi)`` for
        (eta, phi). One value stands for all.
    loops
        Whether an item is one of its own neighbours.

    Raises
    ------
    InputError
        If an argument is not of this kind, if a coordinate is NaN or infinite, or if the offsets
        are no bounds of the items.

    Notes
    -----
    Distances are Euclidean, to the nearest image where there is a period, and compared in float64.
    Among equally distant neighbours the earlier comes first: only such a tie can make a network on
    these edges depend on the order of the items. On the CPU, a tree for each set finds them in a
    time that grows as n log n; elsewhere all pairs of some items after others are sorted. The edges
    have no gradient.

    References
    ----------
    J. L. Bentley, Multidimensional binary search trees used for associative searching,
    Communications of the ACM 18 (1975) 509.

    Examples
    --------
    >>> angle = torch.tensor([[3.1], [-3.1], [2.0], [0.0]])
    >>> nearest_neighbours(angle, torch.tensor([0, 4]), 1, period=2 * math.pi).senders
    tensor([1, 0, 0, 2])
    """
    points, lengths = _checked("neighbours", coordinates, offsets, period)
    try:
        number = operator.index(neighbours)
    except TypeError:
        number = -1
    if isinstance(neighbours, bool) or not 0 <= number < 2**63:
        raise InputError(
            "neighbours",
            expected="a whole number from 0 on",
            got=repr(neighbours),
            fix="pass how many neighbours send to an item",
        )
    counts = segment_gather(segment_counts(offsets), offsets, points.shape[0]) - int(not loops)
    bounds = _reference.bounds_from(counts.clamp(max=number))
    if torch.compiler.is_compiling() or is_transformed(coordinates):
        return Edges(_reference.nearest(points, offsets, lengths, number, loops), bounds)
    kernel = choose_kernel(EDGE_KERNELS["nearest_neighbours"], points)
    return Edges(kernel.function(points, offsets, lengths, number, loops), bounds)


@torch.no_grad()
def neighbours_within(
    coordinates: Float[Tensor, "items dimensions"],
    offsets: Int64[Tensor, " bounds"],
    distance: float,
    *,
    period: Sequence[float | None] | float | None = None,
    loops: bool = False,
) -> Edges:
    """The edges to every item from all others of its set within a distance, in rising order.

    Parameters
    ----------
    coordinates, offsets, period, loops
        As for :func:`nearest_neighbours`.
    distance
        The largest distance, which belongs to them.

    Raises
    ------
    InputError
        As :func:`nearest_neighbours`; also if the edges do not fit into memory.

    Notes
    -----
    There is no limit to the neighbours of an item: none is left out.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [1.0], [2.5], [9.5]])
    >>> edges = neighbours_within(x, torch.tensor([0, 4]), 1.5, period=10.0)
    >>> [edges.senders[a:b].tolist() for a, b in zip(edges.offsets, edges.offsets[1:])]
    [[1, 3], [0, 2, 3], [1], [0, 1]]
    """
    points, lengths = _checked("distance", coordinates, offsets, period)
    if (
        isinstance(distance, bool)
        or not isinstance(distance, int | float)
        or not 0 <= distance < math.inf
    ):
        raise InputError(
            "distance",
            expected="a number from 0 on",
            got=repr(distance),
            fix="pass the largest distance of neighbours, in the unit of the coordinates",
        )
    limit = float(distance)
    if torch.compiler.is_compiling() or is_transformed(coordinates):
        return Edges(*_reference.within(points, offsets, lengths, limit, loops))
    kernel = choose_kernel(EDGE_KERNELS["neighbours_within"], points)
    return Edges(*kernel.function(points, offsets, lengths, limit, loops))


def _checked(
    what: str, coordinates: Any, offsets: Any, period: Any
) -> tuple[Tensor, tuple[float | None, ...]]:
    """The coordinates in float64, and a period for each dimension."""
    if (
        not is_dense(coordinates)
        or coordinates.dim() != 2
        or coordinates.shape[1] == 0
        or coordinates.dtype not in (torch.float32, torch.float64)
    ):
        raise InputError(
            "coordinates",
            expected="float32 or float64 of shape (items, dimensions), one dimension or more",
            got=described(coordinates),
            fix="stack the coordinates of each item along the last axis",
        )
    check_offsets(offsets, coordinates)
    if not torch.compiler.is_compiling():
        check_bounds(offsets, coordinates.shape[0])
        finite = coordinates.detach().isfinite().all(1)
        if not is_batched(coordinates) and not bool(finite.all()):
            row = int((~finite).nonzero()[0])
            raise InputError(
                "coordinates",
                expected="finite numbers",
                got=f"{coordinates[row].tolist()} in row {row}",
                fix=f"remove these items: they have no {what}",
            )
    dimensions = coordinates.shape[1]
    several = isinstance(period, Sequence) and not isinstance(period, str)
    lengths = tuple(period) if several else (period,) * dimensions
    positive = [
        each is None
        or (isinstance(each, int | float) and not isinstance(each, bool) and 0 < each < math.inf)
        for each in lengths
    ]
    if len(lengths) != dimensions or not all(positive):
        raise InputError(
            "period",
            expected=f"a positive number or None for each of {dimensions} dimensions",
            got=repr(period),
            fix="such as (None, 2 * math.pi) for (eta, phi)",
        )
    return coordinates.detach().double(), tuple(None if x is None else float(x) for x in lengths)
