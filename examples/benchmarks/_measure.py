"""What the benchmarks share: timing in turns, a description of the machine, a saved table."""

import argparse
import ctypes
import gc
import importlib.metadata
import json
import math
import mmap
import os
import platform
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

ROOT = Path(__file__).parents[2]


def interleave(
    calls: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm_up: bool = True,
    least: float = 0.0,
    progress: bool = True,
) -> dict[str, list[float]]:
    """Seconds that one call of each takes, once in every round.

    All take turns in an order that changes, so that a busy machine slows all of them alike. With
    ``warm_up``, a round before the first does not count. Short calls are repeated until ``least``
    seconds have passed, after one that does not count: it finds the caches and the allocator as
    another has left them.
    """
    number = dict.fromkeys(calls, 1)
    if warm_up:
        for name, call in calls.items():
            _seconds(call, 1)  # allocates, compiles, fills caches
            number[name] = math.ceil(least / _seconds(call, 1)) if least else 1
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    shuffle = random.Random(0)
    turns = [name for _ in range(rounds) for name in shuffle.sample(list(calls), len(calls))]
    for name in tqdm(turns, unit="run", leave=False, disable=not progress):
        if least:
            calls[name]()
        seconds[name].append(_seconds(calls[name], number[name]))
    return seconds


def _seconds(call: Callable[[], object], number: int) -> float:
    """Seconds that a call takes, the mean of several one after another."""
    _wait()
    start = time.perf_counter()
    for _ in range(number):
        call()
    _wait()
    return (time.perf_counter() - start) / number


def _wait() -> None:
    """Wait until the GPU, if one is in use, has done what it was told."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def device() -> torch.device:
    """The GPU, if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def peak_memory(call: Callable[[], object]) -> int:
    """The most bytes that are held at one time during a call, beyond those before.

    On a GPU those of torch; else all of the process's resident memory, which Linux tells, so that
    libraries and threads count that torch knows nothing of.
    """
    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        return torch.cuda.max_memory_allocated() - before
    gc.collect()
    # What was freed goes back, so that what is taken again counts.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that from now on
    before = _resident("VmRSS")
    call()
    return max(_resident("VmHWM") - before, mmap.PAGESIZE)


def _resident(which: str) -> int:
    """Bytes of resident memory: now (VmRSS) or at their peak (VmHWM)."""
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in status if line.startswith(which)).split()[1])


def free_memory() -> int:
    """Bytes that can still be had, on the GPU if there is one."""
    if torch.cuda.is_available():
        return torch.cuda.mem_get_info()[0]
    information = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return 1024 * int(information["MemAvailable"].split()[0])


def spread(each: Sequence[float]) -> tuple[float, float, float]:
    """Median, lowest and highest."""
    return statistics.median(each), min(each), max(each)


def ratio_to_best(
    seconds: Mapping[str, Sequence[float]], ours: str, theirs: Sequence[str]
) -> list[float]:
    """In each round, the time of one over that of the best of others.

    The best is the one with the lowest median, and not the luckiest of each round.
    """
    best = min(theirs, key=lambda name: statistics.median(seconds[name]))
    return [own / other for own, other in zip(seconds[ours], seconds[best], strict=True)]


def machine(packages: Sequence[str]) -> dict[str, Any]:
    """Where and with what this runs."""
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load": os.getloadavg()[0],
        "versions": versions,
        "commit": _commit(),
    }


def _cpu() -> str:
    """The processor's name."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _commit() -> str:
    """The commit of the checkout, with a + if files differ from it."""
    git = ["git", "-C", os.fspath(ROOT), "describe", "--always", "--dirty=+", "--abbrev=10"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def described(machine: Mapping[str, Any]) -> str:
    """The machine in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cores']} cores of {machine['cpu']}, {machine['threads']} threads, "
        f"load {machine['load']:.1f}; {machine['gpu'] or 'no GPU'}; {versions}; "
        f"commit {machine['commit']}"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their content, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])],
        ).rstrip()
        for row in (header, *rows)
    )


def add_arguments(parser: argparse.ArgumentParser, rounds: int) -> None:
    """The arguments that every benchmark takes."""
    parser.add_argument("--rounds", type=int, default=rounds, help="after one that is not counted")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "runs" / "benchmarks")


def print_and_save(name: str, text: str, results: Mapping[str, Any], folder: Path) -> None:
    """Print the text, and write it and the results beside each other."""
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text(text + "\n")
    (folder / f"{name}.json").write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {folder}/{name}.txt, {name}.json")
