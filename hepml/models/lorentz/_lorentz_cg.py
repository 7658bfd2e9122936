"""The Lorentz Group Network."""

from collections.abc import Sequence
from fractions import Fraction

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.lorentz import Irrep, Irreps, mass_squared, rest_frame
from hepml.models._beams import beam_momenta, beam_p4, with_beams
from hepml.models._inputs import particle_scalars, weight_dtype
from hepml.models._portions import in_portions
from hepml.nn import IrrepsLinear, IrrepsTensorProduct, RaggedBatchNorm, Standardise, psi
from hepml.ops import Edges, all_pairs, segment_gather, segment_sum

# About the number of particles in a jet, so that what is summed over them stays of order one.
_PARTICLES = 32.0
# The number of irreps grows as the square of the spin, that of their products as its fourth power.
_MOST_SPIN = 6


class LorentzCG(nn.Module):
    """The Lorentz Group Network (LGN): tensors of irreps of the Lorentz group on every particle.

    A particle starts with scalars: its mass squared and its features. Each level mixes, with a
    :class:`hepml.nn.IrrepsLinear`, three things: what the particle has, ``x_i``; the tensor product
    of that with itself, ``x_i x_i``; and the mean of what the others send,
    ``mean_j f(p_ij²) (1, p_ij) x_j`` with ``p_ij = p_i - p_j`` and learned functions f. A
    perceptron then takes the scalars among the results. The logits are linear in the sum over
    particles of the scalars of all levels.

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
        Copies of each irrep at the start and after each level: 4330 weights by default. A modern
        size is [16, 16, 16, 16], with 40 000 weights.
    max_spin
        The largest j1 and j2 that are kept: 1, as published, keeps (0,0), (1/2,1/2),
        (1,0) + (0,1) and (1,1).
    bells
        Number of bell curves ``a + b / (1 + c² s²)`` that make up the functions f of
        ``s = psi(p_ij²)``.
    scale
        Unit of momenta, in GeV.
    beams
        Whether two beams (sqrt 2, 0, 0, ±1) GeV are particles of every set, marked by a scalar.
        With them the network is invariant under those transformations that keep both, and under
        all others if they transform along; without them, under the proper Lorentz group.

    Notes
    -----
    The tensors are real, (n,n) and pairs (a,b) + (b,a), where the published network has complex
    ones of each irrep, twice as many numbers. That has 2, 3, 4, 3 channels and about 4500 weights;
    here there are more channels by default, to have about as many weights. Its 3 levels, irreps up
    to (1,1), 10 bell curves, perceptrons and unit of momenta are those of the authors' code.
    Without a restriction of the weights of pairs the network is not symmetric under reflections;
    neither is the published one.

    The network computes in the rest frame of each set. Being invariant, it gives the same there as
    everywhere; but tensors of spin n grow as the n-th power of a boost, and their invariants lose
    twice as many digits to it.

    Unlike the published network, the mean, not the sum, is taken over j; what enters a product is
    divided by ``(1 + |x|²)^(1/2)``, with the mean square |x|² of the components in the rest frame,
    so that no level squares the order of magnitude; and scalars are batch normalised before their
    perceptron, which adds to them. Without these, scalars that hardly differ from particle to
    particle differ still less after each perceptron: in 60 steps of training the loss stayed at
    that of a coin, 0.69, and with them fell to 0.33.

    References
    ----------
    A. Bogatskiy et al., Lorentz Group Equivariant Neural Network for Particle Physics, ICML 2020,
    arXiv:2006.04780, sections 5 and 6.

    Examples
    --------
    >>> p4 = torch.tensor([[5., 3., 4., 0.], [5., 4., 3., 0.], [1., 0., 0., 1.]])
    >>> LorentzCG(outputs=2)(ParticleSet(p4, torch.tensor([0, 2, 3]))).shape
    torch.Size([2, 2])
    """

    beams: Float[Tensor, "beams 3"]

    def __init__(
        self,
        *,
        outputs: int = 2,
        features: int = 0,
        context: int = 0,
        channels: Sequence[int] = (4, 5, 5, 5),
        max_spin: float = 1.0,
        bells: int = 10,
        scale: float = 10.0,
        beams: bool = True,
    ) -> None:
        super().__init__()
        self.features, self.context, self.scale = features, context, scale
        self.register_buffer("beams", beam_momenta(beams), persistent=False)
        self.standardise = Standardise(features + context)
        self.embedding = nn.Linear(2 + features + context, channels[0])
        if not 0 <= max_spin <= _MOST_SPIN:
            raise InputError(
                "max_spin",
                expected=f"a spin from 0 to {_MOST_SPIN}",
                got=str(max_spin),
                fix="take 1 or 2",
            )
        twice = int(2 * Fraction(max_spin))
        kept = Irreps(
            (1, Irrep(Fraction(a, 2), Fraction(b, 2)))
            for a in range(twice + 1)
            for b in range(twice + 1)
            if (a + b) % 2 == 0
        )
        # What memory depends on: copies, and the components of one copy of each irrep.
        self.width, self.components = max(channels), kept.dim
        irreps = Irreps([(channels[0], "(0,0)")])
        self.levels = nn.ModuleList()
        for width in channels[1:]:
            level = _Level(irreps, width, kept, bells)
            self.levels.append(level)
            irreps = level.irreps_out
        self.readout = nn.Linear(sum(channels), outputs)

    @property
    def claims(self) -> tuple[str, ...]:
        """The symmetries it claims, by their names in :data:`hepml.symmetry.SYMMETRIES`."""
        always = ("permutation", "batch composition", "beam rotation")
        if self.beams.shape[0]:
            return (*always, "lorentz with beams")
        return (*always, "beam boost", "rotation", "lorentz")

    def forward(self, particles: ParticleSet) -> Float[Tensor, "sets outputs"]:
        """The logits of each set."""
        return in_portions(
            self,
            self._logits,
            particles,
            beams=self.beams.shape[0],
            per_node=4 * self.width * self.components**2,
            per_pair=4 * self.width * self.components,
        )

    def _logits(self, particles: ParticleSet) -> Float[Tensor, "sets outputs"]:
        """The logits of each set, with all pairs at once."""
        p4, s, offsets = self._nodes(particles)
        edges = all_pairs(offsets, p4.shape[0])
        p_ij = segment_gather(p4, edges.offsets, edges.senders.shape[0]) - p4[edges.senders]
        x = self.embedding(s)
        scalars = [x]
        for level in self.levels:
            x, invariant = level(x, p_ij, edges)
            scalars.append(invariant)
        logits: Tensor = self.readout(segment_sum(torch.cat(scalars, 1), offsets) / _PARTICLES)
        return logits

    def _nodes(
        self, particles: ParticleSet
    ) -> tuple[Float[Tensor, "nodes 4"], Float[Tensor, "nodes scalars"], Int64[Tensor, " bounds"]]:
        """Momenta in the rest frame of the set, scalars and offsets of particles and beams."""
        p4, offsets = particles.p4, particles.offsets
        # Whether it is a beam, features, context.
        scalars = particle_scalars(particles, self.standardise, self.features, self.context)
        s = nn.functional.pad(scalars, (1, 0))
        beams = beam_p4(self.beams, p4.dtype)
        beam_s = nn.functional.pad(torch.ones_like(beams[:, :1]), (0, s.shape[1] - 1))
        nodes, offsets = with_beams(torch.cat([p4, s], 1), torch.cat([beams, beam_s], 1), offsets)
        p4, s = nodes[:, :4], nodes[:, 4:]
        s = torch.cat([psi(mass_squared(p4) / self.scale**2)[:, None], s], 1)
        # In float32, the sum would lose what the boost needs.
        total = segment_gather(segment_sum(p4.double(), offsets), offsets, p4.shape[0])
        dtype = weight_dtype(self)
        return (rest_frame(p4, total) / self.scale).to(dtype), s.to(dtype), offsets


class _Level(nn.Module):
    """One level: the tensor products, their mixing, and the perceptron on scalars."""

    def __init__(self, irreps: Irreps, width: int, kept: Irreps, bells: int) -> None:
        super().__init__()
        self.width, copies = width, irreps[0].mul
        self.radial = _Bells(bells, 2 * copies)
        self.message = IrrepsTensorProduct(
            Irreps([(copies, "(0,0)"), (copies, "(1/2,1/2)")]), irreps, only=kept
        )
        self.square = IrrepsTensorProduct(irreps, irreps, only=kept)
        self.irreps_out = width * kept.sorted()
        self.mix = IrrepsLinear(
            irreps + self.square.irreps_out + self.message.irreps_out, self.irreps_out
        )
        layers: list[nn.Module] = []
        for inputs in (width, 2 * width, 2 * width):
            layers += [nn.Linear(inputs, 2 * width), nn.LeakyReLU()]
        self.perceptron = nn.Sequential(*layers, nn.Linear(2 * width, width))
        self.norm = RaggedBatchNorm(width)

    def forward(
        self,
        x: Float[Tensor, "nodes dim"],
        p_ij: Float[Tensor, "edges 4"],
        edges: Edges,
    ) -> tuple[Float[Tensor, "nodes dim_out"], Float[Tensor, "nodes width"]]:
        """The tensors of the nodes, and the scalars among them."""
        f_scalar, f_vector = self.radial(psi(mass_squared(p_ij))).chunk(2, -1)
        edge = torch.cat([f_scalar, (f_vector[:, :, None] * p_ij[:, None]).flatten(1)], 1)
        x, received = _bounded(x), _bounded(self.message.message(edge, x, edges))
        x = self.mix(torch.cat([x, self.square(x, x), received], 1))
        scalars = self.norm(x[:, : self.width])
        scalars = scalars + self.perceptron(scalars)
        return torch.cat([scalars, x[:, self.width :]], 1), scalars


def _bounded(x: Float[Tensor, "nodes dim"]) -> Float[Tensor, "nodes dim"]:
    """The tensors of a node, at a length that is bounded."""
    return x * (1 + x.square().mean(1, keepdim=True)).rsqrt()


class _Bells(nn.Module):
    """Functions of one invariant, linear in the bell curves ``a + b / (1 + c² s²)``."""

    def __init__(self, bells: int, functions: int) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(bells)), nn.Parameter(torch.randn(bells))
        # Widths of all sizes that invariants of particles in a jet have.
        self.c = nn.Parameter(torch.logspace(0, 4, bells))
        self.mix = nn.Linear(bells, functions)

    def forward(self, s: Float[Tensor, " edges"]) -> Float[Tensor, "edges functions"]:
        """The functions of each invariant."""
        bells = self.a + self.b / (1 + (self.c * s[:, None]).square())
        functions: Tensor = self.mix(bells)
        return functions
