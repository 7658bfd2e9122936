"""Four-momenta from the coordinates in which they are known."""

from functools import reduce

import torch
from jaxtyping import Float, Float64, Real
from torch import Tensor

from hepml.lorentz._metric import check_together, real, root, vectors


def p4_from_pt_eta_phi_mass(
    pt: Real[Tensor, "*#batch"],
    eta: Real[Tensor, "*#batch"],
    phi: Real[Tensor, "*#batch"],
    mass: Real[Tensor, "*#batch"],
) -> Float[Tensor, "*batch 4"]:
    """(E, px, py, pz) of transverse momentum, pseudorapidity, azimuth and mass.

    Parameters
    ----------
    pt, mass
        In GeV; a negative mass stands for a negative square of it, as in vector.
    eta, phi
        Pseudorapidity, finite, and azimuth in rad.

    Notes
    -----
    All of these conversions compute in float64 and round once: an energy and a momentum that were
    rounded on the way give a light particle a mass of its own. Four numbers in float32 hold the
    mass of a particle to a relative 1e-7 (E/m)².

    Examples
    --------
    >>> one = torch.ones(())
    >>> p4_from_pt_eta_phi_mass(4 * one, 0 * one, 0 * one, 3 * one)
    tensor([5., 4., 0., 0.])
    """
    dtype, (pt, eta, phi, mass) = _widen(pt=pt, eta=eta, phi=phi, mass=mass)
    return _p4(_energy(pt * eta.cosh(), mass), pt, phi, pt * eta.sinh()).to(dtype)


def p4_from_pt_eta_phi_energy(
    pt: Real[Tensor, "*#batch"],
    eta: Real[Tensor, "*#batch"],
    phi: Real[Tensor, "*#batch"],
    energy: Real[Tensor, "*#batch"],
) -> Float[Tensor, "*batch 4"]:
    """(E, px, py, pz) of transverse momentum, pseudorapidity, azimuth and energy.

    Parameters
    ----------
    pt, energy
        In GeV.
    eta, phi
        Pseudorapidity, finite, and azimuth in rad.
    """
    dtype, (pt, eta, phi, energy) = _widen(pt=pt, eta=eta, phi=phi, energy=energy)
    return _p4(energy, pt, phi, pt * eta.sinh()).to(dtype)


def p4_from_pt_rapidity_phi_mass(
    pt: Real[Tensor, "*#batch"],
    rapidity: Real[Tensor, "*#batch"],
    phi: Real[Tensor, "*#batch"],
    mass: Real[Tensor, "*#batch"],
) -> Float[Tensor, "*batch 4"]:
    """(E, px, py, pz) of transverse momentum, rapidity, azimuth and mass.

    Parameters
    ----------
    pt, mass
        In GeV; a negative mass stands for a negative square of it, as in vector.
    rapidity, phi
        Rapidity, finite, and azimuth in rad.

    Examples
    --------
    >>> zero, one = torch.zeros(()), torch.ones(())
    >>> p4_from_pt_rapidity_phi_mass(4 * one, zero, zero, 3 * one)
    tensor([5., 4., 0., 0.])
    """
    dtype, (pt, rapidity, phi, mass) = _widen(pt=pt, rapidity=rapidity, phi=phi, mass=mass)
    transverse = _energy(pt, mass)
    return _p4(transverse * rapidity.cosh(), pt, phi, transverse * rapidity.sinh()).to(dtype)


def p4_from_momentum_mass(
    momentum: Real[Tensor, "*#batch 3"], mass: Real[Tensor, "*#batch"]
) -> Float[Tensor, "*batch 4"]:
    """(E, px, py, pz) of a momentum (px, py, pz) and a mass.

    Parameters
    ----------
    momentum
        In GeV.
    mass
        In GeV; a negative mass stands for a negative square of it, as in vector.

    Examples
    --------
    >>> p4_from_momentum_mass(torch.tensor([0., 0., 4.]), torch.tensor(3.))
    tensor([5., 0., 0., 4.])
    """
    momentum, mass = vectors("momentum", momentum, 3), real("mass", mass)
    check_together(momentum=momentum[..., 0], mass=mass)
    wide = momentum.double()
    energy = _energy(root(wide.square().sum(-1)), mass.double())
    wide = wide.expand(*energy.shape, 3)
    return torch.cat([energy[..., None], wide], -1).to(momentum.dtype)


def _widen(**coordinates: Tensor) -> tuple[torch.dtype, tuple[Tensor, ...]]:
    """The common dtype of the coordinates, and these in float64 and of one shape."""
    values = [real(name, value) for name, value in coordinates.items()]
    check_together(**dict(zip(coordinates, values, strict=True)))
    dtype = reduce(torch.promote_types, (value.dtype for value in values))
    shape = torch.broadcast_shapes(*(value.shape for value in values))  # type: ignore[no-untyped-call]
    return dtype, tuple(value.double().expand(shape) for value in values)


def _energy(
    momentum: Float64[Tensor, "*#batch"], mass: Float64[Tensor, "*#batch"]
) -> Float64[Tensor, "*#batch"]:
    """Energy of the size of a momentum and a mass; 0 where its square would be negative."""
    # Not copysign(mass², mass): its derivative at 0 does not exist, this one's is 0.
    return root((momentum.square() + mass * mass.abs()).clamp(min=0.0))


def _p4(energy: Tensor, pt: Tensor, phi: Tensor, pz: Tensor) -> Float64[Tensor, "*batch 4"]:
    """(E, px, py, pz) with the transverse part in polar coordinates."""
    return torch.stack([energy, pt * phi.cos(), pt * phi.sin(), pz], -1)
