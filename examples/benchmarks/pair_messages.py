"""Messages between all pairs of particles: LorentzNet here, and with every message in memory.

    python examples/benchmarks/pair_messages.py [--batch-size N] [--precision high]

The other is LorentzNet as published: for each pair of nodes it gathers both, concatenates them with
the invariants, and sums the messages with index_add. Both have the same weights and read the same
jets in turns, so that a busy machine slows both alike. Scoring is a forward pass without gradients;
learning is a forward pass, a backward pass and a step of AdamW.

A GPU is measured where there is one; --precision is that of torch.set_float32_matmul_precision.
Memory is what the resident memory of the process rises by, at its peak, in a step after others: the
median of five.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))

import _measure as measure

from hepml.data import ParticleSet
from hepml.io import read
from hepml.models import LorentzNet
from hepml.ops import segment_mean

OURS, PUBLISHED = "hepml", "published"
# Published over ours; the least that it should be.
TARGETS = {
    ("scores", "time"): 3.0,
    ("learns", "time"): 2.5,
    ("scores", "memory"): 8.0,
    ("learns", "memory"): 3.0,
}
Edges = tuple[Tensor, Tensor]


def psi(x: Tensor) -> Tensor:
    """``sign(x) ln(|x| + 1)``."""
    return x.sign() * (x.abs() + 1).log()


def edges_of(offsets: Tensor) -> Edges:
    """Receivers and senders: all pairs of different nodes of a set."""
    pairs = [
        start + torch.ones(size, size).fill_diagonal_(0).nonzero()
        for start, size in zip(offsets.tolist(), offsets.diff().tolist(), strict=False)
    ]
    receivers, senders = torch.cat(pairs).unbind(1)
    return receivers.to(offsets.device), senders.to(offsets.device)


class PublishedBlock(nn.Module):
    """Equations (3.1) to (3.4) of arXiv:2201.08187, message by message."""

    def __init__(self, width: int, scalars: int, c: float, moves: bool) -> None:
        super().__init__()
        self.c = c
        self.phi_e = nn.Sequential(
            nn.Linear(2 * width + 2, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
        )
        self.phi_m = nn.Sequential(nn.Linear(width, 1), nn.Sigmoid())
        self.phi_h = nn.Sequential(
            nn.Linear(2 * width + scalars, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, width),
        )
        if moves:
            last = nn.Linear(width, 1, bias=False)
            nn.init.xavier_uniform_(last.weight, gain=1e-3)
            self.phi_x = nn.Sequential(nn.Linear(width, width), nn.ReLU(), last)
        self.register_buffer("metric", torch.tensor([1.0, -1, -1, -1]), persistent=False)

    def forward(self, x: Tensor, h: Tensor, s: Tensor, edges: Edges) -> tuple[Tensor, Tensor]:
        """Momenta and channels of the nodes."""
        receivers, senders = edges
        difference = x[receivers] - x[senders]
        square = (self.metric * difference * difference).sum(1, keepdim=True)
        product = (self.metric * x[receivers] * x[senders]).sum(1, keepdim=True)
        m = self.phi_e(torch.cat([h[receivers], h[senders], psi(square), psi(product)], dim=1))
        m = m * self.phi_m(m)
        if hasattr(self, "phi_x"):
            step = x.new_zeros(x.shape).index_add(0, receivers, self.phi_x(m) * difference)
            others = receivers.bincount(minlength=len(x)).clamp(min=1)[:, None]
            x = x + self.c * step / others
        received = h.new_zeros(len(h), m.shape[1]).index_add(0, receivers, m)
        return x, h + self.phi_h(torch.cat([h, received, s], dim=1))


class PublishedLorentzNet(nn.Module):
    """LorentzNet with the names of :class:`hepml.models.LorentzNet`, message by message."""

    def __init__(self, *, width: int = 72, blocks: int = 6, c: float = 5e-3) -> None:
        super().__init__()
        frame = LorentzNet(width=width, blocks=blocks, c=c)
        self.nodes = frame._nodes
        self.embedding, self.decoder = frame.embedding, frame.decoder
        self.blocks = nn.ModuleList(
            PublishedBlock(width, 2, c, moves=i < blocks - 1) for i in range(blocks)
        )

    def forward(self, particles: ParticleSet, edges: Edges | None = None) -> Tensor:
        """The logits of each set; the edges of nodes with beams may be known."""
        x, s, offsets = self.nodes(particles)
        edges = edges_of(offsets) if edges is None else edges
        h = self.embedding(s)
        for block in self.blocks:
            x, h = block(x, h, s, edges)
        return self.decoder(segment_mean(h, offsets))


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print and save."""
    arguments = parse_arguments(words)
    torch.set_float32_matmul_precision(arguments.precision)
    jets = jets_of(arguments.jets, arguments.batch_size).to(measure.device())
    seconds, memory = {}, {}
    for what, prepare in STEPS.items():
        steps = {name: prepare(each, name, jets) for name, each in networks().items()}
        seconds[what] = measure.interleave(steps, arguments.rounds)
        memory[what] = {
            name: statistics.median(measure.peak_memory(step) for _ in range(5))
            for name, step in steps.items()
        }
    results = {
        "machine": measure.machine(("torch",)),
        "jets": len(jets),
        "messages": int(((jets.counts + 2) * (jets.counts + 1)).sum()),
        "seconds": seconds,
        "peak_bytes": memory,
        "logits": differences(jets),
    }
    text = f"{measure.described(results['machine'])}\n\n{rendered(results)}"
    measure.print_and_save("pair_messages", text, results, arguments.output)


def parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jets", type=Path, default=measure.ROOT / "data" / "val.root")
    parser.add_argument("--batch-size", type=int, default=32)
    precisions = ("highest", "high", "medium")
    parser.add_argument("--precision", choices=precisions, default="highest", help="of products")
    measure.add_arguments(parser, rounds=15)
    return parser.parse_args(words)


def jets_of(file: Path, number: int) -> ParticleSet:
    """The first jets of a file, without features."""
    jets = read(file, max_sets=number)
    return ParticleSet(jets.p4, jets.offsets, labels=jets.labels)


def networks() -> dict[str, nn.Module]:
    """Both networks, with the same weights."""
    torch.manual_seed(1)
    ours, published = LorentzNet(dropout=0.0), PublishedLorentzNet()
    published.decoder = nn.Sequential(
        *(nn.Identity() if isinstance(part, nn.Dropout) else part for part in published.decoder)
    )
    # What the published network has not: its features go in as they are.
    weights = {n: w for n, w in ours.state_dict().items() if not n.startswith("standardise.")}
    published.load_state_dict(weights)
    return {OURS: ours, PUBLISHED: published}


def applied(network: nn.Module, name: str, jets: ParticleSet) -> Callable[[], Tensor]:
    """The network on the jets; who their pairs are costs the published one nothing."""
    if name == OURS:
        return lambda: network(jets)
    edges = edges_of(network.nodes(jets)[2])
    return lambda: network(jets, edges)


def score(network: nn.Module, name: str, jets: ParticleSet) -> Callable[[], object]:
    """A forward pass without gradients."""
    call = applied(network.to(jets.p4.device).eval(), name, jets)
    return torch.inference_mode()(call)


def learn(network: nn.Module, name: str, jets: ParticleSet) -> Callable[[], object]:
    """A step of training."""
    call = applied(network.to(jets.p4.device).train(), name, jets)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def step() -> None:
        optimiser.zero_grad()
        nn.functional.cross_entropy(call(), jets.labels).backward()
        optimiser.step()

    return step


STEPS = {"scores": score, "learns": learn}


def differences(jets: ParticleSet) -> dict[str, float]:
    """How far the logits of both are from each other."""
    found = {}
    for dtype in (torch.float32, torch.float64):
        converted = jets.to(dtype=dtype)
        ours, published = (
            score(network.to(dtype), name, converted)() for name, network in networks().items()
        )
        found[str(dtype)] = float((ours - published).abs().max())
    return found


def rendered(results: dict[str, Any]) -> str:
    """The tables."""
    lines = [f"{results['jets']} jets, {results['messages']} messages in each of 6 blocks", ""]
    rows = []
    for what in STEPS:
        seconds, peaks = results["seconds"][what], results["peak_bytes"][what]
        for name in (OURS, PUBLISHED):
            median, lowest, highest = (1e3 * each for each in measure.spread(seconds[name]))
            row = [f"{median:.0f}", f"{lowest:.0f}", f"{highest:.0f}", f"{peaks[name] / 2**20:.0f}"]
            rows.append([f"{what}, {name}", *row])
    lines += [measure.table(["", "ms", "lowest", "highest", "peak MiB"], rows), ""]
    rows = []
    for (what, quantity), target in TARGETS.items():
        ratio = ratio_of(results, what, quantity)
        rows.append([f"{what}, {quantity}", f"{ratio:.2f}", f"{target:g}"])
    lines += [measure.table(["published / hepml", "median", "target"], rows), ""]
    lines += [
        f"largest difference of the logits in {name}: {difference:.1e}"
        for name, difference in results["logits"].items()
    ]
    return "\n".join(lines)


def ratio_of(results: dict[str, Any], what: str, quantity: str) -> float:
    """Published over ours: the median of the rounds' ratios of times, or the ratio of peaks."""
    if quantity == "time":
        seconds = results["seconds"][what]
        pairs = zip(seconds[PUBLISHED], seconds[OURS], strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)
    peaks = results["peak_bytes"][what]
    return peaks[PUBLISHED] / peaks[OURS]


if __name__ == "__main__":
    main()
