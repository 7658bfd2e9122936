"""The metric (+,-,-,-) and what follows from it.

Sums of products are taken in float64, whatever the precision of the momenta, and rounded once: the
terms of ``E E' - p·p'`` cancel to a fraction m²/E² of them, of which float32 holds nothing for E/m
above 3000. So float32 results are exact for the momenta as they are given, up to the rounding of
the result. What rounding the momenta themselves to float32 has cost is lost: see the Notes of
:func:`minkowski_dot`, and ``examples/momentum_precision.py`` for the measurement.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor


def minkowski_dot(
    p: Float[Tensor, "*#batch 4"], q: Float[Tensor, "*#batch 4"]
) -> Float[Tensor, "*#batch"]:
    """Inner product ``E E' - px px' - py py' - pz pz'``, in GeV².

    Parameters
    ----------
    p, q
        Four-momenta in GeV; leading axes broadcast.

    Notes
    -----
    Rounding momenta to float32 changes each component by a relative 6e-8 at most, and their product
    by 2.4e-7 E E' at most. Between two momenta with E/m = gamma and a small angle it is
    ``E E' (1/gamma² + angle²/2)``. So it is known to a relative 1e-4 where the bracket exceeds
    2.4e-3 (gamma below 20, or an angle above 0.07). Beyond this, keep the momenta in float64.

    Examples
    --------
    >>> p, q = torch.tensor([5., 0., 0., 3.]), torch.tensor([2., 0., 0., 1.])
    >>> minkowski_dot(p, q)
    tensor(7.)
    """
    return _dot(p.double(), q.double()).to(torch.promote_types(p.dtype, q.dtype))


def mass_squared(p4: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    """Invariant mass squared ``E² - px² - py² - pz²``, in GeV²; negative for space-like momenta.

    Notes
    -----
    Of a momentum that was rounded to float32, it is of the order of 1e-7 E² at least: of a
    light-like one of 300 GeV, some 0.01 GeV².
    """
    wide = p4.double()
    return _dot(wide, wide).to(p4.dtype)


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
    wide = p4.double()
    return _signed_root(_dot(wide, wide)).to(p4.dtype)


def pair_mass(
    p: Float[Tensor, "*#batch 4"], q: Float[Tensor, "*#batch 4"]
) -> Float[Tensor, "*#batch"]:
    """Invariant mass of the sum of two momenta, ``mass(p + q)`` without rounding the sum, in GeV.

    Parameters
    ----------
    p, q
        Four-momenta in GeV; leading axes broadcast.

    Notes
    -----
    Negative for a space-like sum; the derivative of a light-like one is set to 0.

    Examples
    --------
    >>> p, q = torch.tensor([5., 0., 3., 4.]), torch.tensor([5., 0., -3., 4.])
    >>> pair_mass(p, q)
    tensor(6.)
    """
    total = p.double() + q.double()
    return _signed_root(_dot(total, total)).to(torch.promote_types(p.dtype, q.dtype))


def root(square: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Square root with the derivative 0 at 0, where that of ``sqrt`` is infinite."""
    positive = square > 0
    # The inner where keeps infinity out of the backward pass: 0 * inf would be NaN.
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)


def _dot(
    p: Float64[Tensor, "*#batch 4"], q: Float64[Tensor, "*#batch 4"]
) -> Float64[Tensor, "*#batch"]:
    """The inner product in double precision."""
    (energy, px, py, pz), (energy2, px2, py2, pz2) = p.unbind(-1), q.unbind(-1)
    return energy * energy2 - px * px2 - py * py2 - pz * pz2


def _signed_root(square: Float64[Tensor, "*batch"]) -> Float64[Tensor, "*batch"]:
    """``sign(x) sqrt(|x|)`` with the derivative 0 at 0."""
    return square.sign() * root(square.abs())
