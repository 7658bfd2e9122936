"""Bounds of sets and segments: where they are none, a kernel would read foreign memory."""

import torch
from torch import Tensor

from hepml.errors import InputError
from hepml.ops import _native
from hepml.ops._transforms import check_unbatched


def check_bounds(offsets: Tensor, items: int) -> None:
    """Refuse what does not go from 0 to the number of items, or falls."""
    if _native.bounds_hold(offsets, items):
        return
    check_unbatched(offsets)
    first, *_, last = offsets[:: max(1, offsets.shape[0] - 1)].tolist() * 2
    # Neighbours, and not their difference, which may overflow.
    falling = bool((offsets[1:] < offsets[:-1]).any())
    if first != 0 or last != items or falling:
        raise InputError(
            "offsets",
            expected=f"bounds from 0 to {items}, the number of items, never falling",
            got=f"bounds from {first} to {last}" + ", falling in between" * falling,
            fix="pass the offsets of the batch to which the items belong",
        )


def check_offsets(offsets: Tensor, values: Tensor) -> None:
    """Refuse offsets of another kind than int64 beside the values."""
    if offsets.dtype != torch.int64 or offsets.dim() != 1 or offsets.shape[0] == 0:
        raise InputError(
            "offsets",
            expected="int64 of shape (segments + 1,)",
            got=f"{offsets.dtype} of shape {tuple(offsets.shape)}",
            fix="pass the running sum of the lengths, starting with 0",
        )
    if offsets.device != values.device:
        raise InputError(
            "offsets",
            expected=f"device {values.device}, where the values are",
            got=str(offsets.device),
            fix="move one of them",
        )
