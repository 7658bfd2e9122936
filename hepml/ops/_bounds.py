"""Bounds of sets and segments: where they are none, a kernel would read foreign memory."""

import operator
from typing import cast

import torch
from jaxtyping import Int64
from torch import Tensor

from hepml.errors import InputError, RangeError
from hepml.ops._arguments import check_size, described, is_dense
from hepml.ops._transforms import check_unbatched, is_wrapped
from hepml.ops.native import _library


def check_bounds(offsets: Tensor, items: int) -> None:
    """Refuse what does not go from 0 to the number of items, or falls."""
    if _library.bounds_hold(offsets, items):
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


def check_index(index: Int64[Tensor, " items"], size: int) -> None:
    """Refuse places that are not among so many.

    Parameters
    ----------
    index
        Places, from 0 to ``size - 1``.
    size
        The number of places.

    Raises
    ------
    InputError
        If the index is not int64 of one axis, or (checked on the CPU alone) a place is not one of
        these; this is an IndexError, too.

    Examples
    --------
    >>> check_index(torch.tensor([2, 0, 2]), 3)
    """
    check_size("size", size)
    if not is_dense(index) or index.dtype != torch.int64 or index.dim() != 1:
        raise InputError(
            "index",
            expected="int64 of one axis",
            got=described(index),
            fix="give the place of each item",
        )
    # To look at the numbers of a GPU would be to wait for it.
    if index.device.type != "cpu" or torch.compiler.is_compiling():
        return
    size = operator.index(size)
    # Where torch.func looks on, torch itself refuses them.
    if index.shape[0] == 0 or is_wrapped(index) or _library.index_holds(index, size):
        return
    low, high = (int(bound) for bound in index.aminmax())
    if low < 0 or high >= size:
        raise RangeError(
            "index",
            expected=f"places from 0 to {size - 1}, of {size}",
            got=f"places from {low} to {high}",
            fix="pass the number of places as size, and the place of each item as index",
        )


def check_offsets(offsets: Tensor, values: Tensor) -> None:
    """Refuse offsets of another kind than int64 beside the values."""
    if (
        not is_dense(offsets)
        or offsets.dtype != torch.int64
        or offsets.dim() != 1
        or offsets.shape[0] == 0
    ):
        raise InputError(
            "offsets",
            expected="int64 of shape (segments + 1,)",
            got=described(offsets),
            fix="pass the running sum of the lengths, starting with 0",
        )
    if isinstance(values, Tensor) and offsets.device != values.device:
        raise InputError(
            "offsets",
            expected=f"device {values.device}, where the values are",
            got=str(offsets.device),
            fix="move one of them",
        )


def last_bound(bounds: Int64[Tensor, " bounds"]) -> int:
    """The number of items: the last of the bounds, for which the device is asked.

    In an exported program it is a number of each batch and not of the one that was exported.

    Parameters
    ----------
    bounds
        Offsets of sets or segments.

    Raises
    ------
    InputError
        If the bounds are not int64, or if the last of them is negative.

    Examples
    --------
    >>> last_bound(torch.tensor([0, 2, 5]))
    5
    """
    check_offsets(bounds, bounds)
    if not torch.compiler.is_compiling():
        check_unbatched(bounds)
        if bounds.device.type == "meta":
            raise InputError(
                "offsets",
                expected="a device with numbers",
                got="meta",
                fix="make the offsets on the CPU or a GPU",
            )
    number = cast(int, bounds[-1].item())
    if not torch.compiler.is_compiling() and number < 0:
        raise InputError(
            "offsets",
            expected="a number of items from 0 on as the last of the bounds",
            got=str(number),
            fix="pass the running sum of the lengths, starting with 0",
        )
    torch._check(number >= 0)  # type: ignore[no-untyped-call]
    return number
