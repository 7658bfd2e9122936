"""What a ParticleSet refuses, once, when it is made."""

import torch
from torch import Tensor

from hepml.errors import InputError
from hepml.ops import is_batched

# torch's narrower types hold numbers but do not compute.
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def is_dense(value: object, axes: int) -> bool:
    """Whether a value is a tensor of so many axes that holds each of its numbers in memory."""
    return (
        isinstance(value, Tensor)
        and not value.is_nested
        and value.layout == torch.strided
        and value.device.type != "meta"
        and value.dim() == axes
    )


def check_momenta(p4: Tensor) -> None:
    """Refuse anything but finite (particles, 4) in floating point."""
    if not is_dense(p4, 2) or p4.shape[1] != 4:
        raise InputError(
            "p4",
            expected="a tensor of shape (particles, 4) with rows (E, px, py, pz) in GeV",
            got=describe(p4),
            fix="stack energy, px, py, pz along the last axis, without padding",
        )
    if p4.dtype not in _FLOATS:
        raise InputError(
            "p4", expected="floating point", got=str(p4.dtype), fix="convert with .float()"
        )
    _check_finite("p4", p4)


def check_offsets(offsets: Tensor, p4: Tensor) -> None:
    """Refuse anything but int64 bounds from 0 to the number of particles."""
    fix = "pass the running sum of the numbers of particles, starting with 0"
    if isinstance(offsets, Tensor) and offsets.device != p4.device:
        raise InputError(
            "offsets", expected=f"device {p4.device}", got=str(offsets.device), fix="move it there"
        )
    if not is_dense(offsets, 1) or offsets.dtype != torch.int64:
        raise InputError(
            "offsets", expected="int64 of shape (sets + 1,)", got=describe(offsets), fix=fix
        )
    # Neighbours are compared: their difference may be beyond int64, and come out with either sign.
    if (
        offsets.shape[0] == 0
        or int(offsets[0]) != 0
        or int(offsets[-1]) != p4.shape[0]
        or bool((offsets[1:] < offsets[:-1]).any())
    ):
        raise InputError(
            "offsets",
            expected=f"bounds that start at 0, never fall and end at {p4.shape[0]}, "
            "the number of particles",
            got=describe(offsets) + f" {offsets[:8].tolist()}",
            fix=fix,
        )


def check_features(features: Tensor, p4: Tensor) -> None:
    """Refuse features that are not finite (particles, channels) beside the momenta."""
    if (
        not is_dense(features, 2)
        or features.shape[0] != p4.shape[0]
        or features.dtype != p4.dtype
        or features.device != p4.device
    ):
        raise InputError(
            "features",
            expected=f"{p4.dtype} of shape ({p4.shape[0]}, channels) on {p4.device}",
            got=describe(features),
            fix="give one row for each particle, with the dtype and device of p4",
        )
    _check_finite("features", features)


def check_per_set(name: str, tensor: Tensor | None, dimensions: int, sets: int, p4: Tensor) -> None:
    """Refuse an optional field whose first axis is not the sets."""
    if tensor is None:
        return
    # Context goes into the network beside the momenta; weights only into the loss.
    kind = {"context": str(p4.dtype), "weights": "floating point"}.get(name, "a tensor")
    if (
        not is_dense(tensor, dimensions)
        or tensor.shape[0] != sets
        or tensor.device != p4.device
        or (name == "context" and tensor.dtype != p4.dtype)
        or (name == "weights" and tensor.dtype not in _FLOATS)
    ):
        shape = f"({sets},)" if dimensions == 1 else f"({sets}, channels)"
        raise InputError(
            name,
            expected=f"{kind} of shape {shape} on {p4.device}",
            got=describe(tensor),
            fix="give one row for each set of the batch",
        )
    if tensor.is_floating_point():
        _check_finite(name, tensor)


def _check_finite(name: str, tensor: Tensor) -> None:
    """Refuse NaN and infinity, naming the first bad row; not in a batch of ``torch.func.vmap``."""
    if is_batched(tensor):
        return
    # The sum is finite unless a value is not: one pass without a temporary. It may overflow, so
    # that only a non-finite sum is followed by the exact test.
    if bool(tensor.detach().sum().isfinite()):
        return
    bad = (~tensor.detach().isfinite()).reshape(tensor.shape[0], -1).any(1).nonzero()
    if bad.numel():
        row = int(bad[0])
        raise InputError(
            name,
            expected="finite numbers",
            got=f"{tensor[row].tolist()} in row {row} ({bad.numel()} such rows)",
            fix="remove or repair these rows before making the batch",
        )


def describe(value: object) -> str:
    """A value's type, shape, dtype and device in few words."""
    if isinstance(value, Tensor) and value.is_nested:
        return f"a nested tensor of {value.size(0)} parts"
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)} on {value.device}"
    return f"{type(value).__name__} {value!r:.60}"
