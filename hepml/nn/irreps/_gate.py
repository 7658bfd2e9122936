"""A nonlinearity on irreps of the Lorentz group."""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.lorentz import Irreps
from hepml.nn.irreps._fields import SCALAR, Fields
from hepml.ops import check_rows

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
        self._fields = Fields("irreps", irreps)
        self.irreps_out = self._fields.irreps
        copies = self._fields.copies
        # (0,0) is the first of the irreps.
        self._scalars = SCALAR in copies
        self._gates = [mul for irrep, mul in copies.items() if irrep != SCALAR]
        self.irreps_in = Irreps([(sum(self._gates), SCALAR)]) + self.irreps_out
        self.activation, self.gate = activation, gate
        self.scales = (_inverse_root_mean_square(activation), _inverse_root_mean_square(gate))

    def forward(self, x: Float[Tensor, "*batch dim_in"]) -> Float[Tensor, "*batch dim_out"]:
        """The activated scalars and the gated copies."""
        check_rows("x", x, self.irreps_in.dim)
        gates, x = x[..., : sum(self._gates)], x[..., sum(self._gates) :]
        scalars, others = [], self._fields.split(x)
        if self._scalars:
            scalars, others = [self.scales[0] * self.activation(others[0])], others[1:]
        factors = torch.split(self.scales[1] * self.gate(gates), self._gates, -1)
        gated = [factor[..., None] * field for factor, field in zip(factors, others, strict=True)]
        return self._fields.join([*scalars, *gated])


def _inverse_root_mean_square(function: Activation) -> float:
    """``1 / sqrt(<f(x)²>)`` over the normal distribution, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    values = function(torch.from_numpy(nodes)).numpy()
    return math.sqrt(math.sqrt(2 * math.pi) / float((weights * values**2).sum()))
