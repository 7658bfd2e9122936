"""How fast the networks score and learn, and how much memory that takes: ours and those of others.

    python examples/benchmarks/models.py [--jets FILE] [--batch-sizes 32 256] [--rounds N]

The same jets go through every network, in turns, so that a busy machine slows all of them alike.
Scoring is a forward pass without gradients; learning is a forward pass, a backward pass and a step
of AdamW. Memory is the peak during a call beyond what was held before: resident memory of the
process, or torch's memory on a GPU. A call that would take longer than --seconds, or more memory
than there is, is left out and said. The networks of lgatr, pelican-lite and weaver-core take part
when they are installed.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _measure as measure
import other_networks as others
import torch
from pair_messages import PublishedLorentzNet
from torch import nn

from hepml.data import ParticleSet
from hepml.io import read
from hepml.models import LorentzCG, LorentzNet, MessagePassing, ParticleFlow, RestFrame

# What a network needs besides torch and hepml, and how it is made.
NETWORKS: dict[str, tuple[str | None, Callable[[], nn.Module]]] = {
    "ParticleFlow": (None, ParticleFlow),
    "MessagePassing": (None, MessagePassing),
    "LorentzNet": (None, LorentzNet),
    "LorentzCG": (None, LorentzCG),
    "RestFrame": (None, RestFrame),
    "LorentzNet, message by message": (None, PublishedLorentzNet),
    "ParticleNet (weaver-core)": ("weaver", others.ParticleNet),
    "ParT (weaver-core)": ("weaver", others.ParT),
    "L-GATr (lgatr)": ("lgatr", others.Lgatr),
    "L-GATr-slim (lgatr)": ("lgatr", others.LgatrSlim),
    "PELICAN (pelican-lite)": ("pelican", others.Pelican),
}
PACKAGES = ("torch", "torch-scatter", "weaver-core", "lgatr", "pelican-lite", "e3nn")


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jets", type=Path, default=measure.ROOT / "data" / "val.root")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seconds", type=float, default=30.0, help="the most a call may take")
    measure.add_arguments(parser, rounds=5)
    arguments = parser.parse_args(words)

    device = measure.device()
    jets = read(arguments.jets, max_sets=max(arguments.batch_sizes)).to(device)
    jets = ParticleSet(jets.p4, jets.offsets, labels=jets.labels)
    networks, missing = made(arguments.networks, device)
    results: dict[str, Any] = {"machine": measure.machine(PACKAGES), "missing": missing}
    lines = [measure.described(results["machine"])]
    for size in arguments.batch_sizes:
        for what, call in (("scores", score), ("learns", learn)):
            cells = cell(networks, jets[:size], call, arguments.rounds, arguments.seconds)
            results[f"{what}, batch {size}"] = cells
            lines += ["", f"{what}, batch {size}", rendered(cells, networks)]
    lines += [f"not measured: {name} needs {package}" for name, package in missing.items()]
    lines += ["GPU: not measured, there is none here"] * (device.type == "cpu")
    measure.print_and_save("models", "\n".join(lines), results, arguments.output)


def made(names: Sequence[str], device: torch.device) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """The networks, and those that cannot be made with the package that they need."""
    networks: dict[str, nn.Module] = {}
    missing: dict[str, str] = {}
    for name in names:
        package, build = NETWORKS[name]
        if package is not None and not others.installed(package):
            missing[name] = package
        else:
            torch.manual_seed(1)
            networks[name] = build().to(device)
    return networks, missing


def score(network: nn.Module, jets: ParticleSet) -> Callable[[], object]:
    """A forward pass without gradients."""
    network.eval()

    def call() -> None:
        with torch.inference_mode():
            network(jets)

    return call


def learn(network: nn.Module, jets: ParticleSet) -> Callable[[], object]:
    """A step of training."""
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def call() -> None:
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(jets), jets.labels).backward()
        optimiser.step()

    return call


def cell(
    networks: dict[str, nn.Module],
    jets: ParticleSet,
    prepare: Callable[[nn.Module, ParticleSet], Callable[[], object]],
    rounds: int,
    limit: float,
) -> dict[str, dict[str, Any]]:
    """Jets per second and peak memory of every network, as far as memory and patience go.

    What a batch needs is foreseen from an eighth of it.
    """
    few = jets[: max(1, len(jets) // 8)]
    pairs = float(jets.offsets.diff().square().sum() / few.offsets.diff().square().sum())
    found: dict[str, dict[str, Any]] = {}
    calls = {}
    for name, network in networks.items():
        call = prepare(network, few)
        call()
        start = time.perf_counter()
        memory = pairs * measure.peak_memory(call)
        seconds = pairs * (time.perf_counter() - start)
        if memory > 0.7 * measure.free_memory():
            found[name] = {"left_out": f"about {memory / 1e9:.0f} GB: too much"}
        elif seconds > limit:
            found[name] = {"left_out": f"about {seconds:.0f} s: too long"}
        else:
            calls[name] = prepare(network, jets)
            found[name] = {}
    for name, each in measure.interleave(calls, rounds).items():
        found[name]["jets_per_second"] = [len(jets) / one for one in each]
        found[name]["peak_bytes"] = measure.peak_memory(calls[name])
    return found


def rendered(cells: dict[str, dict[str, Any]], networks: dict[str, nn.Module]) -> str:
    """A table."""
    rows = []
    for name, each in cells.items():
        parameters = f"{sum(p.numel() for p in networks[name].parameters()):,}"
        if "left_out" in each:
            rows.append([name, parameters, "-", "-", "-", each["left_out"]])
            continue
        rates = [f"{rate:,.0f}" for rate in measure.spread(each["jets_per_second"])]
        rows.append([name, parameters, *rates, f"{each['peak_bytes'] / 1e6:,.0f} MB"])
    header = ["network", "parameters", "jets/s", "lowest", "highest", "peak memory"]
    return measure.table(header, rows)


if __name__ == "__main__":
    main()
