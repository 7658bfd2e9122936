"""The operations as operators of torch: a value from the chosen kernel, a shape, a derivative.

The derivatives are written with the operators themselves, so they can be differentiated again and
run on the chosen kernels. To the compiler an operator is one node of known shape, whatever runs.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from hepml.ops._bounds import check_bounds, check_index
from hepml.ops._kernel import choose_kernel
from hepml.ops._transforms import is_transformed
from hepml.ops.segments import _native, _reference, _torch
from hepml.ops.segments._priority import KERNELS
from hepml.ops.segments._reference import per_row, widened


def _operator(
    operation: str,
    arguments: str,
    shape: Callable[..., Tensor],
    keep: Callable[..., None],
    backward: Callable[..., Any],
) -> Callable[..., Tensor]:
    """Register an operator: its schema, its shape, what it keeps for the backward pass, and this.

    torch.library.custom_op would do the same, but its first call imports the compiler: 2.5 s, for
    many who only want to score a file. Where nobody traces, autograd alone is called: an operator
    written in Python costs 10 to 20 microseconds more, as much as a small batch itself.
    """
    name = f"hepml::{operation}"
    reference = getattr(_reference, operation)

    def check(values: Tensor, place: Tensor, *size: int) -> None:
        if not operation.startswith("segment"):
            check_index(place, *size)
        # Not on a GPU: to look at the numbers would be to wait for it.
        elif place.device.type == "cpu":
            check_bounds(place, size[0] if size else values.shape[0])

    def run(values: Tensor, place: Tensor, *size: int) -> Tensor:
        check(values, place, *size)
        if values.numel() == 0:
            # What an operation gives for nothing, the reference alone has to know.
            return cast(Tensor, reference(values, place, *size))
        kernel = choose_kernel(KERNELS[operation], values, place, *size)
        return cast(Tensor, kernel.function(values, place, *size))

    torch.library.define(name, f"({arguments}) -> Tensor", tags=(torch.Tag.pt2_compliant_tag,))
    torch.library.impl(name, "default", run)
    torch.library.register_fake(name, shape)
    torch.library.register_autograd(name, backward, setup_context=keep)
    operator = getattr(torch.ops.hepml, operation).default

    class Recorded(torch.autograd.Function):
        """The operator for autograd alone."""

        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Tensor:
            result = run(*inputs)
            keep(ctx, inputs, result)
            return result

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return backward(ctx, *grads)

    def call(*inputs: Any) -> Tensor:
        values = inputs[0]
        if is_transformed(values):
            if not torch.compiler.is_compiling():
                check(*inputs)
            return cast(Tensor, reference(*inputs))
        if not _traced(values):
            return cast(Tensor, (Recorded.apply if values.requires_grad else run)(*inputs))
        if torch.compiler.is_exporting():
            # An exported program must run where hepml is not installed, and convert to ONNX.
            return cast(Tensor, reference(*inputs))
        return cast(Tensor, operator(*inputs))

    return call


def _traced(values: Tensor) -> bool:
    """Whether somebody else than autograd looks on: a compiler, a mode, a subclass."""
    return (
        torch.compiler.is_compiling()
        or type(values) not in (Tensor, torch.nn.Parameter)
        or torch._C._len_torch_dispatch_stack() > 0
    )


def _row_per_segment(values: Tensor, offsets: Tensor) -> Tensor:
    return values.new_empty((offsets.shape[0] - 1, *values.shape[1:]))


def _row_per_item(values: Tensor, _: Tensor) -> Tensor:
    return values.new_empty(values.shape)


def _rows(values: Tensor, _: Tensor, number: int) -> Tensor:
    return values.new_empty((number, *values.shape[1:]))


def _keep_place(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ARG001
    """Keep offsets or index, and the number of items."""
    ctx.save_for_backward(inputs[1])
    ctx.items = inputs[0].shape[0]


def _keep_result(ctx: Any, inputs: Any, output: Tensor) -> None:
    """Keep offsets and the result."""
    ctx.save_for_backward(inputs[1], output)


def _keep_values(ctx: Any, inputs: Any, output: Tensor) -> None:
    """Keep values, offsets or index, and the result."""
    ctx.save_for_backward(inputs[0], inputs[1], output)


def _once(grad: Tensor) -> bool:
    """Whether nobody differentiates this derivative again, or looks on."""
    return not (torch.is_grad_enabled() or is_transformed(grad) or _traced(grad))


def _natively(grad: Tensor) -> bool:
    """Whether a derivative has a kernel of its own for this: where the values have one."""
    return _once(grad) and choose_kernel(KERNELS["segment_sum"], grad).name == "native"


def _segment_sum_backward(ctx: Any, grad: Tensor) -> Any:
    (offsets,) = ctx.saved_tensors
    return segment_gather(grad, offsets, ctx.items), None


def _segment_gather_backward(ctx: Any, grad: Tensor) -> Any:
    (offsets,) = ctx.saved_tensors
    return segment_sum(grad, offsets), None, None


def _segment_mean_backward(ctx: Any, grad: Tensor) -> Any:
    (offsets,) = ctx.saved_tensors
    if _natively(grad):
        return _native.mean_backward(grad, offsets, ctx.items), None
    share = grad / per_row(offsets.diff().clamp(min=1), grad)
    return segment_gather(share, offsets, ctx.items), None


def _segment_extremum_backward(ctx: Any, grad: Tensor) -> Any:
    """Each of the items that tie for the extremum gets the same share of the gradient."""
    values, offsets, extremum = ctx.saved_tensors
    if _natively(grad):
        return _native.extremum_backward(grad, values, extremum, offsets), None
    if values.device.type == "cpu" and values.numel() and _once(grad):
        return _torch.share_among_ties(grad, values, extremum, offsets), None
    items = values.shape[0]
    hit = widened((values == segment_gather(extremum, offsets, items)).to(values.dtype))
    share = widened(grad) / segment_sum(hit, offsets).clamp(min=1)
    return (hit * segment_gather(share, offsets, items)).to(grad.dtype), None


def _segment_softmax_backward(ctx: Any, grad: Tensor) -> Any:
    offsets, softmax = ctx.saved_tensors
    if _natively(grad):
        return _native.softmax_backward(grad, softmax, offsets), None
    weighted = widened(grad) * widened(softmax)
    total = segment_gather(segment_sum(weighted, offsets), offsets, grad.shape[0])
    return (weighted - widened(softmax) * total).to(grad.dtype), None


def _segment_logsumexp_backward(ctx: Any, grad: Tensor) -> Any:
    values, offsets, result = ctx.saved_tensors
    if _natively(grad):
        return _native.logsumexp_backward(grad, values, result, offsets), None
    items = values.shape[0]
    if widened(values) is values:
        shift = result.masked_fill(result == -torch.inf, 0)
        softmax = (values - segment_gather(shift, offsets, items)).exp()
    else:  # the result is rounded too coarsely
        softmax = segment_softmax(values, offsets)
    return segment_gather(grad, offsets, items) * softmax, None


def _scatter_sum_backward(ctx: Any, grad: Tensor) -> Any:
    (index,) = ctx.saved_tensors
    return grad.index_select(0, index), None, None


def _scatter_mean_backward(ctx: Any, grad: Tensor) -> Any:
    (index,) = ctx.saved_tensors
    ones = widened(grad).new_ones(ctx.items)
    counts = scatter_sum(ones, index, grad.shape[0]).clamp(min=1)
    share = (widened(grad) / per_row(counts, grad)).to(grad.dtype)
    return share.index_select(0, index), None, None


def _scatter_extremum_backward(ctx: Any, grad: Tensor) -> Any:
    """Each of the items that tie for the extremum gets the same share of the gradient."""
    values, index, extremum = ctx.saved_tensors
    hit = widened((values == extremum.index_select(0, index)).to(values.dtype))
    share = widened(grad) / scatter_sum(hit, index, grad.shape[0]).clamp(min=1)
    return (hit * share.index_select(0, index)).to(grad.dtype), None, None


_SEGMENTS = "Tensor values, Tensor offsets"
_PLACES = "Tensor values, Tensor index, SymInt size"

segment_sum = _operator(
    "segment_sum", _SEGMENTS, _row_per_segment, _keep_place, _segment_sum_backward
)
segment_mean = _operator(
    "segment_mean", _SEGMENTS, _row_per_segment, _keep_place, _segment_mean_backward
)
segment_max = _operator(
    "segment_max", _SEGMENTS, _row_per_segment, _keep_values, _segment_extremum_backward
)
segment_min = _operator(
    "segment_min", _SEGMENTS, _row_per_segment, _keep_values, _segment_extremum_backward
)
segment_softmax = _operator(
    "segment_softmax", _SEGMENTS, _row_per_item, _keep_result, _segment_softmax_backward
)
segment_logsumexp = _operator(
    "segment_logsumexp", _SEGMENTS, _row_per_segment, _keep_values, _segment_logsumexp_backward
)
segment_gather = _operator(
    "segment_gather",
    "Tensor rows, Tensor offsets, SymInt items",
    _rows,
    _keep_place,
    _segment_gather_backward,
)
scatter_sum = _operator("scatter_sum", _PLACES, _rows, _keep_place, _scatter_sum_backward)
scatter_mean = _operator("scatter_mean", _PLACES, _rows, _keep_place, _scatter_mean_backward)
scatter_max = _operator("scatter_max", _PLACES, _rows, _keep_values, _scatter_extremum_backward)
scatter_min = _operator("scatter_min", _PLACES, _rows, _keep_values, _scatter_extremum_backward)
