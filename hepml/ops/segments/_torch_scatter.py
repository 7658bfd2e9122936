"""Kernels of torch-scatter, where it is installed.

Its maximum and minimum are meant for finite values: NaN is skipped, and segments of -inf alone give
the lowest finite number. Where there are such values, torch finds them.
"""

from typing import Any, cast

import torch
from torch import Tensor

from hepml.ops._kernel import import_failure
from hepml.ops.segments import _torch
from hepml.ops.segments._reference import widened

_INSTALL = "pip install torch-scatter --no-build-isolation"
_GATHERED = (
    *(torch.float32, torch.float64, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
)


def why_not(values: Tensor, *_: Any) -> list[str]:
    """Why torch-scatter cannot take these values; empty if it can."""
    if failure := import_failure("torch-scatter", _INSTALL):
        return [failure]
    if values.device.type == "cuda" and torch.ops.torch_scatter.cuda_version() == -1:
        return ["torch-scatter was built without CUDA"]
    if values.device.type not in ("cpu", "cuda"):
        return [f"torch-scatter does not know the device {values.device.type}"]
    if values.dtype not in _GATHERED:
        return [f"torch-scatter does not take {values.dtype}"]
    return []


def segment_sum(values: Tensor, offsets: Tensor) -> Tensor:
    """segment_csr."""
    return _reduced("sum", values, offsets)


def segment_mean(values: Tensor, offsets: Tensor) -> Tensor:
    """segment_csr."""
    return _reduced("mean", values, offsets)


def segment_max(values: Tensor, offsets: Tensor) -> Tensor:
    """segment_csr."""
    return _reduced("max", values, offsets)


def segment_min(values: Tensor, offsets: Tensor) -> Tensor:
    """segment_csr."""
    return _reduced("min", values, offsets)


def _reduced(reduce: str, values: Tensor, offsets: Tensor) -> Tensor:
    """A reduction over segments, in float32 for half precision."""
    from torch_scatter import segment_csr

    if _beyond(reduce, values):
        return cast(Tensor, getattr(_torch, f"segment_{reduce}")(values, offsets))
    reduced: Tensor = segment_csr(widened(values), offsets, reduce=reduce)
    return reduced.to(values.dtype)


def _beyond(reduce: str, values: Tensor) -> bool:
    """Whether there are values that its maximum or minimum is not meant for."""
    if reduce not in ("max", "min"):
        return False
    infinite = values.isneginf() if reduce == "max" else values.isposinf()
    return bool((values.isnan() | infinite).any())


def segment_gather(rows: Tensor, offsets: Tensor, items: int) -> Tensor:
    """gather_csr."""
    from torch_scatter import gather_csr

    # Without a place for the result, a GPU would have to report the last offset first.
    out = rows.new_empty((items, *rows.shape[1:]))
    gather_csr(rows, offsets, out)
    return out


def segment_softmax(values: Tensor, offsets: Tensor) -> Tensor:
    """segment_csr and gather_csr, each twice."""
    exponential, total, _ = _shifted_exponential(values, offsets)
    total.masked_fill_(total == 0, 1)
    return exponential.div_(segment_gather(total, offsets, values.shape[0])).to(values.dtype)


def segment_logsumexp(values: Tensor, offsets: Tensor) -> Tensor:
    """segment_csr twice, gather_csr once."""
    _, total, shift = _shifted_exponential(values, offsets)
    # inf - inf is not a number.
    return total.log_().add_(shift).masked_fill_(shift == torch.inf, torch.inf).to(values.dtype)


def _shifted_exponential(values: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """exp(values - shift), its sums, and the shift of each segment, which is its largest value."""
    wide = widened(values)
    shift = segment_max(wide, offsets)
    # A segment of -inf alone has nothing to shift by, and -inf - -inf is not a number.
    shift.masked_fill_(shift == -torch.inf, 0)
    exponential = torch.sub(wide, segment_gather(shift, offsets, values.shape[0])).exp_()
    return exponential, segment_sum(exponential, offsets), shift


def scatter_sum(values: Tensor, index: Tensor, size: int) -> Tensor:
    """scatter."""
    return _scattered("sum", values, index, size)


def scatter_mean(values: Tensor, index: Tensor, size: int) -> Tensor:
    """scatter."""
    return _scattered("mean", values, index, size)


def scatter_max(values: Tensor, index: Tensor, size: int) -> Tensor:
    """scatter."""
    return _scattered("max", values, index, size)


def scatter_min(values: Tensor, index: Tensor, size: int) -> Tensor:
    """scatter."""
    return _scattered("min", values, index, size)


def _scattered(reduce: str, values: Tensor, index: Tensor, size: int) -> Tensor:
    """A reduction by index, in float32 for half precision."""
    from torch_scatter import scatter

    if _beyond(reduce, values):
        return cast(Tensor, getattr(_torch, f"scatter_{reduce}")(values, index, size))
    reduced: Tensor = scatter(widened(values), index, 0, dim_size=size, reduce=reduce)
    return reduced.to(values.dtype)
