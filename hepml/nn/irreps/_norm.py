"""The invariants of irreps of the Lorentz group."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.lorentz import Irreps, clebsch_gordan
from hepml.nn.irreps._fields import SCALAR, Fields


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
        self._fields = Fields("irreps", irreps)
        self.irreps_in, number = self._fields.irreps, 0
        for i, (irrep, copies) in enumerate(self._fields.copies.items()):
            if irrep.is_spinor:
                continue
            number += copies if irrep.is_real else 2 * copies
            # Diagonal, since each spin occurs once in an irrep, with real harmonics.
            signs = clebsch_gordan(irrep, irrep, SCALAR)[..., 0].diagonal().real.sign()
            self.register_buffer(f"signs_{i}", signs.float(), persistent=False)
        self.irreps_out = Irreps([(number, SCALAR)])

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch scalars"]:
        """The squares."""
        squares = []
        for i, field in enumerate(self._fields.split(x)):
            signs = getattr(self, f"signs_{i}", None)
            if signs is None:
                continue
            real, imag = field[..., : signs.shape[0]], field[..., signs.shape[0] :]
            if imag.shape[-1] == 0:
                squares.append((signs * real.square()).sum(-1))
            else:
                squares.append((signs * (real - imag) * (real + imag)).sum(-1))
                squares.append((signs * 2 * real * imag).sum(-1))
        return torch.cat(squares, -1) if squares else x[..., :0]
