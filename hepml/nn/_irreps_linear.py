"""The linear layer on irreps of the Lorentz group."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.lorentz import Irreps
from hepml.nn._irreps_fields import (
    SCALAR,
    field_counts,
    field_dim,
    join_fields,
    real_irreps,
    split_fields,
)


class IrrepsLinear(nn.Module):
    """The most general linear map between irreps that commutes with Lorentz transformations.

    Copies of one irrep mix: ``y_o = sum_i w_oi x_i``. The weights of (n,n) are real. Those of the
    fields ``z = x + iy`` of (a,b) + (b,a) are complex: a phase of z, which for electric and
    magnetic fields is their duality, commutes with rotations and boosts. Scalars (0,0) get a bias.

    Parameters
    ----------
    irreps_in, irreps_out
        What comes in and goes out; real irreps (``Irreps.is_real``).
    bias
        Whether scalars get one.

    Raises
    ------
    InputError
        If irreps are not real.

    Notes
    -----
    Of input with unit variance, the output has unit variance when the layer is new. An irrep that
    does not come in goes out as 0.

    A complex weight mixes fields of opposite parity; the layer does not commute with parity.

    Examples
    --------
    >>> layer = IrrepsLinear("8x(0,0) + 2x(1/2,1/2)", "1x(0,0) + 3x(1/2,1/2)")
    >>> layer(torch.ones(5, 16)).shape
    torch.Size([5, 13])
    """

    def __init__(
        self, irreps_in: Irreps | str, irreps_out: Irreps | str, *, bias: bool = True
    ) -> None:
        super().__init__()
        self.irreps_in = real_irreps("irreps_in", irreps_in)
        self.irreps_out = real_irreps("irreps_out", irreps_out)
        available = field_counts(self.irreps_in)
        self.weights = nn.ParameterDict()
        for irrep, copies in field_counts(self.irreps_out).items():
            # The real parts of the weights, and then the imaginary parts where they are complex.
            inputs = available.get(irrep, 0) * (1 if irrep.is_real else 2)
            if inputs:
                weight = nn.init.normal_(torch.empty(copies, inputs), std=inputs**-0.5)
                self.weights[str(irrep)] = nn.Parameter(weight)
        scalars = self.irreps_out.count("(0,0)")
        self.bias = nn.Parameter(torch.zeros(scalars)) if bias and scalars else None

    def forward(self, x: Float[Tensor, "*batch dim_in"]) -> Float[Tensor, "*batch dim_out"]:
        """The mixed copies."""
        fields = split_fields(x, self.irreps_in)
        mixed = {}
        for irrep, copies in field_counts(self.irreps_out).items():
            if irrep not in fields:
                mixed[irrep] = x.new_zeros(*x.shape[:-1], copies, field_dim(irrep))
                continue
            z = fields[irrep]
            if not irrep.is_real:
                # i z, for the imaginary parts of the weights.
                z = torch.cat([z, torch.cat([-z[..., irrep.dim :], z[..., : irrep.dim]], -1)], -2)
            mixed[irrep] = nn.functional.linear(z.mT, self.weights[str(irrep)]).mT
        if self.bias is not None:
            mixed[SCALAR] = mixed[SCALAR] + self.bias[:, None]
        return join_fields(mixed, self.irreps_out)
