"""Networks of other packages behind the signature of hepml: a ParticleSet in, logits out.

They serve the comparisons in this folder. Each is built as its authors document it, with the sizes
they train on top tagging; what they pad is padded here. A package that is not installed leaves its
networks out:

    pip install lgatr pelican-lite weaver-core
"""

import importlib.util
import logging

import torch
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.lorentz import delta_eta, delta_phi
from hepml.nn import JetKinematics
from hepml.ops import segment_gather, segment_index, segment_sum


def padded(rows: Tensor, offsets: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
    """Rows as (sets, length, ...) with zeros behind them, and which are real.

    ``first`` places in front of each set are left free, and are real.
    """
    counts = offsets.diff()
    length = first + int(counts.max()) if len(counts) else first
    place = torch.arange(length, device=rows.device)
    real = place < (first + counts)[:, None]
    out = rows.new_zeros(len(counts), length, *rows.shape[1:])
    out[real & (place >= first)] = rows
    return out, real


class Lgatr(nn.Module):
    """L-GATr (Brehmer et al., 2411.00446): 12 blocks, 16 multivector and 32 scalar channels.

    A token in front of the particles collects what leads to the logits. With beams, the beam
    direction and the time direction enter as further tokens.
    """

    def __init__(self, outputs: int = 2, *, beams: bool = True, blocks: int = 12) -> None:
        super().__init__()
        from lgatr import LGATr
        from lgatr.interface import get_spurions

        spurions = get_spurions("xyplane", add_time_spurion=True) if beams else torch.zeros(0, 16)
        self.register_buffer("spurions", spurions, persistent=False)
        self.network = LGATr(
            num_blocks=blocks,
            in_mv_channels=1,
            out_mv_channels=outputs,
            hidden_mv_channels=16,
            in_s_channels=1,
            out_s_channels=0,
            hidden_s_channels=32,
            attention={"num_heads": 8},
            mlp={},
        )

    def forward(self, particles: ParticleSet) -> Tensor:
        from lgatr.interface import embed_vector, extract_scalar

        # In units of 20 GeV, as the authors divide the momenta of jets.
        first = 1 + len(self.spurions)
        rows = embed_vector(particles.p4 / 20)
        tokens, real = padded(rows, particles.offsets, first)
        tokens[:, 1:first] = self.spurions.to(tokens.dtype)
        scalars = tokens.new_zeros(*tokens.shape[:2], 1)
        scalars[:, 0] = 1
        out, _ = self.network(tokens[:, :, None], scalars, attn_mask=real[:, None, None])
        return extract_scalar(out[:, 0])[..., 0]


class LgatrSlim(nn.Module):
    """L-GATr-slim (Petitjean et al., 2512.17011): scalars and vectors alone.

    Of the size of :class:`Lgatr` in channels: 12 blocks, 32 vectors and 96 scalars.
    """

    def __init__(self, outputs: int = 2, *, beams: bool = True, blocks: int = 12) -> None:
        super().__init__()
        from lgatr import LGATrSlim

        # Along both beams, and at rest.
        vectors = torch.tensor([[1.0, 0, 0, 1], [1, 0, 0, -1], [1, 0, 0, 0]])
        self.register_buffer("spurions", vectors if beams else vectors[:0], persistent=False)
        self.network = LGATrSlim(
            num_blocks=blocks,
            in_v_channels=1,
            out_v_channels=1,
            hidden_v_channels=32,
            in_s_channels=1,
            out_s_channels=outputs,
            hidden_s_channels=96,
            num_heads=8,
        )

    def forward(self, particles: ParticleSet) -> Tensor:
        first = 1 + len(self.spurions)
        tokens, real = padded(particles.p4 / 20, particles.offsets, first)
        tokens[:, 1:first] = self.spurions.to(tokens.dtype)
        scalars = tokens.new_zeros(*tokens.shape[:2], 1)
        scalars[:, 0] = 1
        _, out = self.network(tokens[:, :, None], scalars, attn_mask=real[:, None, None])
        return out[:, 0]


class Pelican(nn.Module):
    """PELICAN (Bogatskiy et al., 2211.00454) of pelican-lite: 5 blocks of 132 channels on pairs.

    The beams (1, 0, 0, ±1) join the particles of a set, marked by a channel of their own.
    """

    def __init__(self, outputs: int = 2, *, beams: bool = True, blocks: int = 5) -> None:
        super().__init__()
        from pelican.nets import PELICAN

        vectors = torch.tensor([[1.0, 0, 0, 1], [1, 0, 0, -1]])
        self.register_buffer("spurions", vectors if beams else vectors[:0], persistent=False)
        self.network = PELICAN(
            in_channels_rank2=1,
            in_channels_rank1=1,
            in_channels_rank0=0,
            out_rank=0,
            out_channels=outputs,
            num_blocks=blocks,
            hidden_channels=132,
            increase_hidden_channels=0.59,
            factorize=True,
            activation="gelu",
        )

    def forward(self, particles: ParticleSet) -> Tensor:
        from pelican.utils import get_edge_attr, get_edge_index_from_ptr

        beams = len(self.spurions)
        with_beams, real = padded(particles.p4, particles.offsets, beams)
        with_beams[:, :beams] = self.spurions.to(particles.dtype)
        is_beam = torch.zeros_like(with_beams[..., :1])
        is_beam[:, :beams] = 1
        p4, of_beam = with_beams[real], is_beam[real]
        offsets = particles.offsets + beams * torch.arange(len(particles) + 1)
        edges = get_edge_index_from_ptr(offsets, p4.shape, remove_self_loops=False)
        return self.network(
            edges,
            segment_index(offsets, len(p4)),
            in_rank2=get_edge_attr(p4, edges)[:, None],
            in_rank1=of_beam,
            num_graphs=len(particles),
        )


class _Weaver(nn.Module):
    """The seven kinematic inputs of weaver's networks, padded."""

    def __init__(self) -> None:
        super().__init__()
        logging.getLogger("weaver").setLevel(logging.ERROR)
        self.kinematics = JetKinematics()

    def inputs(self, particles: ParticleSet) -> tuple[Tensor, Tensor]:
        """(sets, 7, length), and which particles are real, (sets, 1, length)."""
        rows, real = padded(self.kinematics(particles.p4, particles.offsets), particles.offsets)
        return rows.mT.contiguous(), real[:, None]


class ParticleNet(_Weaver):
    """ParticleNet (Qu, Gouskos, 1902.08570) of weaver-core, in its published size."""

    fewest = 17  # particles in the largest set: one and its 16 neighbours

    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        from weaver.nn.model.ParticleNet import ParticleNet as Network

        self.network = Network(
            input_dims=7,
            num_classes=outputs,
            conv_params=[(16, (64, 64, 64)), (16, (128, 128, 128)), (16, (256, 256, 256))],
            fc_params=[(256, 0.1)],
            use_fusion=False,
        )

    def forward(self, particles: ParticleSet) -> Tensor:
        features, real = self.inputs(particles)
        p4, offsets = particles.p4, particles.offsets
        jet = segment_gather(segment_sum(p4, offsets), offsets, len(p4))
        points = torch.stack([delta_eta(p4, jet), delta_phi(p4, jet)], dim=1)
        return self.network(padded(points, offsets)[0].mT, features, real)


class ParT(_Weaver):
    """Particle Transformer (Qu, Li, Qian, 2202.03772) of weaver-core, in its published size."""

    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        from weaver.nn.model.ParticleTransformer import ParticleTransformer

        self.network = ParticleTransformer(input_dim=7, num_classes=outputs, pair_input_dim=4)

    def forward(self, particles: ParticleSet) -> Tensor:
        features, real = self.inputs(particles)
        # As (px, py, pz, E).
        vectors = padded(particles.p4[:, [1, 2, 3, 0]], particles.offsets)[0].mT
        return self.network(features, v=vectors, mask=real)


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None
