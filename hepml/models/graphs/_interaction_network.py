"""Messages along the edges of graphs, with outputs of graphs, of nodes or of edges."""

from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hepml.data import Graph
from hepml.errors import InputError
from hepml.models._graph_inputs import edge_scalars, node_scalars
from hepml.models._inputs import weight_dtype
from hepml.nn import MLP, DeepItems, DeepSets, Standardise
from hepml.ops import segment_mean

PER = ("set", "node", "edge")


class InteractionNetwork(nn.Module):
    """Messages along the edges of graphs, T steps of

    ``e_ij = f_t(h_j, h_i, e_ij)``,  ``h_i = h_i + g_t(h_i, mean_j e_ij)``

    for the edges from j to i, and outputs of each graph, ``F(sum_i Phi(h_i))``, of each node,
    ``F(Phi(h_i), sum_k Phi(h_k))``, or of each edge, ``F(h_j, h_i, e_ij)``.

    Parameters
    ----------
    outputs
        Number of classes, or of other outputs.
    features
        Number of channels of each node.
    context
        Number of channels of the context of each graph, which every node reads beside its own: that
        of a graph without nodes is not seen.
    edge_features
        Number of channels of each edge.
    width
        Number of channels of h and of e.
    steps
        T, how often messages are passed.
    per
        What has a row of outputs: each "set", which is a graph, each "node" or each "edge".

    Raises
    ------
    InputError
        If there is no step, or `per` is none of these.

    Notes
    -----
    A node reads its channels and ``ln(1 + d)``, where d is how many edges it receives: the mean of
    what comes along them does not tell. A node that receives nothing gets 0. Momenta and positions
    are not read: what of them shall be known are features. The paper sums messages and passes them
    once; residuals and several steps are those of most networks since.

    References
    ----------
    P. W. Battaglia et al., Interaction Networks for Learning about Objects, Relations and Physics,
    NIPS 2016, arXiv:1612.00222, eqs. (1) and (2).
    Outputs of edges: G. DeZoort et al., Charged Particle Tracking via Edge-Classifying Interaction
    Networks, Comput. Softw. Big Sci. 5 (2021) 26, arXiv:2103.16701.

    Examples
    --------
    >>> senders, receivers = torch.tensor([1, 0, 2]), torch.tensor([0, 1, 1])
    >>> graphs = Graph(torch.rand(4, 2), senders, receivers, torch.tensor([0, 3, 4]))
    >>> InteractionNetwork(features=2, per="edge")(graphs).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        *,
        outputs: int = 2,
        features: int = 0,
        context: int = 0,
        edge_features: int = 0,
        width: int = 64,
        steps: int = 2,
        per: Literal["set", "node", "edge"] = "set",
    ) -> None:
        super().__init__()
        if steps < 1:
            raise InputError("steps", expected="one or more", got=repr(steps), fix="2 is usual")
        if per not in PER:
            raise InputError(
                "per", expected=" or ".join(map(repr, PER)), got=repr(per), fix="choose one of them"
            )
        self.features, self.context, self.edge_features = features, context, edge_features
        self.per = per
        self.standardise = Standardise(features + context)
        self.standardise_edges = Standardise(edge_features)
        self.embedding = MLP(features + context + 1, [width, width])
        self.steps = nn.ModuleList(
            _Step(edge_features if step == 0 else width, width) for step in range(steps)
        )
        if per == "edge":
            self.readout: nn.Module = MLP(3 * width, [width, outputs])
        else:
            kind, seen = (DeepSets, 1) if per == "set" else (DeepItems, 2)
            phi = nn.Sequential(nn.Linear(width, width), nn.ReLU())
            self.readout = kind(phi, MLP(seen * width, [width, outputs]))

    @property
    def claims(self) -> tuple[str, ...]:
        """The symmetries it claims, by their names in :data:`hepml.symmetry.SYMMETRIES`."""
        return ("permutation", "batch composition")

    def forward(self, graph: Graph) -> Float[Tensor, "rows outputs"]:
        """The outputs of each graph, each node or each edge, in their order."""
        dtype = weight_dtype(self)
        known = node_scalars(graph, self.standardise, self.features, self.context).to(dtype)
        e = edge_scalars(graph, self.standardise_edges, self.edge_features).to(dtype)
        offsets = graph.receiver_offsets
        degree = offsets.diff()[:, None].to(dtype).log1p()
        h: Tensor = self.embedding(torch.cat([known, degree], dim=1)).tanh()
        for step in self.steps:
            h, e = step(h, e, graph.senders, graph.receivers, offsets)
        if self.per == "edge":
            outputs: Tensor = self.readout(_ends(h, e, graph.senders, graph.receivers))
        else:
            outputs = self.readout(h, graph.node_offsets)
        return outputs


class _Step(nn.Module):
    """New edges from their ends, and new nodes from the edges that they receive."""

    def __init__(self, edge_channels: int, width: int) -> None:
        super().__init__()
        self.f = MLP(2 * width + edge_channels, [width, width])
        self.g = MLP(2 * width, [width, width])

    def forward(
        self,
        h: Float[Tensor, "nodes width"],
        e: Float[Tensor, "edges channels"],
        senders: Int64[Tensor, " edges"],
        receivers: Int64[Tensor, " edges"],
        offsets: Int64[Tensor, " bounds"],
    ) -> tuple[Float[Tensor, "nodes width"], Float[Tensor, "edges width"]]:
        """Nodes and edges after the step."""
        e = self.f(_ends(h, e, senders, receivers)).relu()
        return h + self.g(torch.cat([h, segment_mean(e, offsets)], dim=1)), e


def _ends(
    h: Float[Tensor, "nodes width"],
    e: Float[Tensor, "edges channels"],
    senders: Int64[Tensor, " edges"],
    receivers: Int64[Tensor, " edges"],
) -> Float[Tensor, "edges both"]:
    """What each edge knows: its sender, its receiver and itself."""
    return torch.cat([h.index_select(0, senders), h.index_select(0, receivers), e], dim=1)
