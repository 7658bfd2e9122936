"""The linear layer on irreps of the Lorentz group."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.lorentz import Irreps
from hepml.nn.irreps._fields import SCALAR, Fields, field_dim


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
        self._in, self._out = Fields("irreps_in", irreps_in), Fields("irreps_out", irreps_out)
        self.irreps_in, self.irreps_out = self._in.irreps, self._out.irreps
        incoming = list(self._in.copies)
        # Of each field that goes out: where it comes in, its weights, copies and components.
        self._plan: list[tuple[int | None, str, int, int]] = []
        self.weights = nn.ParameterDict()
        for irrep, copies in self._out.copies.items():
            source = incoming.index(irrep) if irrep in incoming else None
            self._plan.append((source, str(irrep), copies, field_dim(irrep)))
            # The real parts of the weights, and then the imaginary parts where they are complex.
            inputs = self._in.copies.get(irrep, 0) * (1 if irrep.is_real else 2)
            if inputs:
                weight = nn.init.normal_(torch.empty(copies, inputs), std=inputs**-0.5)
                self.weights[str(irrep)] = nn.Parameter(weight)
        scalars = self._out.copies.get(SCALAR, 0)
        self.bias = nn.Parameter(torch.zeros(scalars)) if bias and scalars else None

    def forward(self, x: Float[Tensor, "*batch dim_in"]) -> Float[Tensor, "*batch dim_out"]:
        """The mixed copies."""
        fields = self._in.split(x, weight=next(self.parameters(), None))
        mixed = []
        for source, name, copies, components in self._plan:
            if source is None:
                mixed.append(x.new_zeros(*x.shape[:-1], copies, components))
                continue
            z, weight = fields[source], self.weights[name]
            if weight.shape[1] != z.shape[-2]:
                # i z, for the imaginary parts of the weights.
                real, imag = z.chunk(2, -1)
                z = torch.cat([z, torch.cat([-imag, real], -1)], -2)
            mixed.append(nn.functional.linear(z.mT, weight).mT)
        if self.bias is not None:
            # (0,0) is the first of the irreps.
            mixed[0] = mixed[0] + self.bias[:, None]
        return self._out.join(mixed)
