"""A nonlinearity on irreps of the Lorentz group."""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.lorentz import Irreps
from hepml.nn._irreps_fields import SCALAR, field_counts, join_fields, real_irreps, split_fields

Activation = Callable[[Tensor], Tensor]


class IrrepsGate(nn.Module):
    """Scalars go through an activation; every other copy is multiplied by a gate, a scalar.

    Parameters
    ----------
    irreps
        What goes out; real irreps.
    activation
        Of the scalars that go out.
    gate
        Of the scalars that gate the other copies.

    Attributes
    ----------
    irreps_in
        What comes in: first the gates, one for each copy that is not a scalar (one for a copy of
        (a,b) and of (b,a) together), then ``irreps``.

    Raises
    ------
    InputError
        If irreps are not real.

    Notes
    -----
    Both functions are scaled to a mean square of 1 over a normal distribution, so that input of
    unit variance gives about unit variance.

    Examples
    --------
    >>> gate = IrrepsGate("2x(0,0) + 3x(1/2,1/2)")
    >>> gate.irreps_in
    Irreps("3x(0,0) + 2x(0,0) + 3x(1/2,1/2)")
    >>> gate(torch.ones(5, 17)).shape
    torch.Size([5, 14])
    """

    def __init__(
        self,
        irreps: Irreps | str,
        *,
        activation: Activation = nn.functional.silu,
        gate: Activation = torch.sigmoid,
    ) -> None:
        super().__init__()
        self.irreps_out = real_irreps("irreps", irreps)
        self.gated = {
            irrep: copies
            for irrep, copies in field_counts(self.irreps_out).items()
            if irrep != SCALAR
        }
        self.irreps_in = Irreps([(sum(self.gated.values()), SCALAR)]) + self.irreps_out
        self.activation, self.gate = activation, gate
        self.scales = (_inverse_root_mean_square(activation), _inverse_root_mean_square(gate))

    def forward(self, x: Float[Tensor, "*batch dim_in"]) -> Float[Tensor, "*batch dim_out"]:
        """The activated scalars and the gated copies."""
        first = self.irreps_in[0].mul
        fields = split_fields(x[..., first:], self.irreps_out)
        gates = self.scales[1] * self.gate(x[..., :first])
        parts = torch.split(gates, list(self.gated.values()), -1) if self.gated else ()
        for irrep, part in zip(self.gated, parts, strict=True):
            fields[irrep] = part[..., None] * fields[irrep]
        if SCALAR in fields:
            fields[SCALAR] = self.scales[0] * self.activation(fields[SCALAR])
        return join_fields(fields, self.irreps_out)


def _inverse_root_mean_square(function: Activation) -> float:
    """``1 / sqrt(<f(x)²>)`` over the normal distribution, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    values = function(torch.from_numpy(nodes)).numpy()
    return math.sqrt(math.sqrt(2 * math.pi) / float((weights * values**2).sum()))
