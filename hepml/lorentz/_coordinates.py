"""Collider coordinates of momenta, with derivatives that are finite everywhere.

Where a coordinate is singular (the azimuth at pt = 0, the pseudorapidity along the beam), its
derivative is set to 0. What is computed from NaN is NaN.
"""

import torch
from jaxtyping import Float, Real
from torch import Tensor

from hepml.lorentz._metric import check_together, root, vectors


def pt(p4: Real[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    """Transverse momentum ``sqrt(px² + py²)`` in GeV.

    Examples
    --------
    >>> pt(torch.tensor([6., 3., 4., 0.]))
    tensor(5.)
    """
    p4 = vectors("p4", p4)
    return root(p4[..., 1].square() + p4[..., 2].square())


def eta(p4: Real[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    """Pseudorapidity ``arsinh(pz / pt)``; infinite along the beam, 0 of no momentum, as in vector.

    Notes
    -----
    In float32, a direction with ``|pz| > 4e9 pt`` counts as along the beam: its derivative would
    overflow.

    Examples
    --------
    >>> eta(torch.tensor([[5., 3., 4., 0.], [1., 0., 0., -1.], [0., 0., 0., 0.]]))
    tensor([0., -inf, 0.])
    """
    p4 = vectors("p4", p4)
    pz, transverse = p4[..., 3], pt(p4)
    along = pz.abs() >= transverse * torch.finfo(p4.dtype).max ** 0.25
    value = torch.asinh(torch.where(along, 0.0, pz / torch.where(along, 1.0, transverse)))
    return torch.where(along, _infinite(pz), value)


def phi(p4: Real[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    """Azimuth ``atan2(py, px)`` in (-pi, pi]; 0 at pt = 0.

    Examples
    --------
    >>> phi(torch.tensor([[1., 0., 1., 0.], [1., -1., -0., 0.]]))
    tensor([1.5708, 3.1416])
    """
    p4 = vectors("p4", p4)
    return _angle(p4[..., 2], p4[..., 1])


def rapidity(p4: Real[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    """Rapidity ``ln((E + pz) / (E - pz)) / 2``; infinite along the beam for a light-like momentum.

    Notes
    -----
    It does not exist where ``|E| <= |pz|``, which rounding can cause: the limit, an infinity with
    the sign of pz, stands there (vector gives NaN), and 0 where both vanish.

    Examples
    --------
    >>> rapidity(torch.tensor([[5., 3., 0., 0.], [1., 0., 0., 1.], [5., 0., 0., 4.]]))
    tensor([0.0000, inf, 1.0986])
    """
    p4 = vectors("p4", p4)
    energy, pz = p4[..., 0], p4[..., 3]
    along = energy.abs() <= pz.abs()
    energy = torch.where(along, 1.0, energy)
    inside = torch.where(along, 0.0, pz)
    return torch.where(along, _infinite(pz), 0.5 * ((energy + inside) / (energy - inside)).log())


def delta_eta(
    p: Real[Tensor, "*#batch 4"], q: Real[Tensor, "*#batch 4"]
) -> Float[Tensor, "*#batch"]:
    """Difference of pseudorapidities ``eta(p) - eta(q)``; 0 between momenta along the same beam."""
    check_together(p=vectors("p", p), q=vectors("q", q))
    return difference(eta(p), eta(q))


def delta_rapidity(
    p: Real[Tensor, "*#batch 4"], q: Real[Tensor, "*#batch 4"]
) -> Float[Tensor, "*#batch"]:
    """Difference of rapidities; unlike that of pseudorapidities, invariant under boosts along z."""
    check_together(p=vectors("p", p), q=vectors("q", q))
    return difference(rapidity(p), rapidity(q))


def delta_phi(
    p: Real[Tensor, "*#batch 4"], q: Real[Tensor, "*#batch 4"]
) -> Float[Tensor, "*#batch"]:
    """Difference of azimuths ``phi(p) - phi(q)`` in (-pi, pi]; 0 where either pt vanishes.

    Notes
    -----
    The angle of ``(pt(q) · pt(p), pt(q) x pt(p))``, which knows no branch cut. vector takes a
    momentum without pt to point to phi = 0, a choice that a rotation about the beam would show.

    Examples
    --------
    >>> p, q = torch.tensor([1., -1., -.1, 0.]), torch.tensor([1., -1., .1, 0.])
    >>> delta_phi(p, q)
    tensor(0.1993)
    """
    p, q = vectors("p", p), vectors("q", q)
    check_together(p=p, q=q)
    cross = p[..., 2] * q[..., 1] - p[..., 1] * q[..., 2]
    dot = p[..., 1] * q[..., 1] + p[..., 2] * q[..., 2]
    return _angle(cross, dot)


def delta_r(p: Real[Tensor, "*#batch 4"], q: Real[Tensor, "*#batch 4"]) -> Float[Tensor, "*#batch"]:
    """Angular distance ``sqrt(delta_eta² + delta_phi²)``, with the derivative 0 at distance 0.

    Examples
    --------
    >>> delta_r(torch.tensor([5., 3., 4., 0.]), torch.tensor([5., 4., -3., 0.]))
    tensor(1.5708)
    """
    longitudinal = delta_eta(p, q)
    infinite = longitudinal.isinf()
    square = torch.where(infinite, 0.0, longitudinal).square() + delta_phi(p, q).square()
    return torch.where(infinite & ~square.isnan(), torch.inf, root(square))


def difference(
    a: Float[Tensor, "*#batch"], b: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*#batch"]:
    """``a - b`` of coordinates that may be infinite: 0 between equal infinities, never NaN."""
    finite = a.isfinite() & b.isfinite()
    a_limit, b_limit = a.detach(), b.detach()
    limit = torch.where(a_limit == b_limit, 0.0, a_limit - b_limit)
    return torch.where(finite, torch.where(finite, a, 0.0) - torch.where(finite, b, 0.0), limit)


def _angle(y: Float[Tensor, "*batch"], x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """``atan2(y, x)`` with the derivative 0 where its denominator x² + y² vanishes."""
    # Adding 0 turns -0 into 0: the cut belongs to +pi, and a momentum without pt has phi = 0.
    x, y = x + 0.0, y + 0.0
    # Not 0: the reciprocal of a subnormal number, in the backward pass, is infinite.
    regular = x.square() + y.square() > torch.finfo(x.dtype).tiny
    angle = torch.atan2(torch.where(regular, y, 0.0), torch.where(regular, x, 1.0))
    # Where only the squares underflow, there still is a direction.
    return torch.where(regular, angle, torch.atan2(y.detach(), x.detach()))


def _infinite(pz: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Infinity with the sign of pz, and 0 of 0."""
    return torch.where(pz == 0, 0.0, pz.detach().sign() * torch.inf)
