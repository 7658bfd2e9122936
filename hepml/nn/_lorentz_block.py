"""The Lorentz group equivariant block."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.lorentz import mass_squared, minkowski_dot
from hepml.nn._batch_norm import RaggedBatchNorm
from hepml.nn._pairs import Pairs
from hepml.ops import segment_gather, segment_mean, segment_sum


def psi(x: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """``sign(x) ln(|x| + 1)``: tames invariants that spread over orders of magnitude.

    Examples
    --------
    >>> psi(torch.tensor([-1., 0., 1.]))
    tensor([-0.6931,  0.0000,  0.6931])
    """
    # By halves: through sign and abs, the derivative at 0 would be 0 instead of 1.
    positive = x > 0
    return torch.where(
        positive, torch.where(positive, x, 0.0).log1p(), -torch.where(positive, 0.0, -x).log1p()
    )


class LorentzBlock(nn.Module):
    """Lorentz group equivariant block (LGEB): messages from Minkowski products.

    For the node i with momentum x_i, channels h_i and input scalars s_i, and every node j that
    sends to it:

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
    component of the step is clamped: that would break the symmetry. A node to which nobody sends
    keeps its momentum. In training, batch norms take their statistics over the pairs and nodes that
    exist; there is no padding.

    References
    ----------
    S. Gong et al., JHEP 07 (2022) 030, arXiv:2201.08187, eqs. (3.1) to (3.4).
    """

    def __init__(self, width: int, scalars: int, *, c: float = 5e-3, moves: bool = True) -> None:
        super().__init__()
        self.c = c
        self.phi_e = nn.Sequential(
            nn.Linear(2 * width + 2, width, bias=False),
            RaggedBatchNorm(width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
        )
        self.phi_m = nn.Sequential(nn.Linear(width, 1), nn.Sigmoid())
        self.phi_h = nn.Sequential(
            nn.Linear(2 * width + scalars, width),
            RaggedBatchNorm(width),
            nn.ReLU(),
            nn.Linear(width, width),
        )
        self.phi_x: nn.Module | None = None
        if moves:
            step = nn.Linear(width, 1, bias=False)
            # As published: the first steps are small against the momenta.
            nn.init.xavier_uniform_(step.weight, gain=1e-3)
            self.phi_x = nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True), step)

    def forward(
        self,
        x: Float[Tensor, "nodes 4"],
        h: Float[Tensor, "nodes width"],
        s: Float[Tensor, "nodes scalars"],
        pairs: Pairs,
    ) -> tuple[Float[Tensor, "nodes 4"], Float[Tensor, "nodes width"]]:
        """The momenta x' and the channels h'."""
        x_i = segment_gather(x, pairs.offsets, pairs.senders.shape[0])
        x_j = x.index_select(0, pairs.senders)
        m = self._messages(x_i, x_j, h, pairs)
        if self.phi_x is not None:
            x = x + self.c * segment_mean(self.phi_x(m) * (x_i - x_j), pairs.offsets)
        received = segment_sum(m, pairs.offsets)
        return x, h + self.phi_h(torch.cat([h, received, s], dim=1))

    def _messages(
        self,
        x_i: Float[Tensor, "pairs 4"],
        x_j: Float[Tensor, "pairs 4"],
        h: Float[Tensor, "nodes width"],
        pairs: Pairs,
    ) -> Float[Tensor, "pairs width"]:
        """The weighted messages phi_m(m_ij) m_ij."""
        invariants = torch.stack([mass_squared(x_i - x_j), minkowski_dot(x_i, x_j)], dim=1)
        # The first layer is linear in (h_i, h_j, invariants): what h contributes is worked out for
        # each node, not for each of the many more pairs.
        first, *rest = self.phi_e
        width = h.shape[1]
        weight = cast(Tensor, first.weight)
        m = segment_gather(h @ weight[:, :width].T, pairs.offsets, pairs.senders.shape[0])
        m.add_((h @ weight[:, width : 2 * width].T).index_select(0, pairs.senders))
        m.addmm_(psi(invariants), weight[:, 2 * width :].T)
        for layer in rest:
            m = layer(m)
        return cast(Tensor, self.phi_m(m) * m)
