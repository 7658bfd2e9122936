"""Kernels made of what torch has, by measurement the fastest of it for the shape.

Microseconds with torch 2.13 on two cores of an AMD EPYC that others used too: 100,000 items in the
1849 segments of real jets, or with a segment that holds half of them ("huge"), float32, lowest of 5
interleaved rounds of ``python examples/benchmarks/segments.py --widths 1 16 64``:

==============  ====  ====  =====  ======  =======  =======
..              jets                       huge
channels           1    16     64       1       16       64
==============  ====  ====  =====  ======  =======  =======
sum
embedding_bag     45    59    178      68       85      336
segment_reduce    79   926   5106      65     1050     8736
index_add        272   751   1033     295      589      839
max
segment_reduce   263  4356  17255     273     4078    17426
scatter_reduce   788   945   1241     673      730      876
==============  ====  ====  =====  ======  =======  =======

In float64 embedding_bag is the slowest up to 16 channels. From there on torch has another code for
index_add and scatter_reduce, which is why wide tensors go to them. Below 2^15 items of one channel
the start of embedding_bag costs more than the sum by segment_reduce.
"""

import functools

import torch
from torch import Tensor

from hepml.ops.segments._reference import per_row, widened

_WIDE = 16
_MANY = 1 << 15


def _channels(values: Tensor) -> int:
    """The product of the axes of the channels."""
    return values.numel() // values.shape[0]


def segment_index(offsets: Tensor, items: int) -> Tensor:
    """The segment that each item belongs to, 25 times faster than by repeating their numbers."""
    return torch.repeat_interleave(offsets.diff(), output_size=items)


def segment_sum(values: Tensor, offsets: Tensor) -> Tensor:
    """embedding_bag in float32, else segment_reduce where it is narrow or index_add."""
    return _segment_sum(widened(values), offsets).to(values.dtype)


def _segment_sum(values: Tensor, offsets: Tensor, index: Tensor | None = None) -> Tensor:
    """The sum in the dtype of the values."""
    items, segments, channels = values.shape[0], offsets.shape[0] - 1, _channels(values)
    if values.device.type == "cpu" and values.dtype == torch.float32 and _in_bags(values, offsets):
        table = values.reshape(items, channels)
        rows = _counting(1 << (items - 1).bit_length())[:items]
        total = torch.embedding_bag(table, rows, offsets, include_last_offset=True)[0]
        return total.reshape(segments, *values.shape[1:])
    if values.device.type == "cpu" and channels < _WIDE:
        return torch.segment_reduce(values.contiguous(), "sum", offsets=offsets, initial=0)
    index = segment_index(offsets, items) if index is None else index
    return values.new_zeros((segments, *values.shape[1:])).index_add_(0, index, values)


@functools.lru_cache(maxsize=1)
def _counting(number: int) -> Tensor:
    """The numbers from 0: to write them costs a third of a narrow sum."""
    # Kept, so not where the default device of the moment would have them.
    return torch.arange(number, device="cpu")


def _in_bags(values: Tensor, offsets: Tensor) -> bool:
    """Whether embedding_bag is the fastest: threads share the segments out, if none is huge."""
    items = values.shape[0]
    return _channels(values) > 1 or (
        items >= _MANY and int(offsets.diff().max()) * torch.get_num_threads() <= items
    )


def segment_mean(values: Tensor, offsets: Tensor) -> Tensor:
    """The sum, divided by the counts."""
    total = _segment_sum(widened(values), offsets)
    counts = offsets.diff().clamp_(min=1)
    return total.div_(per_row(counts, total)).to(values.dtype)


def segment_max(values: Tensor, offsets: Tensor) -> Tensor:
    """segment_reduce where it is narrow, else scatter_reduce."""
    return _segment_extremum(values, offsets, "max")


def segment_min(values: Tensor, offsets: Tensor) -> Tensor:
    """segment_reduce where it is narrow, else scatter_reduce."""
    return _segment_extremum(values, offsets, "min")


def _segment_extremum(
    values: Tensor, offsets: Tensor, reduce: str, index: Tensor | None = None
) -> Tensor:
    """The largest or smallest value."""
    if values.device.type == "cpu" and _channels(values) < _WIDE:
        extremum = torch.segment_reduce(values.contiguous(), reduce, offsets=offsets)
        # It gives -inf or inf for an empty segment.
        return extremum.masked_fill_(per_row(offsets.diff() == 0, extremum), 0)
    index = segment_index(offsets, values.shape[0]) if index is None else index
    return _scatter_extremum(values, index, offsets.shape[0] - 1, "a" + reduce)


def share_among_ties(grad: Tensor, values: Tensor, extremum: Tensor, offsets: Tensor) -> Tensor:
    """The gradient of the extremum in the values, which looks at the items that attain it alone."""
    index = segment_index(offsets, values.shape[0])
    channels = _channels(values)
    places = (values == extremum.index_select(0, index)).reshape(-1).nonzero()[:, 0]
    item = places if channels == 1 else places.div(channels, rounding_mode="floor")
    row = index.index_select(0, item)
    if channels > 1:
        row.mul_(channels).add_(places.sub_(item.mul_(channels)))
        places.add_(item)
    ties = torch.bincount(row, minlength=grad.numel())
    share = (widened(grad).reshape(-1) / ties.clamp_(min=1)).index_select(0, row)
    result = values.new_zeros(values.numel()).index_copy_(0, places, share.to(values.dtype))
    return result.reshape(values.shape)


def segment_softmax(values: Tensor, offsets: Tensor) -> Tensor:
    """In place on one temporary, with one index for all of its steps."""
    exponential, total, _, index = _shifted_exponential(values, offsets)
    total.masked_fill_(total == 0, 1)
    return exponential.div_(total.index_select(0, index)).to(values.dtype)


def segment_logsumexp(values: Tensor, offsets: Tensor) -> Tensor:
    """The logarithm of the sum after a shift by the largest value."""
    _, total, shift, _ = _shifted_exponential(values, offsets)
    # inf - inf is not a number.
    return total.log_().add_(shift).masked_fill_(shift == torch.inf, torch.inf).to(values.dtype)


def _shifted_exponential(values: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """exp(values - shift), its sums, the shift of each segment, and the index."""
    wide = widened(values)
    index = segment_index(offsets, values.shape[0])
    shift = _segment_extremum(wide, offsets, "max", index)
    shift.masked_fill_(shift == -torch.inf, 0)
    exponential = torch.sub(wide, shift.index_select(0, index)).exp_()
    return exponential, _segment_sum(exponential, offsets, index), shift, index


def segment_gather(rows: Tensor, offsets: Tensor, items: int) -> Tensor:
    """index_select."""
    return rows.index_select(0, segment_index(offsets, items))


def scatter_sum(values: Tensor, index: Tensor, size: int) -> Tensor:
    """index_add, in float32 for half precision."""
    wide = widened(values)
    return _scatter_sum(wide, index, size).to(values.dtype)


def _scatter_sum(values: Tensor, index: Tensor, size: int) -> Tensor:
    """The sum in the dtype of the values."""
    return values.new_zeros((size, *values.shape[1:])).index_add_(0, index, values)


def scatter_mean(values: Tensor, index: Tensor, size: int) -> Tensor:
    """The sum, divided by the counts."""
    total = _scatter_sum(widened(values), index, size)
    counts = _scatter_sum(total.new_ones(values.shape[0]), index, size).clamp_(min=1)
    return total.div_(per_row(counts, total)).to(values.dtype)


def scatter_max(values: Tensor, index: Tensor, size: int) -> Tensor:
    """scatter_reduce with amax."""
    return _scatter_extremum(values, index, size, "amax")


def scatter_min(values: Tensor, index: Tensor, size: int) -> Tensor:
    """scatter_reduce with amin."""
    return _scatter_extremum(values, index, size, "amin")


def _scatter_extremum(values: Tensor, index: Tensor, size: int, reduce: str) -> Tensor:
    """The largest or smallest value that goes to each place."""
    zeros = values.new_zeros((size, *values.shape[1:]))
    places = per_row(index, values).expand_as(values)
    return zeros.scatter_reduce_(0, places, values, reduce, include_self=False)
