"""The metric (+,-,-,-) and what follows from it."""

import torch
from jaxtyping import Float
from torch import Tensor


def minkowski_dot(
    p: Float[Tensor, "*#batch 4"], q: Float[Tensor, "*#batch 4"]
) -> Float[Tensor, "*#batch"]:
    """Inner product ``E E' - px px' - py py' - pz pz'``, in GeV².

    Parameters
    ----------
    p, q
        Four-momenta in GeV; leading axes broadcast.

    Examples
    --------
    >>> p, q = torch.tensor([5., 0., 0., 3.]), torch.tensor([2., 0., 0., 1.])
    >>> minkowski_dot(p, q)
    tensor(7.)
    """
    return p[..., 0] * q[..., 0] - (p[..., 1:] * q[..., 1:]).sum(-1)


def mass_squared(p4: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    """Invariant mass squared ``E² - px² - py² - pz²``, in GeV²; negative for space-like momenta.

    Notes
    -----
    The result of rounding the inputs alone is of the order of ``eps E²``: of a light-like momentum
    of 300 GeV in float32, some 0.01 GeV².
    """
    return minkowski_dot(p4, p4)


def mass(p4: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    """Invariant mass ``sign(m²) sqrt(|m²|)`` in GeV; negative for space-like momenta, as in vector.

    Notes
    -----
    The derivative, which is infinite for a light-like momentum, is set to 0 there.

    Examples
    --------
    >>> mass(torch.tensor([[5., 0., 0., 3.], [3., 0., 0., 5.], [1., 0., 1., 0.]]))
    tensor([ 4., -4.,  0.])
    """
    square = mass_squared(p4)
    return square.sign() * root(square.abs())


def root(square: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Square root with the derivative 0 at 0, where that of ``sqrt`` is infinite."""
    positive = square > 0
    # The inner where keeps infinity out of the backward pass: 0 * inf would be NaN.
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)
