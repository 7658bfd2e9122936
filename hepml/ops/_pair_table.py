"""The kernels of the pair operations, in order of preference."""

from typing import Any

import torch
from torch import Tensor

from hepml.ops import _native, _pair_native, _pair_reference, _pair_torch, _pair_triton
from hepml.ops._kernel import Kernel


def _why_not_onednn(values: Tensor, *_: Any) -> list[str]:
    """Why oneDNN cannot multiply these."""
    if values.device.type != "cpu":
        return [f"oneDNN is for the CPU, not {values.device.type}"]
    if values.dtype != torch.float32:
        return [f"it is for float32, not {values.dtype}"]
    if not torch._C._has_mkldnn:
        return ["this torch was built without oneDNN"]
    return []


PAIR_KERNELS = {
    "pair_messages": (
        Kernel("triton", "pair_messages", _pair_triton.pair_messages, 64.0, _pair_triton.why_not),
        Kernel(
            "native",
            "pair_messages",
            _pair_native.pair_messages,
            64.0,
            _pair_native.why_not,
        ),
        Kernel(
            "onednn",
            "pair_messages",
            _pair_torch.onednn_pair_messages,
            64.0,
            _why_not_onednn,
        ),
        Kernel("torch", "pair_messages", _pair_torch.torch_pair_messages, 64.0),
        Kernel("reference", "pair_messages", _pair_reference.pair_messages, 0.0),
    ),
    "pair_messages_backward": (
        Kernel(
            "triton",
            "pair_messages_backward",
            _pair_triton.pair_messages_backward,
            64.0,
            _pair_triton.why_not,
        ),
        Kernel(
            "native",
            "pair_messages_backward",
            _pair_native.pair_messages_backward,
            64.0,
            _pair_native.why_not,
        ),
        Kernel(
            "onednn",
            "pair_messages_backward",
            _pair_torch.onednn_pair_messages_backward,
            64.0,
            _why_not_onednn,
        ),
        Kernel("torch", "pair_messages_backward", _pair_torch.torch_pair_messages_backward, 64.0),
        Kernel("reference", "pair_messages_backward", _pair_reference.pair_messages_backward, 0.0),
    ),
    "pair_moments": (
        Kernel(
            "triton",
            "pair_moments",
            _pair_triton.pair_moments,
            4.0,
            _pair_triton.why_not_moments,
        ),
        Kernel("native", "pair_moments", _pair_native.pair_moments, 4.0, _native.why_not_here),
        Kernel("torch", "pair_moments", _pair_torch.pair_moments, 4.0),
        Kernel("reference", "pair_moments", _pair_reference.pair_moments, 0.0),
    ),
    "pair_moments_backward": (
        Kernel(
            "triton",
            "pair_moments_backward",
            _pair_triton.pair_moments_backward,
            4.0,
            _pair_triton.why_not_moments,
        ),
        Kernel(
            "native",
            "pair_moments_backward",
            _pair_native.pair_moments_backward,
            4.0,
            _native.why_not_here,
        ),
        Kernel("torch", "pair_moments_backward", _pair_torch.pair_moments_backward, 4.0),
        Kernel("reference", "pair_moments_backward", _pair_reference.pair_moments_backward, 0.0),
    ),
}
