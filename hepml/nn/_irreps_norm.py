"""The invariants of irreps of the Lorentz group."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.lorentz import Irreps, clebsch_gordan
from hepml.nn._irreps_fields import SCALAR, field_counts, real_irreps, split_fields


class IrrepsNorm(nn.Module):
    """The invariant square of each copy: a scalar of a scalar, E² - p² of a vector.

    ``C_ij x_i x_j`` with the Clebsch-Gordan tensor C of the irrep, itself and (0,0), times the root
    of the dimension: coefficients are ±1. Of a field ``z = x + iy`` the square is complex: its real
    and its imaginary part, E² - B² and 2 E·B of an electromagnetic field.

    Parameters
    ----------
    irreps
        What comes in; real irreps.

    Attributes
    ----------
    irreps_out
        Scalars: in the order of irreps, one for each copy of (n,n), two for (a,b) and (b,a).

    Raises
    ------
    InputError
        If irreps are not real.

    Notes
    -----
    Squares and not their roots: the metric is indefinite, and the derivative of a root is infinite
    on the light cone. Spinors (half-integer j1 + j2) have none, for C is antisymmetric.

    Examples
    --------
    >>> IrrepsNorm("1x(0,0) + 1x(1/2,1/2)")(torch.tensor([2., 5., 0., 0., 3.]))
    tensor([ 4., 16.])
    """

    def __init__(self, irreps: Irreps | str) -> None:
        super().__init__()
        self.irreps_in = real_irreps("irreps", irreps)
        self.fields = {
            irrep: copies
            for irrep, copies in field_counts(self.irreps_in).items()
            if not irrep.is_spinor
        }
        number = sum(n if irrep.is_real else 2 * n for irrep, n in self.fields.items())
        self.irreps_out = Irreps([(number, SCALAR)])
        for irrep in self.fields:
            # Diagonal, since each spin occurs once in an irrep, with real harmonics.
            signs = clebsch_gordan(irrep, irrep, SCALAR)[..., 0].diagonal().real.sign()
            self.register_buffer(f"signs {irrep}", signs.float(), persistent=False)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch scalars"]:
        """The squares."""
        fields, squares = split_fields(x, self.irreps_in), []
        for irrep in self.fields:
            signs = self.get_buffer(f"signs {irrep}")
            real, imag = fields[irrep][..., : irrep.dim], fields[irrep][..., irrep.dim :]
            if irrep.is_real:
                squares.append((signs * real.square()).sum(-1))
            else:
                squares.append((signs * (real - imag) * (real + imag)).sum(-1))
                squares.append((signs * 2 * real * imag).sum(-1))
        return torch.cat(squares, -1) if squares else x[..., :0]
