"""Elements of the Lorentz group acting on momenta."""

import math

import torch
from jaxtyping import Float, Float64, Real
from torch import Tensor

from hepml.errors import InputError
from hepml.lorentz._compensated import minkowski_product, minus_product
from hepml.lorentz._metric import check_together, root, vectors

# The squares of the components of a boost by it are below 1e304.
_MOST_RAPIDITY = 350.0


def boost(
    p4: Real[Tensor, "*batch 4"], velocity: Real[Tensor, "*#batch 3"]
) -> Float[Tensor, "*batch 4"]:
    """Momenta as seen after a boost: a particle at rest gets the given velocity.

    ``E' = gamma (E + v·p)``, ``p' = p + (gamma² / (gamma + 1) v·p + gamma E) v``.

    Parameters
    ----------
    p4
        Four-momenta in GeV.
    velocity
        Three-velocities in units of c; leading axes broadcast against those of the momenta.

    Raises
    ------
    InputError
        If a velocity is not below 1.

    Examples
    --------
    >>> boost(torch.tensor([1., 0., 0., 0.]), torch.tensor([0., 0., 0.6]))
    tensor([1.2500, 0.0000, 0.0000, 0.7500])
    """
    p4, velocity = vectors("p4", p4), vectors("velocity", velocity, 3)
    check_together(p4=p4[..., 0], velocity=velocity[..., 0])
    speed = root(velocity.square().sum(-1, keepdim=True))
    if not bool((speed < 1).all()):
        raise InputError(
            "velocity",
            expected="speeds below 1, the speed of light",
            got=f"up to {float(speed.max()):.9g}",
            fix="divide by c, or boost to the rest frame of a massive momentum only",
        )
    # Not 1 - v²: the difference from 1 is exact, so gamma keeps its digits.
    gamma = ((1 - speed) * (1 + speed)).rsqrt()
    return _push(p4, gamma, gamma * velocity)


def rotation(
    p4: Real[Tensor, "*#batch 4"], angles: Real[Tensor, "*#batch 3"]
) -> Float[Tensor, "*batch 4"]:
    """Momenta turned about a direction, by the length of its vector in rad, right-handed.

    Parameters
    ----------
    p4
        Four-momenta in GeV.
    angles
        Axes of rotation times angles in rad; leading axes broadcast against those of the momenta.

    Examples
    --------
    >>> quarter = torch.tensor([0., 0., torch.pi / 2])
    >>> rotation(torch.tensor([1., 1., 0., 0.]), quarter).round(decimals=6) + 0
    tensor([1., 0., 1., 0.])
    """
    p4, angles = vectors("p4", p4), vectors("angles", angles, 3)
    check_together(p4=p4[..., 0], angles=angles[..., 0])
    wide = torch.promote_types(p4.dtype, angles.dtype)
    p4, angles = p4.to(wide), angles.to(wide)
    energy, momentum = p4[..., :1], p4[..., 1:]
    momentum, angles = torch.broadcast_tensors(momentum, angles)  # type: ignore[no-untyped-call]
    energy = energy.expand(*momentum.shape[:-1], 1)
    square = angles.square().sum(-1, keepdim=True)
    # sin(a) / a and (1 - cos(a)) / a² are smooth functions of a², also at 0, where a is not: there
    # in powers of a².
    small = square < 0.01
    near, far = torch.where(small, square, 0.0), torch.where(small, 1.0, square).sqrt()
    sine = torch.where(small, _alternating(near, 1), far.sin() / far)
    cosine = torch.where(small, _alternating(near, 2), (1 - far.cos()) / far.square())
    turned = torch.linalg.cross(angles, momentum)
    momentum = momentum + sine * turned + cosine * torch.linalg.cross(angles, turned)
    return torch.cat([energy, momentum], dim=-1)


def rest_frame(
    p4: Real[Tensor, "*batch 4"], reference: Real[Tensor, "*#batch 4"]
) -> Float[Tensor, "*batch 4"]:
    """Momenta as seen in the rest frame of a reference momentum, reached without a rotation.

    ``E' = P·p / M``, ``p' = p - (E + E') P / (E_P + M)``, with ``E_P`` the energy of P.

    Parameters
    ----------
    p4
        Four-momenta in GeV.
    reference
        The momentum P, of mass M, that comes to rest; leading axes broadcast.

    Notes
    -----
    Computed in float64, with the rounding errors of the products, since energies come out of those
    that cancel: in float32 the result is exact for the momenta as they are given, and in float64
    what is left of a boost by gamma has gamma times the digits that plain products would leave.

    A light-like or space-like reference has no rest frame. Below the mass ``sqrt(eps) |P|``, where
    eps is that of the precision of the momenta (E/m = 2900 in float32), it is taken to have that
    mass and the same three-momentum; a reference of zero changes nothing. The result is finite
    and a Lorentz transformation of the momenta always, but does not transform along beyond this
    limit. A reference of negative energy is taken with the opposite sign.

    If all momenta are transformed, the result only turns (by the Wigner rotation).

    Examples
    --------
    >>> p4 = torch.tensor([[5., 0., 3., 4.], [5., 0., -3., 4.]])
    >>> rest_frame(p4, p4.sum(0))
    tensor([[ 3.,  0.,  3.,  0.],
            [ 3.,  0., -3.,  0.]])
    """
    p4, wide = vectors("p4", p4), vectors("reference", reference).double()
    check_together(p4=p4, reference=wide)
    energy, momentum = wide[..., :1], wide[..., 1:]
    momentum = torch.where(energy < 0, -momentum, momentum)
    size = momentum.square().sum(-1, keepdim=True)
    floor = torch.finfo(p4.dtype).eps * size
    found = minkowski_product(wide, wide)
    square = torch.maximum(found, floor)
    square = torch.where(square == 0, 1.0, square)
    mass = square.sqrt()
    # The root would round away what the product has kept.
    energy = torch.where(found > floor, energy.abs(), (size + square).sqrt())
    p = p4.double()
    there = minkowski_product(torch.cat([energy, momentum], -1), p) / mass
    share = (p[..., :1] + there) / (energy + mass)
    return torch.cat([there, minus_product(p[..., 1:], share, momentum)], -1).to(p4.dtype)


def random_lorentz(
    max_rapidity: float, size: tuple[int, ...] = (), *, generator: torch.Generator | None = None
) -> Float64[Tensor, "*size 4 4"]:
    """Random matrices of SO(1,3)+: a rotation, then a boost in a random direction.

    Parameters
    ----------
    max_rapidity
        Rapidities are uniform from 0 to this; 0 leaves the rotations. The Lorentz factor is the
        hyperbolic cosine.
    size
        How many: the leading axes of the result.
    generator
        Where the random numbers come from; torch's own by default.

    Returns
    -------
    Tensor
        In float64 on the CPU; they act on momenta by ``p4 @ matrix.mT``.

    Raises
    ------
    InputError
        If the rapidity is negative, or float64 does not hold the squares of its matrices.

    Notes
    -----
    Rotations and directions are uniform: the distribution does not change under rotations from
    either side. There is none that does not change under boosts, since the group is not compact.

    Examples
    --------
    >>> random_lorentz(3., (2,)).shape
    torch.Size([2, 4, 4])
    """
    if not isinstance(max_rapidity, int | float) or not 0 <= max_rapidity <= _MOST_RAPIDITY:
        raise InputError(
            "max_rapidity",
            expected=f"from 0 to {_MOST_RAPIDITY:g}",
            got=f"{max_rapidity!r:.60}",
            fix="take its size",
        )

    def normal(components: int) -> Float64[Tensor, "*size components"]:
        return torch.randn(*size, components, dtype=torch.float64, generator=generator)

    # Uniform unit quaternions are uniform rotations.
    quaternion = normal(4)
    axis = torch.nn.functional.normalize(quaternion[..., 1:], dim=-1)
    angle = 2 * torch.atan2(quaternion[..., 1:].norm(dim=-1), quaternion[..., 0])
    direction = torch.nn.functional.normalize(normal(3), dim=-1)
    rapidity = max_rapidity * torch.rand(*size, 1, 1, dtype=torch.float64, generator=generator)
    # Row by row, the images of the unit vectors: the transposed matrix.
    rows = torch.eye(4, dtype=torch.float64).expand(*size, 4, 4)
    rows = rotation(rows, (angle[..., None] * axis)[..., None, :])
    return _push(rows, rapidity.cosh(), rapidity.sinh() * direction[..., None, :]).mT


def _alternating(x: Float[Tensor, "*batch"], first: int) -> Float[Tensor, "*batch"]:
    """``1/n! - x/(n+2)! + x²/(n+4)! - ...`` with n = first, to rounding for x below 0.01."""
    total = torch.zeros_like(x)
    for n in range(first + 12, first - 2, -2):
        total = 1 / math.factorial(n) - x * total
    return total


def _push(
    p4: Float[Tensor, "*#batch 4"], gamma: Float[Tensor, "*#batch 1"], u: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*#batch 4"]:
    """The boost that gives a particle at rest the four-velocity (gamma, u)."""
    energy, momentum = p4[..., :1], p4[..., 1:]
    along = (u * momentum).sum(-1, keepdim=True)
    return torch.cat(
        [gamma * energy + along, momentum + (along / (gamma + 1) + energy) * u], dim=-1
    )
