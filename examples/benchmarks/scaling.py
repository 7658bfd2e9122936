"""How time and memory of the networks grow with the particles of a set and the sets of a batch.

    python examples/benchmarks/scaling.py [--rounds N]

Random sets of massless particles, all of one size, are scored and learned from. The exponents are
fitted to the upper half of the points: 1 is linear, 2 quadratic. A network stops where a point
would take longer than --seconds or more memory than there is; ParticleNet begins with the
17 particles that it needs.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from typing import Any

import _measure as measure
import matplotlib.pyplot as plt
import mplhep
import numpy as np
import torch
from models import NETWORKS, PACKAGES, learn, made, score
from torch import nn

from hepml.data import ParticleSet

AXES = {
    "particles per set": ([8, 16, 32, 64, 128, 256, 512], lambda n: (8, n)),
    "sets per batch": ([1, 4, 16, 64, 256], lambda n: (n, 32)),
}
CALLS = {"scores": score, "learns": learn}
Point = dict[str, Any]
QUANTITIES: dict[str, Callable[[Point], float]] = {
    "s per training step": lambda point: point["seconds"][0],
    "peak memory in MB": lambda point: point["bytes"] / 1e6,
}


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, save and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seconds", type=float, default=5.0, help="the most that a point may take")
    parser.add_argument("--largest", type=int, default=512, help="particles or sets")
    measure.add_arguments(parser, rounds=3)
    arguments = parser.parse_args(words)

    device = measure.device()
    networks, missing = made(arguments.networks, device)
    results: dict[str, Any] = {"machine": measure.machine(PACKAGES), "missing": missing}
    text = [measure.described(results["machine"])]
    for what, prepare in CALLS.items():
        for axis, (sizes, shape) in AXES.items():
            points = {
                name: curve(
                    network,
                    prepare,
                    [n for n in sizes if n <= arguments.largest],
                    shape,
                    arguments.seconds,
                    arguments.rounds,
                )
                for name, network in networks.items()
            }
            results[f"{what}, {axis}"] = points
            text += ["", f"{what}, {axis}", rendered(points, sizes)]
    text += [f"not measured: {name} needs {package}" for name, package in missing.items()]
    measure.print_and_save("scaling", "\n".join(text), results, arguments.output)
    figure = drawn(results)
    for suffix in ("png", "pdf"):
        figure.savefig(arguments.output / f"scaling.{suffix}", dpi=150)
    plt.close(figure)
    print(f"drawn: {arguments.output}/scaling.png, scaling.pdf")


def jets(sets: int, particles: int) -> ParticleSet:
    """Massless particles of some tens of GeV."""
    generator = torch.Generator().manual_seed(sets * 1000 + particles)
    momenta = 30 * torch.randn(sets * particles, 3, generator=generator)
    p4 = torch.cat([momenta.norm(dim=1, keepdim=True), momenta], dim=1)
    labels = torch.arange(sets) % 2
    batch = ParticleSet(p4, particles * torch.arange(sets + 1), labels=labels)
    return batch.to("cuda") if torch.cuda.is_available() else batch


def curve(
    network: nn.Module,
    prepare: Callable[[nn.Module, ParticleSet], Callable[[], object]],
    sizes: Sequence[int],
    shape: Callable[[int], tuple[int, int]],
    seconds: float,
    rounds: int,
) -> list[Point]:
    """Seconds and bytes of one call, from small to large as far as the machine goes."""
    points: list[Point] = []
    for size in sizes:
        if shape(size)[1] < getattr(network, "fewest", 0):
            continue
        call = prepare(network, jets(*shape(size)))
        if points:
            # No network here grows faster than quadratically.
            growth = (size / points[-1]["size"]) ** 2
            too_slow = growth * points[-1]["seconds"][0] > seconds
            if too_slow or growth * points[-1]["bytes"] > 0.7 * measure.free_memory():
                break
        times = measure.interleave({"": call}, rounds, least=0.02, progress=False)[""]
        points.append(
            {"size": size, "seconds": measure.spread(times), "bytes": measure.peak_memory(call)}
        )
    return points


def exponent(
    points: Sequence[dict[str, Any]], quantity: Callable[[dict[str, Any]], float]
) -> float:
    """The slope of the upper half of the points in logarithms; NaN for fewer than two."""
    upper = points[len(points) // 2 :] if len(points) > 3 else points
    if len(upper) < 2:
        return math.nan
    x = np.log([point["size"] for point in upper])
    return float(np.polyfit(x, np.log([quantity(point) for point in upper]), 1)[0])


def rendered(curves: dict[str, list[Point]], sizes: Sequence[int]) -> str:
    """Milliseconds at each size, and the exponents."""
    rows = []
    for name, points in curves.items():
        times = {point["size"]: f"{1e3 * point['seconds'][0]:,.1f}" for point in points}
        rows.append(
            [
                name,
                *(times.get(size, "-") for size in sizes),
                *(f"{exponent(points, quantity):.2f}" for quantity in QUANTITIES.values()),
            ]
        )
    header = ["ms", *map(str, sizes), "time ~ n^", "memory ~ n^"]
    return measure.table(header, rows)


def drawn(results: dict[str, Any]) -> plt.Figure:
    """Time above memory, for each axis, of learning."""
    look = {**mplhep.style.ROOT, "mathtext.fontset": "stixsans", "font.size": 15}
    with plt.rc_context(look):
        figure, axes = plt.subplots(2, 2, figsize=(20, 11), sharex="col", layout="constrained")
        for column, axis in enumerate(AXES):
            curves = results[f"learns, {axis}"]
            for row, (label, quantity) in enumerate(QUANTITIES.items()):
                panel = axes[row, column]
                for i, (name, points) in enumerate(curves.items()):
                    slope = exponent(points, quantity)
                    written = "one point" if math.isnan(slope) else f"{slope:.1f}"
                    panel.loglog(
                        [point["size"] for point in points],
                        [quantity(point) for point in points],
                        marker="osD^v<>ph*X"[i % 11],
                        color=f"C{i % 10}" if i < 10 else "black",
                        label=f"{name}: {written}",
                    )
                panel.set_ylabel(label, loc="top")
                beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
                panel.legend(title="fitted exponent", fontsize=11, title_fontsize=11, **beside)
            axes[1, column].set_xlabel(axis, loc="right")
    return figure


if __name__ == "__main__":
    main()
