"""The definition of every segment and scatter operation, in plain differentiable torch.

A faster kernel agrees with these functions in value, gradient and gradient of gradient.
"""

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor


def segment_index(offsets: Int64[Tensor, " bounds"], items: int) -> Int64[Tensor, " items"]:
    """The segment that each item belongs to."""
    segments = torch.arange(offsets.shape[0] - 1, device=offsets.device)
    return torch.repeat_interleave(segments, offsets.diff(), output_size=items)


def scatter_sum(
    values: Float[Tensor, "items *channels"], index: Int64[Tensor, " items"], size: int
) -> Float[Tensor, "size *channels"]:
    """Sum of the values that go to each place; 0 where none goes."""
    return values.new_zeros((size, *values.shape[1:])).index_add(0, index, values)


def segment_sum(
    values: Float[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "bounds-1 *channels"]:
    """Sum over each segment; 0 for an empty one."""
    index = segment_index(offsets, values.shape[0])
    return scatter_sum(values, index, offsets.shape[0] - 1)


def segment_gather(
    rows: Shaped[Tensor, "segments *channels"], offsets: Int64[Tensor, " bounds"], items: int
) -> Shaped[Tensor, "items *channels"]:
    """The segment's row at each of its items: the transpose of the sum."""
    return rows[segment_index(offsets, items)]
