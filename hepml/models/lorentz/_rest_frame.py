"""A network in the rest frame of the set, equivariant under rotations and reflections by e3nn."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.lorentz import rest_frame
from hepml.models._beams import beam_momenta, with_beams
from hepml.models._inputs import particle_scalars, weight_dtype
from hepml.models._portions import in_portions
from hepml.nn import MLP, Standardise
from hepml.ops import Edges, all_pairs, segment_gather, segment_mean, segment_sum

# About the number of particles in a jet, so that what is summed over them stays of order one.
_PARTICLES = 32.0
# Energy in GeV, in the rest frame, below which directions fade.
_SOFT = 0.1
# Squared distances of velocities, two directions 0.1 rad apart, between linear and logarithmic.
_NEAR = 0.01
# e3nn has no spherical harmonics beyond.
_MOST_DEGREE = 11


class RestFrame(nn.Module):
    """Invariance by a choice of frame: an O(3)-equivariant network in the rest frame of each set.

    All momenta of a set are boosted to the rest frame of their sum. A boost or rotation of the set
    turns what is seen there, by the Wigner rotation, and nothing else; a reflection reflects it. So
    a network there that is invariant under rotations and reflections makes logits that are
    invariant under the Lorentz group. This one is built on e3nn.

    A particle with energy E and momentum p in the rest frame has the velocity
    ``v = p / (e² + (0.1 GeV)²)^(1/2)`` with ``e² = (E² + p²) / 2``, which without a mass is E². It
    starts with ``channels`` of the spherical harmonics of v up to a degree, each times a linear
    function of its scalars: ``ln(1 + e²)``, that of the set, and its features. In each block it
    receives

    ``m_i = mean_j R(h_i, h_j, |v_i - v_j|²) x_j``

    from all others, where R, a perceptron of the scalars h among the channels (in which the
    energies are), has an output for each channel and degree. ``y_i = Linear(x_i, m_i)``, divided by
    ``(1 + |y_i|²)^(1/2)``, is multiplied with itself channel by channel, and ``x_i`` grows by
    ``Gate(Linear(y_i, y_i y_i))``. The logits are a perceptron of the sums over particles of the
    scalars before and after each block.

    Parameters
    ----------
    outputs
        Number of classes, or of other outputs.
    features
        Number of features of each particle; they must be Lorentz scalars, such as charge and type,
        for the symmetry to hold.
    context
        Number of channels of the context of each set, which every particle of the set reads beside
        its features: Lorentz scalars as well. That of an empty set is not seen.
    channels
        Copies of the spherical harmonics of each degree.
    blocks
        Number of rounds of messages.
    degree
        The largest degree of the spherical harmonics, at least 1.
    beams
        Whether the directions of both beams, boosted along, are among the particles of every set,
        marked by a scalar. With them the network is invariant under those transformations that keep
        the axis (boosts along it, rotations about it, reflections): it can see the transverse
        momentum; without them, under all.

    Notes
    -----
    The sum of the momenta, and the boost, are in float64 whatever the precision of the network.
    What float32 still costs is what rounding did to the momenta: energies in the rest frame of a
    set with E/M = gamma have gamma² times their relative error.

    Velocities instead of directions, since a particle at rest has none. A set without a rest frame,
    all light-like and parallel, gets a frame by :func:`hepml.lorentz.rest_frame` in which all
    energies are so small that neither they nor the directions are seen: one of a very small mass.

    References
    ----------
    M. Geiger and T. Smidt, e3nn: Euclidean neural networks, arXiv:2207.09453. Messages and products
    follow S. Batzner et al., Nature Commun. 13 (2022) 2453, arXiv:2101.03164, and I. Batatia et
    al., NeurIPS 2022, arXiv:2206.07697.
    """

    beams: Float[Tensor, "beams 4"]

    def __init__(
        self,
        *,
        outputs: int = 2,
        features: int = 0,
        context: int = 0,
        channels: int = 16,
        blocks: int = 2,
        degree: int = 2,
        beams: bool = False,
    ) -> None:
        super().__init__()
        if not 1 <= degree <= _MOST_DEGREE:
            raise InputError(
                "degree",
                expected=f"a whole number from 1 to {_MOST_DEGREE}",
                got=str(degree),
                fix="take 2 or 3",
            )
        o3 = _e3nn().o3
        self.features, self.context, self.channels = features, context, channels
        light_like = nn.functional.pad(beam_momenta(beams), (1, 0), value=1.0)
        self.register_buffer("beams", light_like, persistent=False)
        self.standardise = Standardise(features + context)
        self.degrees = list(range(degree + 1))
        self.spherical_harmonics: Callable[..., Tensor] = o3.spherical_harmonics
        irreps = o3.Irreps([(channels, (k, (-1) ** k)) for k in self.degrees])
        self.embedding = nn.Linear(3 + features + context, channels * len(self.degrees))
        self.blocks = nn.ModuleList(_Block(irreps) for _ in range(blocks))
        self.readout = MLP((blocks + 1) * channels, [2 * channels, outputs])

    @property
    def claims(self) -> tuple[str, ...]:
        """The symmetries it claims, by their names in :data:`hepml.symmetry.SYMMETRIES`."""
        always = ("permutation", "batch composition", "beam rotation", "beam boost", "parity")
        if self.beams.shape[0]:
            return (*always, "lorentz with beams")
        return (*always, "time reversal", "rotation", "lorentz")

    def forward(self, particles: ParticleSet) -> Float[Tensor, "sets outputs"]:
        """The logits of each set."""
        columns = self.channels * len(self.degrees) ** 2
        return in_portions(
            self,
            self._logits,
            particles,
            beams=self.beams.shape[0],
            per_node=20 * columns,
            per_pair=3 * columns,
        )

    def _logits(self, particles: ParticleSet) -> Float[Tensor, "sets outputs"]:
        """The logits of each set, with all pairs at once."""
        v, s, offsets = self._nodes(particles)
        edges = all_pairs(offsets, v.shape[0])
        v_i = segment_gather(v, edges.offsets, edges.senders.shape[0])
        distance = (v_i - v.index_select(0, edges.senders)).square().sum(1, keepdim=True)
        distance = torch.cat([distance, (1 + distance / _NEAR).log()], 1)
        weights = torch.split(self.embedding(s), self.channels, 1)
        y = self.spherical_harmonics(self.degrees, v, normalize=False, normalization="component")
        each = torch.split(y, [2 * k + 1 for k in self.degrees], 1)
        x = torch.cat([_outer(w, y_k) for w, y_k in zip(weights, each, strict=True)], 1)
        scalars = [x[:, : self.channels]]
        for block in self.blocks:
            x = block(x, distance, edges)
            scalars.append(x[:, : self.channels])
        logits: Tensor = self.readout(segment_sum(torch.cat(scalars, 1), offsets) / _PARTICLES)
        return logits

    def _nodes(
        self, particles: ParticleSet
    ) -> tuple[Float[Tensor, "nodes 3"], Float[Tensor, "nodes scalars"], Int64[Tensor, " bounds"]]:
        """Velocities, scalars and offsets of the nodes: directions of the beams, particles."""
        scalars = particle_scalars(particles, self.standardise, self.features, self.context)
        beams = self.beams.to(particles.p4.dtype)
        mark = nn.functional.pad(torch.ones_like(beams[:, :1]), (0, scalars.shape[1]))
        nodes, offsets = with_beams(
            torch.cat([particles.p4, nn.functional.pad(scalars, (1, 0))], 1),
            torch.cat([beams, mark], 1),
            particles.offsets,
        )
        p4, s = nodes[:, :4], nodes[:, 4:]
        total = segment_sum(particles.p4.double(), particles.offsets)
        p4 = rest_frame(p4, segment_gather(total, offsets, p4.shape[0]))
        # The direction of a beam has neither energy nor softness that a boost along it would keep.
        energy, particle = p4.square().sum(1, keepdim=True) / 2, 1 - s[:, :1]
        v = p4[:, 1:] * (energy + particle * _SOFT**2).rsqrt()
        energy = particle * energy
        of_set = segment_gather(segment_sum(energy, offsets), offsets, p4.shape[0])
        s = torch.cat([energy.log1p(), of_set.log1p(), s], 1)
        dtype = weight_dtype(self)
        return v.to(dtype), s.to(dtype), offsets


class _Block(nn.Module):
    """Messages weighted by radial functions, and the product of what came with itself."""

    def __init__(self, irreps: Any) -> None:
        super().__init__()
        e3nn = _e3nn()
        self.channels = irreps[0].mul
        self.dims = [ir.dim for _, ir in irreps]
        degrees, width = len(irreps), self.channels
        self.from_receiver = nn.Linear(self.channels, width)
        self.from_sender = nn.Linear(self.channels, width, bias=False)
        self.from_distance = nn.Linear(2, width, bias=False)
        self.radial = nn.Linear(width, degrees * self.channels)
        scalars, others = irreps[:1], irreps[1:]
        gates = e3nn.o3.Irreps([(others.num_irreps, "0e")])
        silu, sigmoid = nn.functional.silu, torch.sigmoid
        self.gate = e3nn.nn.Gate(scalars, [silu], gates, [sigmoid], others)
        self.mix = e3nn.o3.Linear(irreps + irreps, irreps, biases=True)
        paths = [
            (i, j, k, "uuu", True)
            for i, (_, left) in enumerate(irreps)
            for j, (_, right) in enumerate(irreps[i:], i)
            for k, (_, ir) in enumerate(irreps)
            if ir in left * right
        ]
        self.product = e3nn.o3.TensorProduct(irreps, irreps, irreps, paths)
        self.out = e3nn.o3.Linear(irreps + irreps, self.gate.irreps_in, biases=True)
        # A checkpoint holds weights; all buffers are constants.
        for module in list(self.modules()):
            for name, buffer in list(module.named_buffers(recurse=False)):
                module.register_buffer(name, buffer, persistent=False)
        self._apply(lambda tensor: tensor)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "_Block":
        """Convert; e3nn's coefficients anew, since rounded ones break the symmetry in float64."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, buffer in self.product.named_buffers():
            _, _, found = name.rpartition("_w3j_")
            if found != name:
                l1, l2, l3 = map(int, found.split("_"))
                buffer.copy_(_e3nn().o3.wigner_3j(l1, l2, l3, dtype=torch.float64))
        return self

    def forward(
        self,
        x: Float[Tensor, "nodes dim"],
        distance: Float[Tensor, "edges 2"],
        edges: Edges,
    ) -> Float[Tensor, "nodes dim"]:
        """The channels after the block."""
        h = x[:, : self.channels]
        hidden = segment_gather(self.from_receiver(h), edges.offsets, edges.senders.shape[0])
        hidden.add_(self.from_sender(h).index_select(0, edges.senders))
        hidden.add_(self.from_distance(distance))
        weights = torch.split(self.radial(nn.functional.silu(hidden)), self.channels, 1)
        each = torch.split(x, [self.channels * dim for dim in self.dims], 1)
        received = torch.cat(
            [self._received(w, x_k, edges) for w, x_k in zip(weights, each, strict=True)], 1
        )
        y = self.mix(torch.cat([x, received], 1))
        # Of a length that is bounded: else every block would square the order of magnitude.
        y = y * (1 + y.square().mean(1, keepdim=True)).rsqrt()
        change: Tensor = self.gate(self.out(torch.cat([y, self.product(y, y)], 1)))
        return x + change

    def _received(
        self,
        weights: Float[Tensor, "edges channels"],
        x: Float[Tensor, "nodes columns"],
        edges: Edges,
    ) -> Float[Tensor, "nodes columns"]:
        """The mean over the senders, each channel times its weight."""
        # With the channels innermost, which are more than the components, it is faster.
        x = x.reshape(-1, self.channels, x.shape[1] // self.channels).mT.contiguous()
        sent = weights[:, None] * x.index_select(0, edges.senders)
        received = segment_mean(sent.flatten(1), edges.offsets)
        return received.reshape(x.shape).mT.flatten(1)


def _outer(
    weights: Float[Tensor, "items channels"], y: Float[Tensor, "items components"]
) -> Float[Tensor, "items columns"]:
    """A copy for each channel, times its weight."""
    return (weights[:, :, None] * y[:, None]).flatten(1)


def _e3nn() -> Any:
    """e3nn, which is imported when the first network is made: that takes a second."""
    import_module("e3nn.nn")
    return import_module("e3nn")
