"""Measure the symmetries of networks that are not hepml's: of torch, lgatr and pelican-lite.

    pip install lgatr pelican-lite
    python examples/check_your_network.py

A network needs nothing but a function that feeds it: `check(model, jets, symmetry, apply=function)`
calls `function(model, jets)` and expects a tensor with a row for each jet. Here it pads for a
transformer, and makes pairs for PELICAN. Packages that are not installed are left out.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.io import read
from hepml.ops import segment_sum
from hepml.symmetry import check, random_jets

Network = tuple[nn.Module, Callable[[nn.Module, ParticleSet], Tensor]]
SYMMETRIES = ("permutation", "batch composition", "rotation", "lorentz")


def padded(jets: ParticleSet) -> tuple[Tensor, Tensor]:
    """Momenta in units of 20 GeV as (jets, longest, 4) with zeros, and which are real."""
    real = torch.arange(int(jets.counts.max())) < jets.counts[:, None]
    momenta = jets.p4.new_zeros(*real.shape, 4)
    momenta[real] = jets.p4 / 20
    return momenta, real


def transformer(*, mask: bool) -> Network:
    """A layer of torch's transformer; without the mask, particles attend to the padding."""

    def apply(model: nn.Module, jets: ParticleSet) -> Tensor:
        momenta, real = padded(jets)
        out = model(momenta, src_key_padding_mask=~real if mask else None)
        return (out * real[..., None]).sum(1)

    return nn.TransformerEncoderLayer(4, 2, 16, dropout=0.0, batch_first=True), apply


def lgatr_slim() -> Network:
    """L-GATr-slim (arXiv:2512.17011) on four-vectors and one scalar, which is 1."""
    from lgatr import LGATrSlim

    def apply(model: nn.Module, jets: ParticleSet) -> Tensor:
        momenta, real = padded(jets)
        scalars = real[..., None].to(momenta)
        attend = real[:, None, None]
        _, out = model(momenta[:, :, None], scalars, attn_mask=attend)
        return (out * real[..., None]).sum(1)

    channels = {"in_v_channels": 1, "out_v_channels": 1, "hidden_v_channels": 8}
    channels |= {"in_s_channels": 1, "out_s_channels": 2, "hidden_s_channels": 8}
    return LGATrSlim(num_blocks=2, num_heads=2, **channels), apply


def pelican() -> Network:
    """PELICAN (arXiv:2307.16506) as pelican-lite has it, on the products of all pairs."""
    from pelican.nets import PELICAN
    from pelican.utils import get_edge_attr, get_edge_index_from_ptr

    def apply(model: nn.Module, jets: ParticleSet) -> Tensor:
        edges = get_edge_index_from_ptr(jets.offsets, jets.p4.shape, remove_self_loops=False)
        products = get_edge_attr(jets.p4, edges)[:, None]
        # Of rank 1: an output for each particle.
        out = model(edges, jets.set_index, in_rank2=products, num_graphs=len(jets))
        return segment_sum(out, jets.offsets)

    channels = {"in_channels_rank2": 1, "in_channels_rank1": 0, "in_channels_rank0": 0}
    return PELICAN(**channels, out_rank=1, out_channels=2, num_blocks=2, hidden_channels=8), apply


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a file with jets; without, random ones are made")
    parser.add_argument("--jets", type=int, default=16)
    options = parser.parse_args(argv)
    jets = read(options.data, max_sets=options.jets) if options.data else random_jets(options.jets)

    networks = {"transformer": transformer(mask=True)}
    networks["transformer without mask"] = transformer(mask=False)
    networks |= {"L-GATr-slim": lgatr_slim()} if find_spec("lgatr") else {}
    networks |= {"PELICAN": pelican()} if find_spec("pelican") else {}
    for name, (model, apply) in networks.items():
        for symmetry in SYMMETRIES:
            gamma = [10.0] if symmetry == "lorentz" else None
            report = check(model, jets, symmetry, apply=apply, strengths=gamma, draws=1)
            print(f"{name}: {symmetry} {report.verdict}, {report.largest():.0e} in float64")


if __name__ == "__main__":
    main()
