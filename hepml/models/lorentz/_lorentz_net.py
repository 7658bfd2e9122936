"""LorentzNet, and the authors' released checkpoints of it."""

import re
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.lorentz import mass_squared, rest_frame
from hepml.models._beams import beam_momenta, beam_p4, with_beams
from hepml.models._inputs import particle_scalars, weight_dtype
from hepml.nn import LorentzBlock, Standardise, psi
from hepml.ops import segment_gather, segment_mean, segment_sum


class LorentzNet(nn.Module):
    """LorentzNet: Lorentz group equivariant blocks on the fully connected graph of a set.

    Each particle is a node with its momentum and the scalars ``psi(sqrt(|p·p|))``, in the first
    channel, and its features. Two beams (sqrt 2, 0, 0, ±1) GeV are nodes of every set, with this
    scalar in the second channel: the top tagging set-up of the paper. The logits come from the mean
    of the last channels over the nodes of the set.

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
    width
        Number of channels of each node.
    blocks
        Number of equivariant blocks.
    c
        Size of the step in the momenta of each block.
    dropout
        Fraction of the channels that training drops before the last layer.
    beams
        Whether the beams are added. With them the network is invariant under those transformations
        that keep both (rotations about the beam, reflections), and under all others if they
        transform along; without them, under the whole Lorentz group.
    mass_resolution
        A mass below ``m² = mass_resolution eps E²`` is taken for rounding and set to 0, where eps
        is the precision of the floating-point type. 0 takes every mass as it comes, as the
        published network does.

    Notes
    -----
    Unlike the published code: no component of a momentum step is clamped, which would break the
    symmetry; the mean runs over the nodes of the set, not over the padded length; and a mass below
    what the floating-point type can resolve is 0: rounding alone would give a photon of 300 GeV a
    mass of 0.2 GeV in float32, another one in each frame.

    The blocks work in the rest frame of each set. Being invariant, the network gives the same there
    as everywhere; but products of momenta lose the square of a boost, and the blocks round the
    momenta that they move.

    Momenta may come in float64 to weights in float32: they, and their products, stay in float64.
    Boosted by gamma = 10, momenta in float32 do not hold the masses of light particles any more.

    References
    ----------
    S. Gong et al., JHEP 07 (2022) 030, arXiv:2201.08187. The defaults are those of its top tagging
    network.

    Examples
    --------
    >>> p4 = torch.tensor([[5., 3., 4., 0.], [5., 4., 3., 0.], [1., 0., 0., 1.]])
    >>> LorentzNet(outputs=2)(ParticleSet(p4, torch.tensor([0, 2, 3]))).shape
    torch.Size([2, 2])
    """

    beams: Float[Tensor, "beams 3"]

    def __init__(
        self,
        *,
        outputs: int = 2,
        features: int = 0,
        context: int = 0,
        width: int = 72,
        blocks: int = 6,
        c: float = 5e-3,
        dropout: float = 0.2,
        beams: bool = True,
        mass_resolution: float = 8.0,
    ) -> None:
        super().__init__()
        self.features, self.context, self.mass_resolution = features, context, mass_resolution
        self.register_buffer("beams", beam_momenta(beams), persistent=False)
        self.standardise = Standardise(features + context)
        scalars = (2 if beams else 1) + features + context
        self.embedding = nn.Linear(scalars, width)
        self.blocks = nn.ModuleList(
            LorentzBlock(width, scalars, c=c, moves=i < blocks - 1) for i in range(blocks)
        )
        self.decoder = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, outputs)
        )

    @property
    def claims(self) -> tuple[str, ...]:
        """The symmetries it claims, by their names in :data:`hepml.symmetry.SYMMETRIES`."""
        always = ("permutation", "batch composition", "beam rotation", "parity")
        if self.beams.shape[0]:
            return (*always, "lorentz with beams")
        return (*always, "time reversal", "beam boost", "rotation", "lorentz")

    def forward(self, particles: ParticleSet) -> Float[Tensor, "sets outputs"]:
        """The logits of each set."""
        x, s, offsets = self._nodes(particles)
        dtype = weight_dtype(self)
        x, s = _at_rest(x.to(torch.promote_types(x.dtype, dtype)), offsets), s.to(dtype)
        h = self.embedding(s)
        for block in self.blocks:
            x, h = block(x, h, s, offsets)
        logits: Tensor = self.decoder(segment_mean(h, offsets))
        return logits

    def _nodes(
        self, particles: ParticleSet
    ) -> tuple[Float[Tensor, "nodes 4"], Float[Tensor, "nodes scalars"], Int64[Tensor, " bounds"]]:
        """Momenta, scalars and offsets of the nodes: the beams of each set, then its particles."""
        scalars = particle_scalars(particles, self.standardise, self.features, self.context)
        p4, offsets = particles.p4, particles.offsets
        mass = self._mass_scalar(p4)
        if not self.beams.shape[0]:
            return p4, torch.cat([mass, scalars], dim=1), offsets
        beams = beam_p4(self.beams, p4.dtype)
        beam_scalars = nn.functional.pad(self._mass_scalar(beams), (1, scalars.shape[1]))
        nodes, offsets = with_beams(
            torch.cat([p4, mass, torch.zeros_like(mass), scalars], dim=1),
            torch.cat([beams, beam_scalars], dim=1),
            offsets,
        )
        return nodes[:, :4], nodes[:, 4:], offsets

    def _mass_scalar(self, p4: Float[Tensor, "nodes 4"]) -> Float[Tensor, "nodes 1"]:
        """``psi(sqrt(|p·p|))``; 0, with no derivative, where rounding alone can give that mass."""
        square = mass_squared(p4).abs()
        smallest = self.mass_resolution * torch.finfo(p4.dtype).eps * p4[:, 0].square()
        # Not its opposite, which NaN fails, too.
        light = square <= smallest
        return torch.where(light, 0.0, psi(torch.where(light, 1.0, square).sqrt()))[:, None]

    @classmethod
    def from_published(
        cls,
        state_dict: Mapping[str, Tensor],
        *,
        c: float = 5e-3,
        dropout: float = 0.2,
        beams: bool = True,
    ) -> "LorentzNet":
        """The network with the weights of the authors' code, ready for inference.

        Parameters
        ----------
        state_dict
            Their model's state: keys ``embedding``, ``LGEBs.i.phi_e``, ``graph_dec`` and so on,
            each with an optional prefix ``module.``. The sizes are read from the tensors.
        c, dropout
            Settings that the state does not hold; the defaults are those of the released top
            tagging checkpoint. The released quark-gluon checkpoint has c = 1e-3.
        beams
            Whether the state belongs to the top tagging set-up: two scalars of masses, then the
            features. Without, as in the quark-gluon checkpoint, all scalars are features; the mass,
            which that network does not see, gets the weight 0.

        Raises
        ------
        InputError
            If keys are missing or unknown, or if a size does not fit.

        Notes
        -----
        The logits are the authors' on jets without padding for which no component of a momentum
        step reaches the bound of ±100 at which their code clamps it. Masses are taken as they come,
        ``mass_resolution=0``, but from sums in float64: where theirs are sums in float32, they are
        rounding noise for light particles, to which their network is not blind.
        """
        state = {_our_key(key): value for key, value in state_dict.items()}
        try:
            width, scalars = state["embedding.weight"].shape
            if beams and scalars < 2:
                raise ValueError(f"{scalars} scalars, but the masses of particles and beams are 2")
            model = cls(
                outputs=state["decoder.3.weight"].shape[0],
                features=scalars - 2 if beams else scalars,
                width=width,
                blocks=len({key.split(".")[1] for key in state if key.startswith("blocks.")}),
                c=c,
                dropout=dropout,
                beams=beams,
                mass_resolution=0.0,
            )
            model = model.to(state["embedding.weight"].dtype)
            model.load_state_dict(state if beams else _with_mass(state, scalars))
        except (KeyError, ValueError, RuntimeError) as error:
            raise InputError(
                "state_dict",
                expected="the state of the authors' LorentzNet: embedding.weight, "
                "LGEBs.0.phi_e.0.weight, ..., graph_dec.3.bias",
                got=f"{type(error).__name__}: {error}",
                fix="load their best-val-model.pt with torch.load(path, weights_only=True); "
                "pass beams=False for a network without beams",
            ) from error
        return model.eval()


def _at_rest(
    p4: Float[Tensor, "nodes 4"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "nodes 4"]:
    """The momenta where the sum of each set, beams included, is at rest.

    The frame is a constant for derivatives: nothing depends on it. With the beams, it is no large
    boost even where all particles are light-like and parallel.
    """
    total = segment_sum(p4.detach().double(), offsets)
    return rest_frame(p4, segment_gather(total, offsets, p4.shape[0]))


def _our_key(key: str) -> str:
    """The name of a parameter here, from that in the authors' code."""
    key = re.sub(r"^(module\.)?", "", key)
    return re.sub(r"^LGEBs\.", "blocks.", re.sub(r"^graph_dec\.", "decoder.", key))


def _with_mass(state: Mapping[str, Tensor], scalars: int) -> dict[str, Tensor]:
    """The state of a network that reads a mass before its other scalars, with weight 0."""

    def widen(key: str, weight: Tensor) -> Tensor:
        if key != "embedding.weight" and not key.endswith("phi_h.0.weight"):
            return weight
        others, of_scalars = weight.tensor_split([weight.shape[1] - scalars], dim=1)
        return torch.cat([others, of_scalars.new_zeros(len(weight), 1), of_scalars], dim=1)

    return {key: widen(key, weight) for key, weight in state.items()}
