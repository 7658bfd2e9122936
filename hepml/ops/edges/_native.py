"""Neighbours in C: a tree for each set, searched by all threads."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hepml.ops._memory import check_memory
from hepml.ops.edges._reference import bounds_from
from hepml.ops.native import _library
from hepml.ops.segments._reference import segment_index

# To start a thread takes as long as to search for so many neighbours.
_ITEMS_PER_THREAD = 256
_DIMENSIONS = 8


def why_not(points: Tensor, *_: Any) -> list[str]:
    """Why the kernel cannot take these points; empty if it can."""
    reasons = _library.why_not_here(points)
    if points.dim() == 2 and points.shape[1] > _DIMENSIONS:
        reasons = [f"it is for up to {_DIMENSIONS} dimensions", *reasons]
    return reasons


class _Trees(NamedTuple):
    """The trees of a batch as the library takes them, and what they were made of."""

    threads: int
    slack: float
    tensors: list[Tensor]

    def arguments(self) -> list[int | None]:
        """The addresses, in the order of the library's arguments."""
        return [_library.address(tensor) for tensor in self.tensors]


def nearest(
    points: Float[Tensor, "items dimensions"],
    offsets: Int64[Tensor, " bounds"],
    period: tuple[float | None, ...],
    neighbours: int,
    loops: bool,
) -> Int64[Tensor, " edges"]:
    """A search in the tree of each set."""
    items = points.shape[0]
    trees = _trees(points, offsets, period)
    bounds = bounds_from((_others(offsets, items, loops)).clamp(max=neighbours))
    out = torch.empty(int(bounds[-1]), dtype=torch.int64)
    failed = _library.library().hepml_edges_nearest(
        *(items, points.shape[1], trees.threads, int(loops), trees.slack),
        *trees.arguments(),
        *(bounds.data_ptr(), out.data_ptr()),
    )
    if failed:
        raise MemoryError("neighbours: no memory for those of one item")
    return out


def within(
    points: Float[Tensor, "items dimensions"],
    offsets: Int64[Tensor, " bounds"],
    period: tuple[float | None, ...],
    distance: float,
    loops: bool,
) -> tuple[Int64[Tensor, " edges"], Int64[Tensor, " edge_bounds"]]:
    """Two searches in the tree of each set: how many, and which."""
    items = points.shape[0]
    trees = _trees(points, offsets, period)

    def search(bounds: Tensor | None, out: Tensor) -> Tensor:
        _library.library().hepml_edges_within(
            *(items, points.shape[1], trees.threads, int(loops)),
            *(distance * distance, trees.slack),
            *trees.arguments(),
            *(_library.address(bounds), out.data_ptr()),
        )
        return out

    bounds = bounds_from(search(None, torch.zeros(items, dtype=torch.int64)))
    size = int(bounds[-1])
    what = f"{size} neighbours of {items} items within {distance:g}"
    check_memory(what, 8 * size, points.device, "choose a smaller distance")
    return search(bounds, torch.empty(size, dtype=torch.int64)), bounds


def _trees(
    points: Float[Tensor, "items dimensions"],
    offsets: Int64[Tensor, " bounds"],
    period: tuple[float | None, ...],
) -> _Trees:
    """The trees of all sets."""
    points, offsets = _library.plain(points), _library.plain(offsets)
    items, dimensions = points.shape
    lengths = torch.tensor([length or 0.0 for length in period], dtype=torch.float64)
    wrapped = points
    if bool((lengths > 0).any()):
        wrapped = points.clone()
        for k, length in enumerate(period):
            if length is not None:
                wrapped[:, k] -= length * (points[:, k] / length).floor()
    library = _library.library()
    sizes = offsets.diff()
    # As many nodes as the library says, for every size that there is.
    each, which = torch.unique(sizes, return_inverse=True)
    counts = torch.tensor([*map(library.hepml_nodes_of, each.tolist())], dtype=torch.int64)
    nodes = bounds_from(counts[which])
    total = int(nodes[-1])
    # A rounding of the largest coordinate, and of its period, on both sides.
    largest = float(points.abs().amax()) if points.numel() else 0.0
    slack = 16 * torch.finfo(torch.float64).eps * (largest + float(lengths.amax(0)))
    threads = max(1, min(torch.get_num_threads(), items // _ITEMS_PER_THREAD))
    order = torch.empty(items, dtype=torch.int64)
    boxes = torch.empty(total * 2 * dimensions, dtype=torch.float64)
    least = torch.empty(total, dtype=torch.int64)
    sorted_ = torch.empty_like(points)
    made = (offsets, nodes, points, wrapped, lengths, order, boxes, least, sorted_)
    library.hepml_edges_build(
        *(len(sizes), dimensions, threads),
        *map(_library.address, made),
    )
    set_of = segment_index(offsets, items)
    tensors = [offsets, nodes, set_of, points, sorted_, wrapped, lengths, order, boxes, least]
    return _Trees(threads, slack, tensors)


def _others(offsets: Tensor, items: int, loops: bool) -> Tensor:
    """How many items may send to each."""
    return offsets.diff()[segment_index(offsets, items)] - int(not loops)
