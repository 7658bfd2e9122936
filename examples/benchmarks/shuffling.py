"""Whether the order of the jets in the files matters to learning: mixed, a class a file, sorted.

    python examples/benchmarks/shuffling.py

Jets of ten classes, as many of each, are written three times: mixed in one file, in one file for
each class, and class after class in one file. From each a ParticleFlow learns with the same
options, shuffling in the default memory and in little; printed are the classes in its batches and
the accuracy that it reaches.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import torch
import uproot
from _measure import add_arguments, described, machine, print_and_save, table

from hepml.io import BatchStream, Collection, Columns
from hepml.training import train

CLASSES = 10
CLUSTER = 2048  # entries that are written, and so read, together
COLUMNS = Columns(
    Collection({"pt": "part_pt", "eta": "part_eta", "phi": "part_phi", "mass": "0"}),
    label="label",
    classes=[f"class_{i}" for i in range(CLASSES)],
)


def main(words: list[str] | None = None) -> None:
    """Write, learn, print and save."""
    arguments = parse_arguments(words)
    memories: list[int | float] = [2000, arguments.little]
    results: dict[str, Any] = {"machine": machine(["torch", "uproot"]), "rows": []}
    with tempfile.TemporaryDirectory() as scratch:
        files = write(Path(scratch), arguments.jets)
        for name, memory in [(name, memory) for name in files for memory in memories]:
            if name != "validation":
                row = learn(Path(scratch), files, name, memory, arguments)
                results["rows"].append({"files": name, "shuffle_memory": memory, **row})
                print(results["rows"][-1], file=sys.stderr, flush=True)
    results["command"] = " ".join(
        ["python", "examples/benchmarks/shuffling.py", *(words or sys.argv[1:])]
    )
    print_and_save("shuffling", report(results), results, arguments.output)


def parse_arguments(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jets", type=int, default=8192, help="of each class")
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--little", type=float, default=10, help="megabytes to shuffle in")
    add_arguments(parser, rounds=1)
    return parser.parse_args(words)


def write(folder: Path, jets: int) -> dict[str, list[str]]:
    """The files of each name."""
    classes = [jets_of_class(i, jets, seed=i) for i in range(CLASSES)]
    everything = ak.concatenate(classes)
    mixed = everything[np.random.default_rng(0).permutation(len(everything))]
    held_out = ak.concatenate(
        [jets_of_class(i, max(jets // 8, 1), seed=100 + i) for i in range(CLASSES)]
    )
    return {
        "mixed": [write_file(folder / "mixed.root", mixed)],
        "a file for each class": [
            write_file(folder / f"class_{i}.root", each) for i, each in enumerate(classes)
        ],
        "sorted": [write_file(folder / "sorted.root", everything)],
        "validation": [write_file(folder / "validation.root", held_out)],
    }


def jets_of_class(number: int, jets: int, seed: int) -> ak.Array:
    """Jets whose numbers of particles and angles grow with the class; neighbours overlap."""
    random = np.random.default_rng(seed)
    counts = random.poisson(5 + 0.6 * number, jets) + 1
    total = int(counts.sum())
    width = 0.05 * (1 + 0.2 * number)
    flat = {
        "pt": random.exponential(20, total),
        "eta": random.normal(0, width, total),
        "phi": random.normal(0, width, total),
    }
    particles = {k: ak.unflatten(v.astype(np.float32), counts) for k, v in flat.items()}
    return ak.Array({"part": ak.zip(particles), "label": np.full(jets, number, np.int32)})


def write_file(path: Path, jets: ak.Array) -> str:
    """The jets in a tree, a cluster at a time."""
    with uproot.recreate(path) as file:
        file.mktree("tree", {name: jets[name].type.content for name in jets.fields})
        for start in range(0, len(jets), CLUSTER):
            chunk = jets[start : start + CLUSTER]
            file["tree"].extend({name: chunk[name] for name in jets.fields})
    return str(path)


def learn(
    folder: Path,
    files: dict[str, list[str]],
    name: str,
    memory: int | float,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Classes in a batch, and what is reached."""
    stream = BatchStream(
        files[name],
        COLUMNS,
        batch_size=arguments.batch_size,
        shuffle=True,
        drop_last=True,
        shuffle_memory=memory,
    )
    counts = np.array(list(class_counts(stream)))
    expected = arguments.batch_size / CLASSES
    trained = train(
        "ParticleFlow",
        files[name],
        validation=files["validation"],
        columns=COLUMNS,
        output=folder / f"{name}-{memory}",
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        shuffle_memory=memory,
        progress=False,
    )
    return {
        "pools": stream.mixing().pools,
        "reads": round(stream.reads(), 2),
        "fewest classes in a batch": int((counts > 0).sum(axis=1).min()),
        "fewest jets of a class in a batch": int(counts.min()),
        "chi squared": round(float(((counts - expected) ** 2).sum(axis=1).mean() / expected), 2),
        "accuracy": round(float(trained.figures["val_accuracy"]), 4),
    }


def class_counts(stream: BatchStream) -> Iterator[Any]:
    """How many jets of each class the batches have."""
    for batch in stream:
        assert batch.labels is not None
        yield torch.bincount(batch.labels, minlength=CLASSES).numpy()


def report(results: dict[str, Any]) -> str:
    """The results as text."""
    rows = results["rows"]
    return "\n\n".join(
        [
            described(results["machine"]),
            table(list(rows[0]), [[str(value) for value in row.values()] for row in rows]),
            f"chi squared of a random draw from all jets: {CLASSES - 1}",
        ]
    )


if __name__ == "__main__":
    main()
