"""Who differentiates or batches an operation otherwise than by recording it for a backward pass.

Forward-mode derivatives, ``torch.func`` and batches of gradients see through plain operations of
torch alone: a kernel of our own would lose derivatives without a word, or read memory that is not
there.
"""

import torch
from torch import Tensor
from torch.autograd import forward_ad

from hepml.errors import InputError


def is_transformed(values: Tensor) -> bool:
    """Whether what is done to these values must be made of plain operations of torch.

    It must where a forward-mode derivative is taken, where a transform of ``torch.func`` is at
    work, and where the values are gradients in a batch (``is_grads_batched``): none of them sees
    through a kernel of our own.

    Parameters
    ----------
    values
        What the operation is to be applied to.

    Examples
    --------
    >>> is_transformed(torch.ones(2))
    False
    >>> torch.func.vmap(lambda x: x * is_transformed(x))(torch.ones(2))
    tensor([1., 1.])
    """
    return (
        forward_ad._current_level >= 0
        or torch._C._are_functorch_transforms_active()
        # What torch.autograd.grad makes of gradients with is_grads_batched; no compiler knows it.
        or (
            not torch.compiler.is_compiling()
            and torch._C._functorch.is_legacy_batchedtensor(values)
        )
    )


def is_wrapped(tensor: Tensor) -> bool:
    """Whether a tensor has no memory of its own to read from."""
    return bool(
        torch._C._functorch.is_functorch_wrapped_tensor(tensor)
        or torch._C._functorch.is_legacy_batchedtensor(tensor)
    )


def is_batched(values: Tensor) -> bool:
    """Whether the values are a batch of ``torch.func.vmap``, whose numbers cannot be looked at.

    Examples
    --------
    >>> torch.func.vmap(lambda x: x * is_batched(x))(torch.ones(2))
    tensor([1., 1.])
    """
    inner = values
    while torch._C._functorch.is_functorch_wrapped_tensor(inner):
        if torch._C._functorch.is_batchedtensor(inner):
            return True
        inner = torch._C._functorch.get_unwrapped(inner)
    return bool(torch._C._functorch.is_legacy_batchedtensor(inner))


def check_unbatched(offsets: Tensor) -> None:
    """Refuse a batch of offsets: nobody could look whether they hold."""
    if is_batched(offsets):
        raise InputError(
            "offsets",
            expected="the same offsets for all rows of a batch that torch.func.vmap makes",
            got="a batch of offsets",
            fix="give them to vmap with in_dims=None; sets of several lengths lie one after "
            "another in one batch of their own",
        )
