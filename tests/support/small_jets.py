"""Jets that any network can tell apart, and a network small enough for tests of the loop."""

from pathlib import Path

import awkward as ak
import numpy as np
import torch
import uproot
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.ops import segment_sum


def write_jets(path: Path, jets: int = 300, seed: int = 0, **replaced: np.ndarray) -> Path:
    """A file in hepml's own layout: jets of class 1 have more and softer particles."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, jets)
    counts = random.poisson(np.where(label, 12, 7)) + 1
    total = int(counts.sum())
    p = random.normal(0, 10, (total, 3)) / np.repeat(1 + label, counts)[:, None]
    charge = random.integers(-1, 2, total)
    flat = {
        "part_px": p[:, 0],
        "part_py": p[:, 1],
        "part_pz": p[:, 2],
        "part_energy": np.sqrt((p**2).sum(1) + 0.02),
        "part_d0val": random.normal(0, 0.1, total),
        "part_d0err": random.uniform(0.01, 0.1, total),
        "part_dzval": random.normal(0, 0.1, total),
        "part_dzerr": random.uniform(0.01, 0.1, total),
    }
    branches = {name: value.astype(np.float32) for name, value in flat.items()}
    branches["part_charge"] = charge.astype(np.int8)
    branches["part_pid"] = np.where(charge, 211 * charge, 22).astype(np.int16)
    jagged = {name[5:]: ak.unflatten(value, counts) for name, value in branches.items()}
    jet = {"jet_pt": np.ones(jets, np.float32), "label": label.astype(np.int8)} | replaced
    with uproot.recreate(path) as file:
        file.mktree("tree", {"part": ak.zip(jagged).type, **{k: v.dtype for k, v in jet.items()}})
        file["tree"].extend({"part": ak.zip(jagged), **jet})
    return path


def random_sets(sets: int = 40, seed: int = 0, weights: bool = False) -> ParticleSet:
    """A batch in memory, of the same two classes."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (sets,), generator=random)
    counts = torch.randint(1, 6, (sets,), generator=random) + 4 * labels
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    p4 = torch.randn((int(offsets[-1]), 4), generator=random) * 10
    return ParticleSet(
        p4,
        offsets,
        labels=labels,
        weights=torch.rand((sets,), generator=random) if weights else None,
    )


class TinyFlow(nn.Module):
    """A Deep Set with everything whose state a resumed run must restore.

    Parameters
    ----------
    outputs
        Number of classes.
    features
        Number of features.
    width
        Number of channels.
    dropout
        Fraction dropped.
    """

    def __init__(
        self, *, outputs: int = 2, features: int = 0, width: int = 8, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.of_particle = nn.Sequential(
            nn.Linear(4 + features, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Dropout(dropout)
        )
        self.of_set = nn.Linear(width, outputs)

    def forward(self, particles: ParticleSet) -> Tensor:
        x = torch.cat([particles.p4 / 10, particles.features], dim=1)
        return self.of_set(segment_sum(self.of_particle(x), particles.offsets) / 10)
