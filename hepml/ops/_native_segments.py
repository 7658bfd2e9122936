"""Segment operations in C: one pass over the rows for each step, shared equally by the threads."""

import ctypes
from collections.abc import Callable

import torch
from torch import Tensor

from hepml.ops import _native

# The numbers of the operations in the source.
_SUM, _MAX, _MIN, _EXPONENTIALS, _TIES, _PRODUCTS = range(6)
_GATHER, _SOFTMAX, _SHARE_TIES, _SOFTMAX_BACKWARD, _SHARE_EXPONENTIALS = range(5)
# To start a thread takes as long as it takes to go through so many numbers.
_NUMBERS_PER_THREAD = 1 << 15


class _Arguments(ctypes.Structure):
    """What the library reads and writes, in its order."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("operation", "segments", "channels", "threads")),
        *((name, ctypes.c_void_p) for name in ("offsets", "x", "y", "row", "other", "out")),
    )


def segment_sum(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass in C."""
    return _reduce(_SUM, offsets, values)


def segment_mean(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass in C, then divided by the counts."""
    total = segment_sum(values, offsets)
    return total.div_(offsets.diff().clamp_(min=1).reshape(-1, *[1] * (values.dim() - 1)))


def segment_max(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass in C."""
    return _reduce(_MAX, offsets, values)


def segment_min(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass in C."""
    return _reduce(_MIN, offsets, values)


def segment_softmax(values: Tensor, offsets: Tensor) -> Tensor:
    """Three passes in C."""
    total, shift = _exponentials(values, offsets)
    return _map(_SOFTMAX, offsets, values, row=shift, other=total.masked_fill_(total == 0, 1))


def segment_logsumexp(values: Tensor, offsets: Tensor) -> Tensor:
    """Two passes in C."""
    total, shift = _exponentials(values, offsets)
    return total.log_().add_(shift)


def segment_gather(rows: Tensor, offsets: Tensor, items: int) -> Tensor:
    """One pass in C."""
    out = rows.new_empty((items, *rows.shape[1:]))
    return _map(_GATHER, offsets, out, row=rows)


def extremum_backward(grad: Tensor, values: Tensor, extremum: Tensor, offsets: Tensor) -> Tensor:
    """The gradient of the largest or smallest value, in equal shares to those that tie."""
    ties = _reduce(_TIES, offsets, values, row=extremum)
    return _map(_SHARE_TIES, offsets, values, row=extremum, other=grad / ties.clamp_(min=1))


def softmax_backward(grad: Tensor, softmax: Tensor, offsets: Tensor) -> Tensor:
    """``softmax (grad - sum(softmax grad))``."""
    total = _reduce(_PRODUCTS, offsets, softmax, grad)
    return _map(_SOFTMAX_BACKWARD, offsets, softmax, grad, row=total)


def logsumexp_backward(grad: Tensor, values: Tensor, result: Tensor, offsets: Tensor) -> Tensor:
    """``grad exp(values - result)``; 0 in a segment of -inf alone."""
    shift = result.masked_fill(result == -torch.inf, 0)
    return _map(_SHARE_EXPONENTIALS, offsets, values, row=shift, other=grad)


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
    with_rows = _native.library().hepml_segment_reduce
    if _call(with_rows, operation, out, offsets, x, x=x, y=y, row=row):
        raise MemoryError("segments: no memory for a row of each thread")
    return out


def _map(
    operation: int,
    offsets: Tensor,
    x: Tensor,
    y: Tensor | None = None,
    row: Tensor | None = None,
    other: Tensor | None = None,
) -> Tensor:
    """A row for each row."""
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    with_rows = _native.library().hepml_segment_map
    _call(with_rows, operation, out, offsets, x, x=x, y=y, row=row, other=other)
    return out


def _call(
    function: Callable[..., int],
    operation: int,
    out: Tensor,
    offsets: Tensor,
    rows: Tensor,
    **tensors: Tensor | None,
) -> int:
    """Call the library."""
    if rows.numel() == 0:
        return 0
    # Not left to the collector before the library has read them.
    kept = {name: None if x is None else x.contiguous() for name, x in tensors.items()}
    offsets = offsets.contiguous()
    call = _Arguments(
        operation=operation,
        segments=offsets.shape[0] - 1,
        channels=rows.numel() // rows.shape[0],
        threads=max(1, min(torch.get_num_threads(), rows.numel() // _NUMBERS_PER_THREAD)),
        offsets=offsets.data_ptr(),
        out=out.data_ptr(),
        **{name: _native.pointer(x) for name, x in kept.items()},
    )
    return function(ctypes.byref(call))
