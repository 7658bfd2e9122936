"""The Lorentz group equivariant block."""

from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hepml.errors import InputError
from hepml.nn._batch_norm import PairBatchNorm, RaggedBatchNorm
from hepml.ops import check_rows, pair_messages, segment_counts, segment_gather


def psi(x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """``sign(x) ln(|x| + 1)``: tames invariants that spread over orders of magnitude.

    Examples
    --------
    >>> psi(torch.tensor([-1., 0., 1.]))
    tensor([-0.6931,  0.0000,  0.6931])
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise InputError(
            "x",
            expected="real floating point",
            got=str(x.dtype) if isinstance(x, Tensor) else f"{type(x).__name__} {x!r:.60}",
            fix="convert integers with .float()",
        )
    # By halves: through sign and abs, the derivative at 0 would be 0 instead of 1.
    positive = x > 0
    return torch.where(
        positive, torch.where(positive, x, 0.0).log1p(), -torch.where(positive, 0.0, -x).log1p()
    )


class LorentzBlock(nn.Module):
    """Lorentz group equivariant block (LGEB): messages from Minkowski products.

    For the node i with momentum x_i, channels h_i and input scalars s_i, and every other node j of
    its set:

    ``m_ij = phi_e(h_i, h_j, psi(|x_i - x_j|²), psi(<x_i, x_j>))``, times ``phi_m(m_ij)`` in (0, 1)

    ``x_i' = x_i + c mean_j phi_x(m_ij) (x_i - x_j)``

    ``h_i' = h_i + phi_h(h_i, sum_j m_ij, s_i)``

    Under a Lorentz transformation of all momenta, x' transforms along and h' stays.

    Parameters
    ----------
    width
        Number of channels of h and of the messages.
    scalars
        Number of input scalars s.
    c
        Size of the step in the momenta.
    moves
        Whether the momenta are updated; the last block of a network need not, since nothing reads
        them afterwards.

    Notes
    -----
    As the published network, and unlike eq. (3.3) of its paper, phi_x reads the message after its
    weight phi_m, and the mean, not the sum, is taken over j. Unlike the published network, no
    component of the step is clamped: that would break the symmetry. A node that is alone in its set
    keeps its momentum. In training, batch norms take their statistics over the pairs and nodes that
    exist; there is no padding.

    The messages are made and summed by :func:`hepml.ops.pair_messages`, which keeps none of them.

    References
    ----------
    S. Gong et al., JHEP 07 (2022) 030, arXiv:2201.08187, eqs. (3.1) to (3.4).
    """

    def __init__(self, width: int, scalars: int, *, c: float = 5e-3, moves: bool = True) -> None:
        super().__init__()
        self.c = c
        self.phi_e = nn.Sequential(
            nn.Linear(2 * width + 2, width, bias=False),
            PairBatchNorm(width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
        )
        self.phi_m = nn.Sequential(nn.Linear(width, 1), nn.Sigmoid())
        self.phi_h = nn.Sequential(
            nn.Linear(2 * width + scalars, width),
            RaggedBatchNorm(width),
            nn.ReLU(),
            nn.Linear(width, width),
        )
        self.phi_x: nn.Sequential | None = None
        if moves:
            step = nn.Linear(width, 1, bias=False)
            # As published: the first steps are small against the momenta.
            nn.init.xavier_uniform_(step.weight, gain=1e-3)
            self.phi_x = nn.Sequential(nn.Linear(width, width), nn.ReLU(), step)

    def forward(
        self,
        x: Float[Tensor, "nodes 4"],
        h: Float[Tensor, "nodes width"],
        s: Float[Tensor, "nodes scalars"],
        offsets: Int64[Tensor, " bounds"],
    ) -> tuple[Float[Tensor, "nodes 4"], Float[Tensor, "nodes width"]]:
        """The momenta x' and the channels h' of the nodes of sets with these bounds."""
        first, norm, _, second, _ = self.phi_e
        weight, of_nodes = cast(Tensor, first.weight), cast(nn.Linear, self.phi_h[0])
        width = cast(nn.Linear, second).in_features
        check_rows("x", x, 4, axes=2)
        check_rows("h", h, width, weight=weight, axes=2, like=x)
        check_rows("s", s, of_nodes.in_features - 2 * width, weight=weight, axes=2, like=x)
        a, b = h @ weight[:, :width].T, h @ weight[:, width : 2 * width].T
        a, b, w = cast(PairBatchNorm, norm).fold(a, b, weight[:, 2 * width :], x, offsets)
        received, moved = pair_messages(
            *(a, b, offsets, x),
            invariants=w,
            layers=[_linear(second)],
            gate=_linear(self.phi_m[0]),
            step=[] if self.phi_x is None else [_linear(self.phi_x[0]), _linear(self.phi_x[2])],
        )
        if self.phi_x is not None:
            others = segment_gather(segment_counts(offsets), offsets, x.shape[0]) - 1
            x = x + self.c * moved / others.clamp(min=1)[:, None]
        return x, h + self.phi_h(torch.cat([h, received.to(h.dtype), s], dim=1))


def _linear(layer: nn.Module) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a linear layer."""
    return cast(Tensor, layer.weight), cast(Tensor | None, layer.bias)
