"""The metric (+,-,-,-) and what follows from it.

Sums of products are taken in float64, whatever the precision of the momenta, and rounded once: the
terms of ``E E' - p·p'`` cancel to a fraction m²/E² of them, of which float32 holds nothing for E/m
above 3000. So float32 results are exact for the momenta as they are given, up to the rounding of
the result. What rounding the momenta themselves to float32 has cost is lost: see the Notes of
:func:`minkowski_dot`, and ``examples/momentum_precision.py`` for the measurement.
"""

from typing import cast

import torch
from jaxtyping import Float, Float64, Real
from torch import Tensor

from hepml.errors import InputError


def minkowski_dot(
    p: Real[Tensor, "*#batch 4"], q: Real[Tensor, "*#batch 4"]
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
    p, q = vectors("p", p), vectors("q", q)
    check_together(p=p, q=q)
    return _dot(p.double(), q.double()).to(torch.promote_types(p.dtype, q.dtype))


def mass_squared(p4: Real[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    """Invariant mass squared ``E² - px² - py² - pz²``, in GeV²; negative for space-like momenta.

    Notes
    -----
    Of a momentum that was rounded to float32, it is of the order of 1e-7 E² at least: of a
    light-like one of 300 GeV, some 0.01 GeV².
    """
    p4 = vectors("p4", p4)
    wide = p4.double()
    return _dot(wide, wide).to(p4.dtype)


def mass(p4: Real[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    """Invariant mass ``sign(m²) sqrt(|m²|)`` in GeV; negative for space-like momenta, as in vector.

    Notes
    -----
    The derivative, which is infinite for a light-like momentum, is set to 0 there.

    Examples
    --------
    >>> mass(torch.tensor([[5., 0., 0., 3.], [3., 0., 0., 5.], [1., 0., 1., 0.]]))
    tensor([ 4., -4.,  0.])
    """
    p4 = vectors("p4", p4)
    wide = p4.double()
    return _signed_root(_dot(wide, wide)).to(p4.dtype)


def pair_mass(
    p: Real[Tensor, "*#batch 4"], q: Real[Tensor, "*#batch 4"]
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
    p, q = vectors("p", p), vectors("q", q)
    check_together(p=p, q=q)
    total = p.double() + q.double()
    return _signed_root(_dot(total, total)).to(torch.promote_types(p.dtype, q.dtype))


def root(square: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Square root with the derivative 0 at 0, where that of ``sqrt`` is infinite; NaN of NaN."""
    # Not `square > 0`, which NaN fails, too: what is unknown must not become 0.
    singular = square <= 0
    # The inner where keeps infinity out of the backward pass: 0 * inf would be NaN.
    return torch.where(singular, 0.0, torch.where(singular, 1.0, square).sqrt())


def vectors(name: str, values: Tensor, components: int = 4) -> Float[Tensor, "*batch components"]:
    """Four-momenta, or other vectors, in floating point; whole numbers in float64.

    Parameters
    ----------
    name
        What an error calls them.
    values
        One vector along the last axis.
    components
        The length of that axis.

    Raises
    ------
    InputError
        If the last axis has another length, or the numbers are complex or truth values.
    """
    _check_tensor(name, values)
    if values.shape[-1:] != (components,):
        kind = "four-momenta (E, px, py, pz)" if components == 4 else "three-vectors"
        raise InputError(
            name,
            expected=f"{kind} along the last axis",
            got=f"shape {tuple(values.shape)}",
            fix="p4_from_momentum_mass(momentum, mass) makes four-momenta, p4[..., 1:] takes the "
            "momentum out of them",
        )
    return real(name, values)


def check_together(**values: Tensor) -> None:
    """Refuse values by their names whose shapes do not broadcast, or on several devices."""
    if torch.compiler.is_compiling():
        # To compare sizes would make them constants of the program.
        return
    shapes = [value.shape for value in values.values()]
    devices = {value.device for value in values.values()}
    fits = len(devices) == 1
    if fits and len({*shapes}) > 1:
        try:
            torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
        except RuntimeError:
            fits = False
    if not fits:
        raise InputError(
            ", ".join(values),
            expected="shapes that broadcast, on one device",
            got=", ".join(f"{tuple(each.shape)} on {each.device}" for each in values.values()),
            fix="give as many of each, or one for all",
        )


def _check_tensor(name: str, values: object) -> None:
    """Refuse what is no tensor, or one whose numbers do not all lie in memory."""
    dense = isinstance(values, Tensor) and not values.is_nested and not values.is_quantized
    if not dense or cast(Tensor, values).layout != torch.strided:
        kind = f"a tensor of {values.dtype}" if isinstance(values, Tensor) else repr(values)
        raise InputError(
            name,
            expected="a dense tensor of numbers",
            got=f"{type(values).__name__}, {' '.join(kind.split()):.60}",
            fix="make one with torch.as_tensor(values), or with .to_dense()",
        )


def real(name: str, values: Tensor) -> Float[Tensor, "*batch"]:
    """Numbers in floating point; whole ones in float64, which holds them up to 2^53."""
    _check_tensor(name, values)
    if values.is_floating_point():
        return values
    if values.is_complex() or values.dtype == torch.bool:
        raise InputError(
            name,
            expected="real numbers",
            got=str(values.dtype),
            fix="complex fields transform by hepml.lorentz.representation",
        )
    return values.double()


def _dot(
    p: Float64[Tensor, "*#batch 4"], q: Float64[Tensor, "*#batch 4"]
) -> Float64[Tensor, "*#batch"]:
    """The inner product in double precision."""
    (energy, px, py, pz), (energy2, px2, py2, pz2) = p.unbind(-1), q.unbind(-1)
    return energy * energy2 - px * px2 - py * py2 - pz * pz2


def _signed_root(square: Float64[Tensor, "*batch"]) -> Float64[Tensor, "*batch"]:
    """``sign(x) sqrt(|x|)`` with the derivative 0 at 0."""
    return square.sign() * root(square.abs())
