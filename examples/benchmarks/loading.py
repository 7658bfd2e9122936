"""How fast jets come out of ROOT files: hepml.io, bare uproot and weaver-core's loader.

    python examples/benchmarks/loading.py [FILES...]

What is compared runs in this one call, in turns, so that a busy machine slows all of it alike.
weaver-core takes part when it is installed (pip install weaver-core).
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import uproot
import yaml
from torch.utils.data import DataLoader
from tqdm import tqdm

from hepml.io import Collection, Columns, ParticleStream, read, recognise

ROOT = Path(__file__).parents[2]
PADDED_LENGTH = 128  # of weaver's published configurations for JetClass

UPROOT = "uproot: awkward arrays"
UPROOT_THREADS = "uproot: awkward arrays, 2 threads"
READ = "hepml: one ParticleSet"
STREAM = "hepml: batches in order"
SHUFFLED = "hepml: batches, shuffled"
WORKERS = "hepml: batches, shuffled, 2 workers"
FEATURES = "hepml: batches, shuffled, preset's features"
# weaver reads a share of the files at a time, 0.01 unless told; all of it at once is faster on
# files as small as these, and impossible for files that do not fit into memory.
WEAVER = {
    f"weaver: batches, shuffled, {share}, {workers} workers": (step, workers)
    for share, step in (("1 % at a time", 0.01), ("10 % at a time", 0.1), ("all at once", 1.0))
    for workers in (0, 2)
}

# What is divided by the best of what, and the least that it should be.
RATIOS = {
    "one ParticleSet / uproot": (READ, [UPROOT], 0.6),
    "batches in order / uproot": (STREAM, [UPROOT], 0.6),
    "batches, shuffled / uproot": (SHUFFLED, [UPROOT], 0.6),
    "batches, shuffled / best of uproot": (SHUFFLED, [UPROOT, UPROOT_THREADS], None),
    "batches, shuffled / weaver, 1 % at a time": (
        SHUFFLED,
        [name for name, (step, _) in WEAVER.items() if step == 0.01],
        10.0,
    ),
    "batches, shuffled / best of weaver": (SHUFFLED, list(WEAVER), None),
}

Reader = Callable[[], int]  # reads everything once and gives the number of jets it read


def main(words: list[str] | None = None) -> None:
    """Measure, print and save."""
    arguments = parse_arguments(words)
    files = [os.fspath(path) for path in arguments.files]
    columns, plain = recognised_and_plain(files[0])
    with tempfile.TemporaryDirectory() as scratch:
        readers = hepml_and_uproot(files, columns, plain, arguments.batch_size)
        readers |= weaver(files, plain, arguments.batch_size, Path(scratch))
        rates = measure(readers, arguments.rounds)
    results = {
        "command": " ".join(["python", "examples/benchmarks/loading.py", *(words or sys.argv[1:])]),
        "files": {Path(path).name: os.path.getsize(path) for path in files},
        "branches": branches(plain),
        "jets": readers[UPROOT](),
        "batch_size": arguments.batch_size,
        "machine": machine(),
        "jets_per_second": rates,
        "ratios": ratios(rates),
    }
    text = table(results)
    print(text)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "loading.txt").write_text(text + "\n")
    (arguments.output / "loading.json").write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {arguments.output}/loading.txt, loading.json")


def parse_arguments(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, default=[ROOT / "data" / "train.root"])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7, help="after one that is not counted")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "runs" / "benchmarks")
    return parser.parse_args(words)


def recognised_and_plain(file: str) -> tuple[Columns, Columns]:
    """The recognised columns, and the same branches as they are, without expressions."""
    layout = recognise(file)
    if layout is None or len(layout.columns.collections) != 1 or layout.columns.label is None:
        raise SystemExit(f"{file}: expected a recognised layout with one collection and a label")
    (particles,) = layout.columns.collections
    words = re.findall(r"\w+", " ".join(particles.features.values()))
    chunk = next(iter(uproot.iterate(source(file, layout.columns), step_size=1)))
    names = [name for name in chunk.fields if name in words]
    plain = Collection(particles.momentum, features={name: name for name in names})
    return layout.columns, layout.columns.replace(collections=[plain])


def source(file: str, columns: Columns) -> str:
    """The file and tree as uproot names them; the only tree needs no name."""
    return file if columns.tree is None else f"{file}:{columns.tree}"


def branches(columns: Columns) -> list[str]:
    """Everything that is read."""
    (particles,) = columns.collections
    return [*particles.momentum.values(), *particles.features.values(), str(columns.label)]


def hepml_and_uproot(
    files: list[str], columns: Columns, plain: Columns, batch_size: int
) -> dict[str, Reader]:
    """The readers of this package and what they stand on."""
    trees = [source(path, columns) for path in files]
    names = branches(plain)

    def arrays(**how: Any) -> int:
        return sum(map(len, uproot.iterate(trees, names, **how)))

    def batches(columns: Columns, workers: int = 0, shuffle: bool = False) -> int:
        stream = ParticleStream(files, columns, batch_size=batch_size, shuffle=shuffle)
        return sum(map(len, DataLoader(stream, batch_size=None, num_workers=workers)))

    return {
        UPROOT: arrays,
        UPROOT_THREADS: partial(arrays, decompression_executor=uproot.ThreadPoolExecutor(2)),
        READ: lambda: len(read(files, plain)),
        STREAM: partial(batches, plain),
        SHUFFLED: partial(batches, plain, shuffle=True),
        WORKERS: partial(batches, plain, shuffle=True, workers=2),
        FEATURES: partial(batches, columns, shuffle=True),
    }


def weaver(files: list[str], columns: Columns, batch_size: int, scratch: Path) -> dict[str, Reader]:
    """weaver-core's loader, with its padding, on the same branches; nothing if not installed."""
    try:
        from weaver.utils.dataset import SimpleIterDataset
    except ImportError:
        return {}
    (particles,) = columns.collections
    classes = {
        f"is_{name}": f"{columns.label} == {i}" for i, name in enumerate(columns.class_names)
    }
    inputs = {
        "pf_vectors": list(particles.momentum.values()),
        "pf_features": list(particles.features.values()),
        "pf_mask": ["part_mask"],
    }
    config = scratch / "data.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "treename": columns.tree,
                "new_variables": {"part_mask": f"ak.ones_like({inputs['pf_vectors'][0]})"}
                | classes,
                # manual without numbers: no variable is shifted, scaled or clipped
                "preprocess": {"method": "manual"},
                "inputs": {
                    group: {"length": PADDED_LENGTH, "vars": [[name, None] for name in names]}
                    for group, names in inputs.items()
                    if names
                },
                "labels": {"type": "simple", "value": list(classes)},
            }
        )
    )

    def batches(step: float, workers: int) -> int:
        # Its workers share the files out, so that each of two needs one.
        given = files if len(files) >= workers else files * workers
        dataset = SimpleIterDataset({"jets": given}, str(config), fetch_step=step)
        loader = DataLoader(dataset, batch_size=batch_size, num_workers=workers)
        return sum(len(labels["_label_"]) for _, labels, _ in loader)

    return {name: partial(batches, *how) for name, how in WEAVER.items()}


def measure(readers: dict[str, Reader], rounds: int) -> dict[str, list[float]]:
    """Jets per second of each reader in each round."""
    rates: dict[str, list[float]] = {name: [] for name in readers}
    steps = [(name, turn) for turn in range(rounds + 1) for name in readers]
    for name, turn in tqdm(steps, unit="run", leave=False):
        start = time.perf_counter()
        jets = readers[name]()
        if turn > 0:  # the first fills the file cache, and weaver compiles its padding
            rates[name].append(jets / (time.perf_counter() - start))
    return rates


def ratios(rates: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    """The ratios of RATIOS, each formed within a round."""
    found = {}
    for name, (ours, theirs, target) in RATIOS.items():
        rivals = [rates[rival] for rival in theirs if rival in rates]
        if rivals:
            each = [own / max(rest) for own, *rest in zip(rates[ours], *rivals, strict=True)]
            found[name] = {"each": each, "median": statistics.median(each), "target": target}
    return found


def table(results: dict[str, Any]) -> str:
    """The results as text."""
    machine = results["machine"]
    lines = [
        f"{results['jets']} jets of {', '.join(results['files'])}; "
        f"branches {', '.join(results['branches'])}",
        f"{machine['cores']} cores of {machine['cpu']}, load {machine['load']:.1f}; "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        + f"; commit {machine['commit']}",
        "",
        f"{'':53}{'jets/s':>9}{'lowest':>9}{'highest':>9}{'batches/s':>11}",
    ]
    for name, each in results["jets_per_second"].items():
        median = statistics.median(each)
        lines.append(
            f"{name:53}{median:>9.0f}{min(each):>9.0f}{max(each):>9.0f}"
            f"{median / results['batch_size']:>11.0f}"
        )
    lines += [
        "",
        f"{'ratio within a round':53}{'median':>9}{'lowest':>9}{'highest':>9}{'target':>11}",
    ]
    for name, ratio in results["ratios"].items():
        each, target = ratio["each"], ratio["target"]
        lines.append(
            f"{name:53}{ratio['median']:>9.2f}{min(each):>9.2f}{max(each):>9.2f}"
            f"{'' if target is None else f'{target:g}':>11}"
        )
    if "weaver-core" not in machine["versions"]:
        lines += ["", "weaver-core is not installed and not compared: pip install weaver-core"]
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Where and with what this ran."""
    versions = {"python": platform.python_version()}
    for package in ("torch", "uproot", "awkward", "weaver-core"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "cpu": cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "versions": versions,
        "commit": commit(),
    }


def cpu() -> str:
    """The processor's name."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def commit() -> str:
    """The commit of the checkout, with a + if files differ from it."""
    git = ["git", "-C", os.fspath(ROOT), "describe", "--always", "--dirty=+", "--abbrev=10"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
