"""Which sets of a batch a list, tensor or mask chooses."""

import torch
from jaxtyping import Int64
from torch import Tensor

from hepml.errors import InputError


def chosen_sets(index: Tensor, sets: int) -> Int64[Tensor, " chosen"]:
    """The numbers, from 0, of the sets that numbers (from the end if negative) or a mask choose.

    Raises
    ------
    InputError
        If it is neither.
    IndexError
        If there is no set of a number.
    """
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
    if index.dtype.is_floating_point or index.dim() != 1:
        raise InputError(
            "index over sets",
            expected="a one-dimensional list of integers or truth values",
            got=f"{index.dtype} of shape {tuple(index.shape)}",
            fix="index with numbers of sets or a mask",
        )
    index = index.long()
    outside = index[(index < -sets) | (index >= sets)]
    if outside.numel():
        raise IndexError(f"sets {outside[:8].tolist()} of a batch of {sets}")
    return index % max(sets, 1)
