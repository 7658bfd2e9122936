"""How fast jets come out of ROOT files: hepml.io, bare uproot and weaver-core's loader.

    python examples/benchmarks/loading.py [FILES...]

What is compared runs in this one call, in turns, so that a busy machine slows all of it alike.
weaver-core takes part when it is installed (pip install weaver-core).
"""

import argparse
import os
import re
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import uproot
import yaml
from _measure import (
    ROOT,
    add_arguments,
    described,
    interleave,
    machine,
    print_and_save,
    spread,
    table,
)
from torch.utils.data import DataLoader

from hepml.io import BatchStream, Collection, Columns, read, recognise

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
        # This fills the file cache, and weaver compiles its padding.
        jets = {name: reader() for name, reader in readers.items()}
        seconds = interleave(readers, arguments.rounds, warm_up=False)
    rates = {name: [jets[name] / each for each in taken] for name, taken in seconds.items()}
    results = {
        "command": " ".join(["python", "examples/benchmarks/loading.py", *(words or sys.argv[1:])]),
        "files": {Path(path).name: os.path.getsize(path) for path in files},
        "branches": branches(plain),
        "jets": jets[UPROOT],
        "batch_size": arguments.batch_size,
        "machine": machine(["torch", "uproot", "awkward", "weaver-core"]),
        "jets_per_second": rates,
        "ratios": ratios(rates),
    }
    print_and_save("loading", report(results), results, arguments.output)


def parse_arguments(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, default=[ROOT / "data" / "train.root"])
    parser.add_argument("--batch-size", type=int, default=256)
    add_arguments(parser, rounds=7)
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
        stream = BatchStream(files, columns, batch_size=batch_size, shuffle=shuffle)
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


def ratios(rates: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    """The ratios of RATIOS, each formed within a round."""
    found = {}
    for name, (ours, theirs, target) in RATIOS.items():
        rivals = [rates[rival] for rival in theirs if rival in rates]
        if rivals:
            each = [own / max(rest) for own, *rest in zip(rates[ours], *rivals, strict=True)]
            found[name] = {"each": each, "median": statistics.median(each), "target": target}
    return found


def report(results: dict[str, Any]) -> str:
    """The results as text."""
    speeds = []
    for name, each in results["jets_per_second"].items():
        median, lowest, highest = spread(each)
        batches = median / results["batch_size"]
        speeds.append([name, f"{median:.0f}", f"{lowest:.0f}", f"{highest:.0f}", f"{batches:.0f}"])
    quotients = []
    for name, ratio in results["ratios"].items():
        target = "" if ratio["target"] is None else f"{ratio['target']:g}"
        quotients.append([name, *(f"{number:.2f}" for number in spread(ratio["each"])), target])
    parts = [
        f"{results['jets']} jets of {', '.join(results['files'])}; "
        f"branches {', '.join(results['branches'])}\n{described(results['machine'])}",
        table(["", "jets/s", "lowest", "highest", "batches/s"], speeds),
        table(["ratio within a round", "median", "lowest", "highest", "target"], quotients),
    ]
    if "weaver-core" not in results["machine"]["versions"]:
        parts.append("weaver-core is not installed and not compared: pip install weaver-core")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
