"""The kernels of the pair operations, in order of preference."""

from typing import Any

import torch
from torch import Tensor

from hepml.ops._kernel import Kernel
from hepml.ops.native import _library
from hepml.ops.pairs import _native, _reference, _torch
from hepml.ops.pairs.triton import _launch


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
        Kernel("triton", "pair_messages", _launch.pair_messages, 64.0, _launch.why_not),
        Kernel(
            "native",
            "pair_messages",
            _native.pair_messages,
            64.0,
            _native.why_not,
        ),
        Kernel(
            "onednn",
            "pair_messages",
            _torch.onednn_pair_messages,
            64.0,
            _why_not_onednn,
        ),
        Kernel("torch", "pair_messages", _torch.torch_pair_messages, 64.0),
        Kernel("reference", "pair_messages", _reference.pair_messages, 0.0),
    ),
    "pair_messages_backward": (
        Kernel(
            "triton",
            "pair_messages_backward",
            _launch.pair_messages_backward,
            64.0,
            _launch.why_not,
        ),
        Kernel(
            "native",
            "pair_messages_backward",
            _native.pair_messages_backward,
            64.0,
            _native.why_not,
        ),
        Kernel(
            "onednn",
            "pair_messages_backward",
            _torch.onednn_pair_messages_backward,
            64.0,
            _why_not_onednn,
        ),
        Kernel("torch", "pair_messages_backward", _torch.torch_pair_messages_backward, 64.0),
        Kernel("reference", "pair_messages_backward", _reference.pair_messages_backward, 0.0),
    ),
    "pair_moments": (
        Kernel(
            "triton",
            "pair_moments",
            _launch.pair_moments,
            4.0,
            _launch.why_not_moments,
        ),
        Kernel("native", "pair_moments", _native.pair_moments, 4.0, _library.why_not_here),
        Kernel("torch", "pair_moments", _torch.pair_moments, 4.0),
        Kernel("reference", "pair_moments", _reference.pair_moments, 0.0),
    ),
    "pair_moments_backward": (
        Kernel(
            "triton",
            "pair_moments_backward",
            _launch.pair_moments_backward,
            4.0,
            _launch.why_not_moments,
        ),
        Kernel(
            "native",
            "pair_moments_backward",
            _native.pair_moments_backward,
            4.0,
            _library.why_not_here,
        ),
        Kernel("torch", "pair_moments_backward", _torch.pair_moments_backward, 4.0),
        Kernel("reference", "pair_moments_backward", _reference.pair_moments_backward, 0.0),
    ),
}
