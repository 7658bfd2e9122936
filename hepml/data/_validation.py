"""What a ParticleSet refuses, once, when it is made."""

import torch
from torch import Tensor

from hepml.errors import InputError
from hepml.ops import is_batched

# torch's narrower types hold numbers but do not compute.
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


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
    if p4.dtype not in FLOATS:
        raise InputError(
            "p4", expected="floating point", got=str(p4.dtype), fix="convert with .float()"
        )
    check_finite("p4", p4)


def check_offsets(
    offsets: Tensor, items: Tensor, noun: str = "particles", name: str = "offsets"
) -> None:
    """Refuse anything but int64 bounds from 0 to the number of items."""
    fix = f"pass the running sum of the numbers of {noun}, starting with 0"
    if isinstance(offsets, Tensor) and offsets.device != items.device:
        raise InputError(
            name, expected=f"device {items.device}", got=str(offsets.device), fix="move it there"
        )
    if not is_dense(offsets, 1) or offsets.dtype != torch.int64:
        raise InputError(
            name, expected="int64 of shape (sets + 1,)", got=describe(offsets), fix=fix
        )
    # Neighbours are compared: their difference may be beyond int64, and come out with either sign.
    falls = offsets[1:] < offsets[:-1]
    if (
        offsets.shape[0] == 0
        or int(offsets[0]) != 0
        or int(offsets[-1]) != items.shape[0]
        or bool(falls.any())
    ):
        where = f", falling after set {int(falls.nonzero()[0])}" if bool(falls.any()) else ""
        raise InputError(
            name,
            expected=f"bounds that start at 0, never fall and end at {items.shape[0]}, "
            f"the number of {noun}",
            got=describe(offsets) + f" {offsets[:8].tolist()}{where}",
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
    check_finite("features", features)


def check_values(
    name: str,
    tensor: Tensor | None,
    dimensions: int,
    size: int,
    item: str,
    beside: Tensor,
    kind: torch.dtype | str = "a tensor",
) -> None:
    """Refuse an optional field that has not a row for each of so many items, on the device."""
    if tensor is None:
        return
    if (
        not is_dense(tensor, dimensions)
        or tensor.shape[0] != size
        or tensor.device != beside.device
        or (isinstance(kind, torch.dtype) and tensor.dtype != kind)
        or (kind == "floating point" and tensor.dtype not in FLOATS)
    ):
        shape = f"({size},)" if dimensions == 1 else f"({size}, channels)"
        raise InputError(
            name,
            expected=f"{kind} of shape {shape} on {beside.device}",
            got=describe(tensor),
            fix=f"give one row for each {item} of the batch",
        )
    if tensor.is_floating_point():
        check_finite(name, tensor)


def check_finite(name: str, tensor: Tensor) -> None:
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
