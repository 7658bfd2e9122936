"""The pair operations as operators of torch: a value from the chosen kernel, a shape, a derivative.

A gradient that is to be differentiated again is that of the reference, which keeps all pairs.
"""

import functools
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from hepml.ops._bounds import check_bounds
from hepml.ops._kernel import ENVIRONMENT_VARIABLE, choose_kernel
from hepml.ops._transforms import is_transformed
from hepml.ops.native import _library
from hepml.ops.pairs import _reference
from hepml.ops.pairs._priority import PAIR_KERNELS


def _say_what_is_missing(values: Tensor) -> None:
    """Warn, once, where a C compiler would make the kernels that are three times as fast."""
    if values.device.type == "cpu" and values.dtype == torch.float32:
        for reason in _library.why_not_here(values):
            _warn_once(reason)


@functools.cache
def _warn_once(reason: str) -> None:
    """Warn about the first reason of this kind."""
    warnings.warn(
        "messages between pairs, of which LorentzNet is made, take about three times as long as "
        f"with kernels in C: {reason}. HEPML_KERNEL=onednn,torch,reference chooses these without "
        "a word.",
        stacklevel=2,
    )


def _define(operation: str, schema: str, shape: Callable[..., Any]) -> Any:
    """Register an operator without a derivative."""
    name = f"hepml::{operation}"

    def run(*arguments: Any) -> Any:
        kernel = choose_kernel(PAIR_KERNELS[operation], *arguments)
        if kernel.name in ("onednn", "torch") and not os.environ.get(ENVIRONMENT_VARIABLE):
            _say_what_is_missing(arguments[0])
        # The precision is that of the arguments; autocast would hold on this thread alone.
        with torch.autocast(arguments[0].device.type, enabled=False):
            return kernel.function(*arguments)

    torch.library.define(name, schema, tags=(torch.Tag.pt2_compliant_tag,))
    torch.library.impl(name, "default", run)
    torch.library.register_fake(name, shape)
    return getattr(torch.ops.hepml, operation).default


_MESSAGES = (
    "Tensor a, Tensor b, Tensor offsets, Tensor p4, Tensor invariants, "
    "Tensor[] layers, Tensor[] gate, Tensor[] step"
)
_MOMENTS = "Tensor p4, Tensor offsets"


def _shape_of_messages(
    a: Tensor, _b: Tensor, _offsets: Tensor, p4: Tensor, _w: Tensor, layers: list[Tensor], *_: Any
) -> tuple[Tensor, Tensor]:
    channels = layers[-2].shape[0] if layers else a.shape[1]
    return a.new_empty(a.shape[0], channels), p4.new_empty(p4.shape)


def _shapes_of_gradients(
    _r: Tensor, _m: Tensor, a: Tensor, b: Tensor, _o: Tensor, p4: Tensor, w: Tensor, *lists: Any
) -> list[Tensor]:
    return [t.new_empty(t.shape) for t in (a, b, p4, w, *(t for each in lists for t in each))]


def _shape_of_moments(p4: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
    double = torch.float64
    return p4.new_empty(p4.shape[0], 2, dtype=double), p4.new_empty(2, 2, dtype=double)


_messages = _define("pair_messages", f"({_MESSAGES}) -> (Tensor, Tensor)", _shape_of_messages)
_messages_backward = _define(
    "pair_messages_backward",
    f"(Tensor d_received, Tensor d_moved, {_MESSAGES}) -> Tensor[]",
    _shapes_of_gradients,
)
_moments = _define("pair_moments", f"({_MOMENTS}) -> (Tensor, Tensor)", _shape_of_moments)
_moments_backward = _define(
    "pair_moments_backward",
    f"(Tensor d_sums, Tensor d_squares, {_MOMENTS}) -> Tensor",
    lambda _s, _q, p4, _o: torch.empty_like(p4),
)


def _keep_arguments(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG001
    """Keep all arguments."""
    *tensors, layers, gate, step = inputs
    ctx.lengths = [len(tensors), len(layers), len(gate), len(step)]
    ctx.save_for_backward(*tensors, *layers, *gate, *step)


def _backward(reference: Callable[..., Any], operator: Callable[..., Any], grad: Tensor) -> Any:
    """The derivative to take: that of the reference, where somebody differentiates it again."""
    return reference if torch.is_grad_enabled() or is_transformed(grad) else operator


def _messages_derivative(ctx: Any, d_received: Tensor, d_moved: Tensor) -> Any:
    saved = iter(ctx.saved_tensors)
    tensors, *lists = ([next(saved) for _ in range(length)] for length in ctx.lengths)
    backward = _backward(_reference.pair_messages_backward, _messages_backward, d_received)
    gradients = iter(backward(d_received, d_moved, *tensors, *lists))
    d_a, d_b, d_p4, d_invariants = (next(gradients) for _ in range(4))
    return d_a, d_b, None, d_p4, d_invariants, *([next(gradients) for _ in each] for each in lists)


def _keep_place(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG001
    """Keep momenta and offsets."""
    ctx.save_for_backward(*inputs)


def _moments_derivative(ctx: Any, d_sums: Tensor, d_squares: Tensor) -> Any:
    backward = _backward(_reference.pair_moments_backward, _moments_backward, d_sums)
    return backward(d_sums, d_squares, *ctx.saved_tensors), None


torch.library.register_autograd(
    "hepml::pair_messages", _messages_derivative, setup_context=_keep_arguments
)
torch.library.register_autograd(
    "hepml::pair_moments", _moments_derivative, setup_context=_keep_place
)


def _apply(
    operator: Callable[..., Any],
    reference: Callable[..., Any],
    arguments: Sequence[Any],
    offsets: Tensor,
) -> tuple[Tensor, Tensor]:
    """The operator; its reference where plain operations of torch are needed."""
    values = arguments[0]
    # Not on a GPU: to look at the bounds would be to wait for it.
    if offsets.device.type == "cpu" and not torch.compiler.is_compiling():
        check_bounds(offsets, values.shape[0])
    # An exported program must run without hepml.
    plain = torch.compiler.is_exporting() or is_transformed(values)
    result: tuple[Tensor, Tensor] = (reference if plain else operator)(*arguments)
    return result


def pair_messages(*arguments: Any) -> tuple[Tensor, Tensor]:
    """The operator, or its reference."""
    return _apply(_messages, _reference.pair_messages, arguments, arguments[2])


def pair_moments(*arguments: Any) -> tuple[Tensor, Tensor]:
    """The operator, or its reference."""
    return _apply(_moments, _reference.pair_moments, arguments, arguments[1])
