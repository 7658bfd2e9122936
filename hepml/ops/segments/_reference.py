"""The definition of every segment and scatter operation, in plain differentiable torch.

A faster kernel agrees with these functions in value, and the operators in derivatives. Half
precision is summed in float32 and rounded once.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Inexact, Int64, Shaped
from torch import Tensor


def widened(values: Inexact[Tensor, " *shape"]) -> Inexact[Tensor, " *shape"]:
    """Half precision as float32, to be summed in it; anything else as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def per_row(numbers: Shaped[Tensor, " rows"], like: Tensor) -> Tensor:
    """One number for each row, with the axes to be broadcast against the rows of another."""
    return numbers.reshape(-1, *[1] * (like.dim() - 1))


def segment_index(offsets: Int64[Tensor, " bounds"], items: int) -> Int64[Tensor, " items"]:
    """The segment that each item belongs to.

    The number of segments that have ended before it, in operations that ONNX has, and without
    asking a GPU for a number.
    """
    ends = offsets[1:-1]
    ended = offsets.new_zeros(items + 1).scatter_add(0, ends, torch.ones_like(ends))
    return ended[:-1].cumsum(0)


def segment_gather(
    rows: Shaped[Tensor, "segments *channels"], offsets: Int64[Tensor, " bounds"], items: int
) -> Shaped[Tensor, "items *channels"]:
    """The segment's row at each of its items: the transpose of the sum."""
    return rows[segment_index(offsets, items)]


def scatter_sum(
    values: Inexact[Tensor, "items *channels"], index: Int64[Tensor, " items"], size: int
) -> Inexact[Tensor, "{size} *channels"]:
    """Sum of the values that go to each place; 0 where none goes."""
    wide = widened(values)
    return wide.new_zeros((size, *values.shape[1:])).index_add(0, index, wide).to(values.dtype)


def scatter_mean(
    values: Inexact[Tensor, "items *channels"], index: Int64[Tensor, " items"], size: int
) -> Inexact[Tensor, "{size} *channels"]:
    """Mean of the values that go to each place; 0 where none goes."""
    wide = widened(values)
    counts = scatter_sum(wide.new_ones(values.shape[0]), index, size).clamp(min=1)
    return (scatter_sum(wide, index, size) / per_row(counts, wide)).to(values.dtype)


def scatter_max(
    values: Float[Tensor, "items *channels"], index: Int64[Tensor, " items"], size: int
) -> Float[Tensor, "{size} *channels"]:
    """Largest of the values that go to each place; 0 where none goes."""
    return _scatter_extremum(values, index, size, "amax")


def scatter_min(
    values: Float[Tensor, "items *channels"], index: Int64[Tensor, " items"], size: int
) -> Float[Tensor, "{size} *channels"]:
    """Smallest of the values that go to each place; 0 where none goes."""
    return _scatter_extremum(values, index, size, "amin")


def _scatter_extremum(values: Tensor, index: Tensor, size: int, reduce: str) -> Tensor:
    """Torch's amax or amin, which share the gradient equally among ties."""
    places = per_row(index, values).expand_as(values)
    # Not zeros: torch counts what was there as one more tie, included or not.
    start = values.new_full((size, *values.shape[1:]), torch.nan)
    extremum = start.scatter_reduce(0, places, values, reduce, include_self=False)
    empty = index.new_ones(size).index_fill(0, index, 0).bool()
    return extremum.masked_fill(per_row(empty, values), 0)


def segment_sum(
    values: Inexact[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Inexact[Tensor, "bounds-1 *channels"]:
    """Sum over each segment; 0 for an empty one."""
    return scatter_sum(values, segment_index(offsets, values.shape[0]), offsets.shape[0] - 1)


def segment_mean(
    values: Inexact[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Inexact[Tensor, "bounds-1 *channels"]:
    """Mean over each segment; 0 for an empty one."""
    return scatter_mean(values, segment_index(offsets, values.shape[0]), offsets.shape[0] - 1)


def segment_max(
    values: Float[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "bounds-1 *channels"]:
    """Largest value of each segment; 0 for an empty one."""
    return scatter_max(values, segment_index(offsets, values.shape[0]), offsets.shape[0] - 1)


def segment_min(
    values: Float[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "bounds-1 *channels"]:
    """Smallest value of each segment; 0 for an empty one."""
    return scatter_min(values, segment_index(offsets, values.shape[0]), offsets.shape[0] - 1)


def _exponential(
    values: Tensor, offsets: Tensor, unshifted: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """exp(values - shift), its sums and the shift of each segment: its largest value, or 0."""
    wide = widened(values)
    shift = segment_max(wide.detach(), offsets)
    shift = shift.masked_fill(unshifted(shift), 0)
    exponential = (wide - segment_gather(shift, offsets, values.shape[0])).exp()
    return exponential, segment_sum(exponential, offsets), shift


def segment_softmax(
    values: Float[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "items *channels"]:
    """exp(values), divided by its sum over the segment; 0 where a segment holds -inf alone."""
    # A segment of -inf alone has nothing to shift by, and -inf - -inf is not a number.
    exponential, total, _ = _exponential(values, offsets, torch.isneginf)
    total = total.masked_fill(total == 0, 1)
    return (exponential / segment_gather(total, offsets, values.shape[0])).to(values.dtype)


def segment_logsumexp(
    values: Float[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "bounds-1 *channels"]:
    """Logarithm of the sum of exp(values) over each segment; -inf for an empty one."""
    # Nor has one with inf.
    _, total, shift = _exponential(values, offsets, torch.isinf)
    nothing = total == 0
    # Not the logarithm of 0, whose infinite derivative would turn gradients into NaN.
    logarithm = total.masked_fill(nothing, 1).log() + shift
    return logarithm.masked_fill(nothing, -torch.inf).to(values.dtype)
