"""Segment operations in C: one pass over the rows for each step, shared equally by the threads."""

from collections.abc import Callable

import torch
from torch import Tensor

from hepml.errors import InputError
from hepml.ops.native import _library

# The numbers of the operations in the source.
_SUM, _MAX, _MIN, _EXPONENTIALS, _TIES, _PRODUCTS, _MEAN = range(7)
_GATHER, _SOFTMAX, _SHARE_TIES, _SOFTMAX_BACKWARD, _SHARE_EXPONENTIALS, _SHARE = range(6)
_KINDS = {torch.float32: "float", torch.float64: "double"}
# To start a thread takes as long as it takes to go through so many numbers.
_NUMBERS_PER_THREAD = 1 << 15


def segment_sum(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass in C."""
    return _reduce(_SUM, offsets, values)


def segment_mean(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass in C, then divided by the counts."""
    return _reduce(_MEAN, offsets, values)


def segment_max(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass in C."""
    return _reduce(_MAX, offsets, values)


def segment_min(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass in C."""
    return _reduce(_MIN, offsets, values)


def segment_softmax(values: Tensor, offsets: Tensor) -> Tensor:
    """Three passes in C."""
    total, shift = _exponentials(values, offsets)
    total.masked_fill_(total == 0, 1)
    return _map(_SOFTMAX, offsets, values, items=values.shape[0], row=shift, other=total)


def segment_logsumexp(values: Tensor, offsets: Tensor) -> Tensor:
    """Two passes in C."""
    total, shift = _exponentials(values, offsets)
    # inf - inf is not a number.
    return total.log_().add_(shift).masked_fill_(shift == torch.inf, torch.inf)


def segment_gather(rows: Tensor, offsets: Tensor, items: int) -> Tensor:
    """One pass in C."""
    return _map(_GATHER, offsets, items=items, row=rows)


def mean_backward(grad: Tensor, offsets: Tensor, items: int) -> Tensor:
    """The gradient of the mean: divided by the counts."""
    return _map(_SHARE, offsets, items=items, row=grad)


def extremum_backward(grad: Tensor, values: Tensor, extremum: Tensor, offsets: Tensor) -> Tensor:
    """The gradient of the largest or smallest value, in equal shares to those that tie."""
    ties = _reduce(_TIES, offsets, values, row=extremum)
    share = grad / ties.clamp_(min=1)
    items = values.shape[0]
    return _map(_SHARE_TIES, offsets, values, items=items, row=extremum, other=share)


def softmax_backward(grad: Tensor, softmax: Tensor, offsets: Tensor) -> Tensor:
    """``softmax (grad - sum(softmax grad))``."""
    total = _reduce(_PRODUCTS, offsets, softmax, grad)
    return _map(_SOFTMAX_BACKWARD, offsets, softmax, grad, items=grad.shape[0], row=total)


def logsumexp_backward(grad: Tensor, values: Tensor, result: Tensor, offsets: Tensor) -> Tensor:
    """``grad exp(values - result)``; 0 in a segment of -inf alone."""
    shift = result.masked_fill(result == -torch.inf, 0)
    items = values.shape[0]
    return _map(_SHARE_EXPONENTIALS, offsets, values, items=items, row=shift, other=grad)


def _exponentials(values: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of exp(values - shift) over each segment, and its shift, the largest value."""
    shift = segment_max(values, offsets)
    # A segment of -inf alone has nothing to shift by, and -inf - -inf is not a number.
    shift.masked_fill_(shift == -torch.inf, 0)
    return _reduce(_EXPONENTIALS, offsets, values, row=shift), shift


def _reduce(
    operation: int, offsets: Tensor, x: Tensor, y: Tensor | None = None, row: Tensor | None = None
) -> Tensor:
    """A row for each segment; 0 for an empty one."""
    out = x.new_zeros((offsets.shape[0] - 1, *x.shape[1:]))
    if _call("hepml_segment_reduce", operation, offsets, out, x, x, y, row):
        raise MemoryError("segments: no memory for a row of each thread")
    return out


def _map(
    operation: int,
    offsets: Tensor,
    x: Tensor | None = None,
    y: Tensor | None = None,
    *,
    items: int,
    row: Tensor,
    other: Tensor | None = None,
) -> Tensor:
    """A row for each row."""
    out = row.new_empty((items, *row.shape[1:]))
    _call("hepml_segment_map", operation, offsets, out, out, x, y, row, other)
    return out


def _call(
    name: str,
    operation: int,
    offsets: Tensor,
    out: Tensor,
    rows: Tensor,
    *tensors: Tensor | None,
) -> int:
    """Call the library, on as many threads as these rows are worth."""
    numbers = rows.numel()
    if numbers == 0:
        return 0
    if any(x is not None and x.dtype != out.dtype for x in tensors) or out.dtype not in _KINDS:
        # Hooks on saved tensors can bring this about.
        raise InputError(
            "numbers of segments",
            expected="float32 or float64 for all of them",
            got=", ".join(str(x.dtype) for x in (*tensors, out) if x is not None),
            fix="leave the dtype of saved tensors as it was",
        )
    # Kept until the library has read them.
    kept = [None if x is None else _library.plain(x) for x in (offsets, *tensors)]
    addresses = map(_library.address, kept)
    threads = max(1, min(torch.get_num_threads(), numbers // _NUMBERS_PER_THREAD))
    channels = numbers // rows.shape[0]
    segments = offsets.shape[0] - 1
    function: Callable[..., int] = getattr(_library.library(), f"{name}_{_KINDS[out.dtype]}")
    return function(operation, segments, channels, threads, *addresses, out.data_ptr())
