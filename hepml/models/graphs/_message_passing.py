"""Message passing with gated recurrent updates."""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.lorentz import eta, phi
from hepml.models._inputs import check_particles, checked_per, particle_scalars, weight_dtype
from hepml.models._portions import in_portions
from hepml.nn import MLP, DeepItems, DeepSets, JetKinematics, LearnedAdjacency, Standardise
from hepml.ops import (
    Edges,
    all_pairs,
    nearest_neighbours,
    segment_gather,
    segment_mean,
    segment_sum,
)

ADJACENCIES = ("full", "nearest", "learned")

# Beyond any detector; in place of the infinite pseudorapidity along the beam.
_LARGEST_ETA = 100.0


class MessagePassing(nn.Module):
    """Message passing on the particles of a set, T steps of

    ``m~_j = f(h_j)``, ``m_{j->i} = sigma(A_ij m~_j)``, ``h_i = GRU(h_i, sum_j m_{j->i})``,

    then a readout ``F(sum_i Phi(h_i))``. f and the GRU are the same in each step; sigma is ReLU.

    Parameters
    ----------
    outputs
        Number of classes, or of other outputs.
    features
        Number of features of each particle, read beside the kinematics that come from its momentum.
    context
        Number of channels of the context of each set, which every particle of the set reads beside
        its features: that of an empty set is not seen.
    width
        Number of channels of h and of the messages.
    steps
        T, how often messages are passed.
    adjacency
        Who sends to whom, with rows of A that sum to one. ``"full"``: all other particles of the
        set, A_ij = 1 / (n - 1). ``"nearest"``: the nearest neighbours in (eta, phi), all with the
        same A_ij. ``"learned"``: all others, A_ij = softmax over j of a learned score of
        (h_i, h_j), anew in each step, see :class:`~hepml.nn.LearnedAdjacency`.
    neighbours
        How many neighbours send to a particle, of the adjacency ``"nearest"``.
    per
        What has a row of outputs: each "set"; or each "particle", for which F sees ``Phi(h_i)``
        beside the sum.

    Raises
    ------
    InputError
        If the adjacency is not one of these.

    Notes
    -----
    No particle sends to itself; the GRU holds its own state. A particle alone receives 0, an empty
    set has the output F(0). Were A_ij 1 in the sets of some 50 particles for which this is made,
    the GRU would start in saturation; how many particles there are, the readout knows from its sum.

    References
    ----------
    I. Henrion et al., Neural Message Passing for Jet Physics, DLPS workshop at NIPS 2017.
    J. Gilmer et al., Neural Message Passing for Quantum Chemistry, ICML 2017, arXiv:1704.01212.
    Nearest neighbours in (eta, phi): H. Qu, L. Gouskos, arXiv:1902.08570.

    Examples
    --------
    >>> p4 = torch.tensor([[5., 3., 4., 0.], [5., 4., 3., 0.], [1., 0., 0., 1.]])
    >>> MessagePassing(adjacency="nearest")(ParticleSet(p4, torch.tensor([0, 2, 3]))).shape
    torch.Size([2, 2])
    """

    def __init__(
        self,
        *,
        outputs: int = 2,
        features: int = 0,
        context: int = 0,
        width: int = 64,
        steps: int = 3,
        adjacency: Literal["full", "nearest", "learned"] = "full",
        neighbours: int = 16,
        per: Literal["set", "particle"] = "set",
    ) -> None:
        super().__init__()
        if adjacency not in ADJACENCIES:
            raise InputError(
                "adjacency",
                expected=" or ".join(map(repr, ADJACENCIES)),
                got=repr(adjacency),
                fix="choose one of them",
            )
        self.features, self.context, self.steps = features, context, steps
        self.adjacency, self.neighbours = adjacency, neighbours
        self.standardise = Standardise(features + context)
        self.kinematics = JetKinematics()
        self.embedding = MLP(self.kinematics.channels + features + context, [width, width])
        self.f = MLP(width, [width, width])
        self.a = LearnedAdjacency(width) if adjacency == "learned" else None
        self.gru = nn.GRUCell(width, width)
        kind, seen = (DeepSets, 1) if checked_per(per) == "set" else (DeepItems, 2)
        self.readout = kind(
            nn.Sequential(nn.Linear(width, width), nn.ReLU()), MLP(seen * width, [width, outputs])
        )

    @property
    def claims(self) -> tuple[str, ...]:
        """The symmetries it claims, by their names in :data:`hepml.symmetry.SYMMETRIES`."""
        return ("permutation", "batch composition", "beam rotation")

    def forward(self, particles: ParticleSet) -> Float[Tensor, "rows outputs"]:
        """The logits of each set, or of each particle."""
        check_particles(particles)
        if self.adjacency == "full":
            return self._logits(particles)
        width = self.gru.hidden_size
        return in_portions(
            self, self._logits, particles, per_node=20 * width, per_pair=16 + 3 * width
        )

    def _logits(self, particles: ParticleSet) -> Float[Tensor, "rows outputs"]:
        """The logits with all pairs at once."""
        p4, offsets = particles.p4, particles.offsets
        scalars = particle_scalars(particles, self.standardise, self.features, self.context)
        inputs = torch.cat([self.kinematics(p4, offsets), scalars], dim=1)
        h: Tensor = self.embedding(inputs.to(weight_dtype(self))).tanh()
        edges = self._edges(p4, offsets)
        for _ in range(self.steps):
            h = self.gru(self._received(h, offsets, edges), h)
        logits: Tensor = self.readout(h, offsets)
        return logits

    def _edges(
        self, p4: Float[Tensor, "particles 4"], offsets: Int64[Tensor, " bounds"]
    ) -> Edges | None:
        """Who sends to whom; None where all do, with the same weight."""
        if self.adjacency == "nearest":
            directions = torch.stack([eta(p4).clamp(-_LARGEST_ETA, _LARGEST_ETA), phi(p4)], 1)
            period = (None, 2 * math.pi)
            return nearest_neighbours(directions, offsets, self.neighbours, period=period)
        return all_pairs(offsets, p4.shape[0]) if self.adjacency == "learned" else None

    def _received(
        self,
        h: Float[Tensor, "particles width"],
        offsets: Int64[Tensor, " bounds"],
        edges: Edges | None,
    ) -> Float[Tensor, "particles width"]:
        """The sum of the messages to each particle, ``sum_j sigma(A_ij m~_j)``."""
        message: Tensor = self.f(h)
        if edges is None:
            # All receive the same sum but for their own message: no need of the edges.
            sent = message.relu()
            total = segment_gather(segment_sum(sent, offsets), offsets, h.shape[0])
            others = segment_gather(offsets.diff(), offsets, h.shape[0]) - 1
            return (total - sent) / others.clamp(min=1)[:, None]
        sent = message.index_select(0, edges.senders)
        if self.a is None:
            return segment_mean(sent.relu(), edges.offsets)
        return segment_sum((self.a(h, edges)[:, None] * sent).relu(), edges.offsets)
