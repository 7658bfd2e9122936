"""How fast the segment operations are, beside what torch, torch-scatter and torch_geometric offer.

    python examples/benchmarks/segments.py [--items 100000] [--widths 4 16 64] [--dtypes float32]

Each cell is an operation on one shape; all rivals of a cell run in turns. The rivals get the index
of every item, or the lengths, for nothing; hepml starts from the offsets. Training is the value and
its gradient. A GPU is measured where there is one.
"""

import argparse
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from _measure import (
    ROOT,
    add_arguments,
    described,
    interleave,
    machine,
    print_and_save,
    ratio_to_best,
    spread,
    table,
)
from torch import Tensor
from tqdm import tqdm

from hepml import ops
from hepml.io import read

OURS = "hepml"
COPY = "copy of the same bytes"
OPERATIONS = ("sum", "mean", "max", "min", "softmax", "logsumexp", "gather")
LENGTHS = ("uniform", "jets", "one huge")
PACKAGES = ("torch-scatter", "torch_geometric")


@dataclass(frozen=True)
class Segments:
    """The bounds of the segments, and what some of the rivals need in their place."""

    offsets: Tensor

    @cached_property
    def counts(self) -> Tensor:
        return self.offsets.diff()

    @cached_property
    def items(self) -> int:
        return int(self.offsets[-1])

    @cached_property
    def index(self) -> Tensor:
        return ops.segment_index(self.offsets, self.items)

    @cached_property
    def rows(self) -> Tensor:
        return torch.arange(self.items, device=self.offsets.device)

    def __len__(self) -> int:
        return int(self.offsets.shape[0]) - 1

    def places(self, values: Tensor) -> Tensor:
        """The index of every number."""
        return self.index[:, None].expand_as(values)


Formulation = Callable[[Tensor, Segments], Tensor]


def ours(operation: str) -> Formulation:
    """The operation of hepml."""
    function = getattr(ops, f"segment_{operation}")
    if operation == "gather":
        return lambda rows, s: function(rows, s.offsets, s.items)
    return lambda values, s: function(values, s.offsets)


def native(operation: str) -> dict[str, Formulation]:
    """What torch offers."""
    if operation == "gather":
        return {
            "torch index_select": lambda rows, s: rows.index_select(0, s.index),
            "torch indexing": lambda rows, s: rows[s.index],
            "torch repeat_interleave": lambda rows, s: rows.repeat_interleave(
                s.counts, dim=0, output_size=s.items
            ),
        }
    if operation in ("softmax", "logsumexp"):
        return {
            "torch scatter_reduce": lambda values, s: _shifted(operation, values, s, _scatter),
            "torch segment_reduce": lambda values, s: _shifted(operation, values, s, _segment),
        }
    formulations = {
        "torch scatter_reduce": lambda values, s: _scatter(operation, values, s),
        "torch segment_reduce": lambda values, s: _segment(operation, values, s),
    }
    if operation in ("sum", "mean"):
        formulations["torch index_add"] = lambda values, s: _index_add(operation, values, s)
        formulations["torch embedding_bag"] = lambda values, s: torch.embedding_bag(
            values, s.rows, s.offsets, mode=int(operation == "mean"), include_last_offset=True
        )[0]
    return formulations


def _index_add(operation: str, values: Tensor, s: Segments) -> Tensor:
    total = values.new_zeros((len(s), values.shape[1])).index_add(0, s.index, values)
    return total if operation == "sum" else total / s.counts[:, None]


def _scatter(operation: str, values: Tensor, s: Segments) -> Tensor:
    reduce = {"max": "amax", "min": "amin"}.get(operation, operation)
    zeros = values.new_zeros((len(s), values.shape[1]))
    return zeros.scatter_reduce(0, s.places(values), values, reduce, include_self=False)


def _segment(operation: str, values: Tensor, s: Segments) -> Tensor:
    return torch.segment_reduce(values, operation, offsets=s.offsets)


def _shifted(operation: str, values: Tensor, s: Segments, reduce: Callable[..., Tensor]) -> Tensor:
    """Softmax or logsumexp after a shift by the maximum."""
    shift = reduce("max", values.detach(), s)
    exponential = (values - shift.index_select(0, s.index)).exp()
    total = reduce("sum", exponential, s)
    if operation == "logsumexp":
        return total.log() + shift
    return exponential / total.index_select(0, s.index)


def torch_scatter_offers(operation: str) -> dict[str, Formulation]:
    """What torch-scatter offers; nothing if not installed."""
    try:
        import torch_scatter
    except ImportError:
        return {}
    if operation == "gather":
        return {"torch-scatter gather_csr": lambda r, s: torch_scatter.gather_csr(r, s.offsets)}
    if operation == "softmax":
        return {
            "torch-scatter scatter_softmax": lambda v, s: torch_scatter.scatter_softmax(
                v, s.index, 0, dim_size=len(s)
            )
        }
    if operation == "logsumexp":
        return {
            "torch-scatter scatter_logsumexp": lambda v, s: torch_scatter.scatter_logsumexp(
                v, s.index, 0, dim_size=len(s)
            )
        }
    return {
        "torch-scatter segment_csr": lambda v, s: torch_scatter.segment_csr(
            v, s.offsets, reduce=operation
        ),
        "torch-scatter scatter": lambda v, s: torch_scatter.scatter(
            v, s.index, 0, dim_size=len(s), reduce=operation
        ),
    }


def torch_geometric_offers(operation: str) -> dict[str, Formulation]:
    """What torch_geometric offers; nothing if not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of what it takes from torch
            from torch_geometric import utils
    except ImportError:
        return {}
    if operation == "softmax":
        return {
            "torch_geometric softmax": lambda v, s: utils.softmax(
                v, s.index, s.offsets, num_nodes=len(s)
            )
        }
    if operation in ("logsumexp", "gather"):  # it has none
        return {}
    return {
        "torch_geometric scatter": lambda v, s: utils.scatter(
            v, s.index, 0, dim_size=len(s), reduce=operation
        )
    }


@dataclass(frozen=True)
class Cell:
    """An operation on one shape."""

    operation: str
    training: bool
    lengths: str
    width: int
    dtype: str
    device: str

    @property
    def words(self) -> list[str]:
        """How it is printed."""
        direction = "training" if self.training else "value"
        return [f"{self.operation}, {direction}", self.lengths, str(self.width), self.dtype]


def main(words: list[str] | None = None) -> None:
    """Measure, print and save."""
    arguments = parse_arguments(words)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    bounds = {kind: offsets(kind, arguments.items, arguments.jets) for kind in arguments.lengths}
    cells = list(grid(arguments, devices))
    measured = []
    for cell in tqdm(cells, unit="cell", leave=False):
        segments = Segments(bounds[cell.lengths].to(cell.device))
        seconds = interleave(
            calls(cell, segments), arguments.rounds, least=arguments.least, progress=False
        )
        measured.append({**vars(cell), "seconds": seconds, "ratio": to_best(seconds)})
    results = {
        "command": " ".join(
            ["python", "examples/benchmarks/segments.py", *(words or sys.argv[1:])]
        ),
        "items": {kind: int(each[-1]) for kind, each in bounds.items()},
        "segments": {kind: len(each) - 1 for kind, each in bounds.items()},
        "machine": machine(["torch", *PACKAGES, "triton"]),
        "cells": measured,
    }
    print_and_save("segments", report(results, cells), results, arguments.output)


def parse_arguments(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--operations", nargs="+", default=OPERATIONS, choices=OPERATIONS)
    parser.add_argument("--lengths", nargs="+", default=LENGTHS, choices=LENGTHS)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--widths", nargs="+", type=int, default=[4, 16, 64])
    parser.add_argument("--dtypes", nargs="+", default=["float32"])
    parser.add_argument("--jets", type=Path, default=ROOT / "data" / "train.root")
    parser.add_argument("--least", type=float, default=0.001, help="seconds that a timing takes")
    add_arguments(parser, rounds=9)
    return parser.parse_args(words)


def offsets(kind: str, items: int, jets: Path) -> Tensor:
    """Bounds of segments of about so many items, without empty ones, on which rivals differ."""
    if kind == "jets":
        counts = read([jets]).counts
        counts = counts.repeat(items // int(counts.sum()) + 1)
        lengths = counts[: max(1, int((counts.cumsum(0) <= items).sum()))]
    else:
        generator = torch.Generator().manual_seed(0)
        lengths = torch.randint(1, 100, (max(1, items // 50),), generator=generator)
        if kind == "one huge":  # it holds half of the items
            lengths = torch.cat(
                [lengths[: len(lengths) // 2], lengths[len(lengths) // 2 :].sum()[None]]
            )
    return torch.nn.functional.pad(lengths.cumsum(0), (1, 0))


def grid(arguments: argparse.Namespace, devices: list[str]) -> Iterator[Cell]:
    """Every combination."""
    for device in devices:
        for operation in arguments.operations:
            for training in (False, True):
                for dtype in arguments.dtypes:
                    for lengths in arguments.lengths:
                        for width in arguments.widths:
                            yield Cell(operation, training, lengths, width, dtype, device)


def calls(cell: Cell, segments: Segments) -> dict[str, Callable[[], object]]:
    """What takes turns in a cell: hepml, and those that agree with it."""
    generator = torch.Generator().manual_seed(1)
    rows = len(segments) if cell.operation == "gather" else segments.items
    values = torch.randn(rows, cell.width, generator=generator)
    values = values.to(cell.device, getattr(torch, cell.dtype))
    expected = ours(cell.operation)(values, segments)
    found: dict[str, Callable[[], object]] = {}
    rivals = native(cell.operation) | torch_scatter_offers(cell.operation)
    rivals |= torch_geometric_offers(cell.operation)
    for name, function in {OURS: ours(cell.operation), **rivals}.items():
        torch.testing.assert_close(function(values, segments), expected, rtol=0.02, atol=0.02)
        found[name] = _call(function, values, segments, torch.ones_like(expected), cell.training)
    if cell.device == "cuda":
        moved = torch.empty((values.numel() + expected.numel()) // 2, device="cuda").to(values)
        target = torch.empty_like(moved)
        found[COPY] = lambda: target.copy_(moved)
    return found


def _call(
    function: Formulation, values: Tensor, segments: Segments, above: Tensor, training: bool
) -> Callable[[], object]:
    """The value, or the value and its gradient."""
    if not training:
        return lambda: function(values, segments)
    traced = values.clone().requires_grad_()
    return lambda: torch.autograd.grad(function(traced, segments), traced, above)


def to_best(seconds: dict[str, list[float]]) -> list[float]:
    """The time of hepml over that of the best rival, in each round."""
    return ratio_to_best(seconds, OURS, [name for name in seconds if name not in (OURS, COPY)])


def report(results: dict[str, Any], cells: list[Cell]) -> str:
    """The results as text."""
    parts = [described(results["machine"])]
    for kind, items in results["items"].items():
        parts[0] += f"\n{kind}: {items} items in {results['segments'][kind]} segments"
    for device in dict.fromkeys(cell.device for cell in cells):
        rows, ratios = [], []
        for cell, found in zip(cells, results["cells"], strict=True):
            if cell.device == device:
                rows.append(row(cell, found))
                ratios.append((statistics.median(found["ratio"]), ", ".join(cell.words)))
        header = ["µs on " + device, "lengths", "width", "dtype", "hepml", "lowest", "highest"]
        header += ["best of the others", "", "hepml / it", "lowest", "highest"]
        header += ["of a copy"] if device == "cuda" else []
        slow = sum(ratio > 1.1 for ratio, _ in ratios)
        worst, where = max(ratios)
        parts.append(table(header, rows))
        parts.append(
            f"{device}: at most {worst:.2f} of the best other ({where}); "
            f"{slow} of {len(ratios)} cells above 1.10"
        )
    for package in PACKAGES:
        if package not in results["machine"]["versions"]:
            parts.append(f"{package} is not installed and not compared")
    if results["machine"]["gpu"] is None:
        parts.append("GPU: not measured: no GPU")
    return "\n\n".join(parts)


def row(cell: Cell, found: dict[str, Any]) -> list[str]:
    """A line of the table."""
    seconds = found["seconds"]
    others = {name: each for name, each in seconds.items() if name not in (OURS, COPY)}
    best = min(others, key=lambda name: statistics.median(others[name]))
    columns = [
        *cell.words,
        *(f"{1e6 * each:.0f}" for each in spread(seconds[OURS])),
        best,
        f"{1e6 * statistics.median(seconds[best]):.0f}",
        *(f"{each:.2f}" for each in spread(found["ratio"])),
    ]
    if COPY in seconds:
        share = [copy / own for copy, own in zip(seconds[COPY], seconds[OURS], strict=True)]
        columns.append(f"{statistics.median(share):.0%}")
    return columns


if __name__ == "__main__":
    main()
