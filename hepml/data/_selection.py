"""Which sets of a batch a list, tensor or mask chooses."""

from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from hepml.errors import InputError, RangeError


def chosen_set(number: int, sets: int) -> int:
    """The number of a set from 0, where a negative one counts from the end.

    Raises
    ------
    RangeError
        If there is no such set.
    """
    if not -sets <= number < sets:
        raise _outside(f"set {number}", sets)
    return number % sets


def chosen_range(index: slice, sets: int) -> range:
    """The numbers of the sets that a slice chooses.

    Raises
    ------
    InputError
        If its bounds are no integers, or its step is 0.
    """
    try:
        chosen = range(*index.indices(sets))
    except (TypeError, ValueError) as error:
        raise InputError(
            "slice of sets",
            expected="bounds that are integers or left out, and a step other than 0",
            got=f"{index!r:.80}",
            fix="slice with integers, as in particles[10:20]",
        ) from error
    # Of one set or none the step is of no account, and may be beyond what tensors count with.
    if len(chosen) > 1:
        return chosen
    return range(chosen.start, chosen.start + 1) if chosen else range(0)


def chosen_sets(chosen: Any, sets: int, device: torch.device) -> Int64[Tensor, " chosen"]:
    """The numbers, from 0, of the sets that numbers (from the end if negative) or a mask choose.

    Raises
    ------
    InputError
        If it is neither.
    RangeError
        If there is no set of a number.
    """
    try:
        index = torch.as_tensor(chosen, device=device)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise _no_index(f"{type(chosen).__name__} {chosen!r:.60}") from error
    if index.is_nested or index.layout != torch.strided:
        raise _no_index("a tensor that is nested or sparse")
    if index.numel() == 0 and index.dtype != torch.bool:
        # An empty list has no type of its own.
        index = index.long()
    if index.dtype == torch.bool:
        if index.shape != (sets,):
            raise InputError(
                "mask over sets",
                expected=f"shape ({sets},)",
                got=f"shape {tuple(index.shape)}",
                fix="give one truth value for each set of the batch",
            )
        index = index.nonzero().squeeze(1)
    if index.is_floating_point() or index.is_complex() or index.dim() != 1:
        raise _no_index(f"{index.dtype} of shape {tuple(index.shape)}")
    # A number beyond int64 would come out negative, and count from the end.
    wrapped = index.long() < 0 if index.dtype == torch.uint64 else index.new_zeros(1).bool()
    index = index.long()
    outside = index[(index < -sets) | (index >= sets) | wrapped]
    if outside.numel():
        raise _outside(f"sets {outside[:8].tolist()}", sets)
    return index % max(sets, 1)


def _no_index(got: str) -> InputError:
    """The error of what cannot choose sets."""
    return InputError(
        "index over sets",
        expected="a one-dimensional list of integers or truth values",
        got=got,
        fix="index with numbers of sets or a mask",
    )


def _outside(what: str, sets: int) -> RangeError:
    """The error of a set that is not there."""
    return RangeError(
        f"{what} of a batch of {sets}",
        expected=f"numbers from {-sets} to {sets - 1}" if sets else "a batch that holds sets",
        got=what.removeprefix("sets ").removeprefix("set "),
        fix="choose among the sets of the batch",
    )
