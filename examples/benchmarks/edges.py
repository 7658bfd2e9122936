"""How fast neighbours are found: hepml.ops, trees of scipy, padded batches.

    python examples/benchmarks/edges.py [--items 100000] [--neighbours 16] [--rounds 5]

Points in one set, uniform and clustered, with a period and without, and the jets of data/ in one
batch. All rivals of a row run in turns and give the same neighbours, which is checked. The peak
memory is that of a call beyond what the points take.
"""

import argparse
import math
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from _measure import (
    ROOT,
    add_arguments,
    described,
    interleave,
    machine,
    peak_memory,
    print_and_save,
    spread,
    table,
)
from scipy.spatial import cKDTree
from torch import Tensor

from hepml.io import read
from hepml.lorentz import eta, phi
from hepml.ops import nearest_neighbours, neighbours_within

OURS = "hepml"


def main(words: list[str] | None = None) -> None:
    """Measure, print and save."""
    arguments = parse_arguments(words)
    results: dict[str, Any] = {"machine": machine(["torch", "scipy"]), "rows": []}
    for name, calls in cells(arguments):
        found = {rival: call() for rival, call in calls.items()}
        for rival, edges in found.items():
            if not np.array_equal(edges, found[OURS]):
                raise SystemExit(f"{name}: {rival} finds other neighbours than {OURS}")
        seconds = interleave(calls, arguments.rounds)
        row = {
            "what": name,
            "seconds": {rival: spread(each) for rival, each in seconds.items()},
            "memory": {rival: peak_memory(call) for rival, call in calls.items()},
        }
        results["rows"].append(row)
        print(row, file=sys.stderr, flush=True)
    results["command"] = " ".join(
        ["python", "examples/benchmarks/edges.py", *(words or sys.argv[1:])]
    )
    print_and_save("edges", report(results), results, arguments.output)


def parse_arguments(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--items", type=int, default=100_000, help="points in one set")
    parser.add_argument("--neighbours", type=int, default=16)
    parser.add_argument("--jets", type=int, default=1000, help="of data/, in one batch")
    add_arguments(parser, rounds=5)
    return parser.parse_args(words)


def cells(arguments: argparse.Namespace) -> list[tuple[str, dict[str, Callable[[], Any]]]]:
    """What is searched for, and how each rival does it."""
    items, k = arguments.items, arguments.neighbours
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(items, 3, generator=generator, dtype=torch.float64)
    clustered = torch.randn(items, 3, generator=generator, dtype=torch.float64) ** 3
    # A ball of so many others, on average.
    distance = float((3 * k / (4 * math.pi * items)) ** (1 / 3))
    jets = read(ROOT / "data" / "test.root", max_sets=arguments.jets)
    p4 = jets.p4.double()
    angles = torch.stack([eta(p4), phi(p4)], 1)
    return [
        (f"{k} nearest of {items}, uniform", nearest(uniform, None, k)),
        (f"{k} nearest of {items}, with a period", nearest(uniform, 1.0, k)),
        (f"{k} nearest of {items}, clustered", nearest(clustered, None, k)),
        (f"within {distance:.3f}, of {items}", within(uniform, distance)),
        (
            f"{k} nearest of each particle, {len(jets)} jets, {len(p4)} particles",
            nearest_in_sets(angles, jets.offsets, k),
        ),
    ]


def nearest(x: Tensor, period: float | None, k: int) -> dict[str, Callable[[], Any]]:
    """The nearest in one set."""
    offsets, points = torch.tensor([0, len(x)]), x.numpy()
    workers = torch.get_num_threads()

    def ours() -> Any:
        edges = nearest_neighbours(x, offsets, k, period=period, loops=True)
        return edges.senders.reshape(-1, k).numpy()

    def theirs() -> Any:
        return cKDTree(points, boxsize=period).query(points, k, workers=workers)[1]

    return {OURS: ours, "scipy": theirs}


def within(x: Tensor, distance: float) -> dict[str, Callable[[], Any]]:
    """All within a distance, in one set."""
    offsets, points = torch.tensor([0, len(x)]), x.numpy()

    def ours() -> Any:
        return neighbours_within(x, offsets, distance).senders.numpy()

    def theirs() -> Any:
        tree = cKDTree(points)
        pairs = tree.query_pairs(distance, output_type="ndarray")
        both = np.concatenate([pairs, pairs[:, ::-1]])
        return both[np.lexsort((both[:, 1], both[:, 0])), 1]

    return {OURS: ours, "scipy": theirs}


def nearest_in_sets(x: Tensor, offsets: Tensor, k: int) -> dict[str, Callable[[], Any]]:
    """The nearest in each of many sets, azimuth being periodic."""
    bounds = offsets.tolist()
    period = (None, 2 * math.pi)

    def ours() -> Any:
        return nearest_neighbours(x, offsets, k, period=period, loops=True).senders.numpy()

    def theirs() -> Any:
        found = []
        for a, b in pairwise(bounds):
            points = np.stack([x[a:b, 0], x[a:b, 1] % (2 * math.pi)], 1)
            number = min(k, b - a)
            tree = cKDTree(points, boxsize=[0, 2 * math.pi])
            found.append(a + tree.query(points, [*range(1, number + 1)])[1].ravel())
        return np.concatenate(found)

    def padded() -> Any:
        """All distances of the padded batch at once, as taggers on point clouds have it."""
        counts = offsets.diff()
        sets = torch.repeat_interleave(torch.arange(len(counts)), counts)
        places = torch.arange(len(x)) - offsets[sets]
        table = torch.full((len(counts), int(counts.max()), 2), math.inf, dtype=x.dtype)
        table[sets, places] = x
        d = table[:, :, None] - table[:, None]
        d[..., 1] -= 2 * math.pi * (d[..., 1] / (2 * math.pi)).round()
        far = d.square().sum(-1).nan_to_num(math.inf)
        order = far.topk(min(k, far.shape[2]), dim=2, largest=False).indices
        kept = torch.arange(order.shape[2]) < counts[:, None]
        chosen, kept = (order + offsets[:-1, None, None])[sets, places], kept[sets]
        return chosen[kept].numpy()

    return {OURS: ours, "scipy, set by set": theirs, "padded, topk": padded}


def report(results: dict[str, Any]) -> str:
    """The table."""
    rows = []
    for row in results["rows"]:
        own = row["seconds"][OURS][0]
        for rival, (median, low, high) in row["seconds"].items():
            rows.append(
                [
                    row["what"] if rival == OURS else "",
                    rival,
                    f"{1000 * median:.0f} ({1000 * low:.0f} to {1000 * high:.0f})",
                    f"{median / own:.2f}",
                    f"{row['memory'][rival] / 1e6:.0f}",
                ]
            )
    header = ["what", "how", "ms, median and range", "of hepml's time", "MB"]
    return f"{described(results['machine'])}\n\n{table(header, rows)}"


if __name__ == "__main__":
    main()
