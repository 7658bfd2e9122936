"""What every kernel of the segment operations is held to."""

import torch
from support.ragged import offsets_from

from hepml.ops._kernel import Kernel
from hepml.ops.segments import _reference


def derivatives(function, values, *others):
    """Value, gradient, and the gradients of the gradient in the values and in what came from above.

    The weights are fixed numbers of both signs, so that nothing cancels by symmetry.
    """
    values = values.clone().requires_grad_()
    result = function(values, *others)
    finite = torch.where(result == -torch.inf, 0, result)
    above = torch.arange(result.numel()).cos().reshape(result.shape).to(values).requires_grad_()
    (gradient,) = torch.autograd.grad((finite * above).sum(), values, create_graph=True)
    probe = torch.arange(values.numel()).sin().reshape(values.shape).to(values)
    second = torch.autograd.grad(
        (gradient * probe).sum(), (values, above), allow_unused=True, materialize_grads=True
    )
    return result.detach(), gradient.detach(), *second


def arguments_for_gradcheck(operation, channels):
    """Values without ties, and empty segments or places at the beginning, inside and at the end."""
    offsets = offsets_from([0, 2, 0, 3, 1, 0])
    items = 6 if operation == "segment_gather" else int(offsets[-1])
    values = torch.randn(items, *channels, generator=torch.Generator().manual_seed(3)).double()
    values.requires_grad_()
    if operation == "segment_gather":
        return values, offsets, 6
    if operation.startswith("segment"):
        return values, offsets
    return values, torch.tensor([4, 1, 1, 4, 2, 4]), 6


def assert_agrees(fast: Kernel, arguments: tuple) -> None:
    """The kernel's value is the reference's, up to its tolerance."""
    reference = getattr(_reference, fast.operation)
    values, *others = arguments
    expected = reference(*arguments)
    result = fast.function(*arguments)
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    if fast.tolerance == 0 or expected.numel() == 0:
        assert torch.equal(result, expected)
        return
    magnitude = reference(values.abs(), *others).clamp(min=1).nan_to_num(neginf=1.0)
    error = (result.double() - expected.double()).abs().nan_to_num(nan=torch.inf)
    error[result == expected] = 0  # -inf and -inf
    roundings = error / magnitude.double() / torch.finfo(values.dtype).eps
    assert float(roundings.max()) <= fast.tolerance
