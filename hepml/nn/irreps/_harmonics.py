"""Harmonic polynomials of a four-momentum."""

from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.lorentz import Irrep, Irreps, clebsch_gordan
from hepml.ops import check_rows


class IrrepsHarmonics(nn.Module):
    """The symmetric traceless tensors of a four-momentum: 1, p, p p - trace, up to a degree.

    What spherical harmonics are for rotations: the polynomials T of degree k in p that transform as
    (k/2,k/2), each from the product of the one before with p. They solve the wave equation, and

    ``T(p) · T(q) = (m m')^k U_k(p·q / (m m')) / (k + 1)``

    in the invariant product of :class:`IrrepsNorm`, with the Chebyshev polynomials of the second
    kind U.

    Parameters
    ----------
    degree
        The largest degree.

    Attributes
    ----------
    irreps_out
        (0,0) + (1/2,1/2) + ... up to (degree/2, degree/2).

    Notes
    -----
    They grow as powers of the momentum: choose units in which its components are of order one, and
    a frame in which no boost is left, if float32 is to hold them: see
    :func:`hepml.lorentz.rest_frame`.

    References
    ----------
    A. Bogatskiy et al., ICML 2020, arXiv:2006.04780, section 5.

    Examples
    --------
    >>> harmonics = IrrepsHarmonics(2)
    >>> print(harmonics.irreps_out)
    1x(0,0) + 1x(1/2,1/2) + 1x(1,1)
    >>> harmonics(torch.tensor([2., 0., 0., 1.]))[:5]
    tensor([1., 2., 0., 0., 1.])
    """

    def __init__(self, degree: int) -> None:
        super().__init__()
        self.degree = degree
        irreps = [Irrep(Fraction(k, 2), Fraction(k, 2)) for k in range(degree + 1)]
        self.irreps_out = Irreps((1, irrep) for irrep in irreps)
        for k in range(2, degree + 1):
            tensor = clebsch_gordan(irreps[k - 1], irreps[1], irreps[k])
            # At rest, the time component is m^k. In float64, since rounded coefficients would break
            # the symmetry.
            self.register_buffer(f"coupling {k}", tensor / tensor[0, 0, 0], persistent=False)

    def forward(self, p4: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch dim"]:
        """The polynomials of each momentum, degree after degree."""
        check_rows("p4", p4, 4)
        parts = [torch.ones_like(p4[..., :1]), p4][: self.degree + 1]
        for k in range(2, self.degree + 1):
            coupling = self.get_buffer(f"coupling {k}").to(p4.dtype)
            parts.append(torch.einsum("ijk,...i,...j->...k", coupling, parts[-1], p4))
        return torch.cat(parts, -1)
