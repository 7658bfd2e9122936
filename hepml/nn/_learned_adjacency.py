"""An adjacency matrix that the network learns."""

from math import sqrt

from jaxtyping import Float
from torch import Tensor, nn

from hepml.ops import Edges, check_rows, checked_edges, segment_gather, segment_softmax


class LearnedAdjacency(nn.Module):
    """How much item i listens to item j: ``A_ij = softmax_j((Q h_i) · (K h_j) / sqrt(channels))``.

    The softmax runs over the senders j of each receiver i, so that each row of A sums to one.

    Parameters
    ----------
    width
        Number of channels of h.
    channels
        Number of channels in which the two are compared.

    References
    ----------
    I. Henrion et al., Neural Message Passing for Jet Physics, DLPS workshop at NIPS 2017, learn the
    matrix from ``v · (h_i + h_j)``, in which h_i drops out of a softmax over j; this is the scaled
    dot product of A. Vaswani et al., arXiv:1706.03762, eq. (1).
    """

    def __init__(self, width: int, channels: int = 16) -> None:
        super().__init__()
        self.query = nn.Linear(width, channels, bias=False)
        self.key = nn.Linear(width, channels, bias=False)

    def forward(self, h: Float[Tensor, "items width"], edges: Edges) -> Float[Tensor, " edges"]:
        """The matrix element of each pair."""
        check_rows("h", h, self.query.in_features, weight=self.query.weight, axes=2)
        edges = checked_edges(edges, h.shape[0])
        query = segment_gather(self.query(h), edges.offsets, edges.senders.shape[0])
        key = self.key(h).index_select(0, edges.senders)
        score = (query * key).sum(1) / sqrt(self.key.out_features)
        return segment_softmax(score, edges.offsets)
