"""Score the jets of awkward events, select with the scores, and go on with the analysis.

    python examples/in_an_analysis.py [CHECKPOINT]

Events are made from data/test.root in the manner of NanoAOD: up to three large jets in each, every
jet with the branches of its constituents. The tagger evaluates its own columns on them, as it did
on the files that it learned from. Without a checkpoint a small tagger is trained first, for less
than a minute.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import awkward as ak
import numpy as np
import uproot
import vector

from hepml.deploy import Tagger
from hepml.training import train


def nano_like_events(file: Path, jets: int | None) -> ak.Array:
    """Events * jets, the jets with all of their branches and as momenta."""
    with uproot.open(file) as root:
        tree = root["tree"].arrays(entry_stop=jets)
    components = {"px": "px", "py": "py", "pz": "pz", "E": "energy"}
    momenta = {name: ak.sum(tree[f"part_{each}"], axis=1) for name, each in components.items()}
    parts = {name: tree[name] for name in tree.fields if name.startswith("part_")}
    fat_jets = ak.zip(momenta | parts, depth_limit=1, with_name="Momentum4D")
    sizes = np.random.default_rng(0).integers(0, 4, len(fat_jets))
    sizes = sizes[: np.searchsorted(np.cumsum(sizes), len(fat_jets))]
    return ak.zip({"FatJet": ak.unflatten(fat_jets[: sizes.sum()], sizes)}, depth_limit=1)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", nargs="?", help="of hepml train, with the columns of data/")
    parser.add_argument("--data", type=Path, default=Path("data"), help="holds train, val, test")
    parser.add_argument("--jets", type=int, default=4000, help="to learn from, and to analyse")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path("runs/in-an-analysis"))
    options = parser.parse_args(argv)
    vector.register_awkward()

    checkpoint = options.checkpoint
    if checkpoint is None:
        checkpoint = options.output
        train(
            "ParticleFlow",
            options.data / "train.root",
            output=checkpoint,
            features=["charge"],
            max_sets=options.jets,
            epochs=options.epochs,
            overwrite=True,
        )
    tagger = Tagger.load(checkpoint)
    events = nano_like_events(options.data / "test.root", options.jets)
    print("events:", events.type)

    # Events * jets in and out: selections and indices keep working. Where there are momenta of
    # constituents instead, with a field for each feature: tagger(events.FatJet.constituents).
    events["FatJet", "top"] = tagger(events.FatJet).top
    events = events[ak.num(events.FatJet) > 0]
    order = ak.argsort(events.FatJet.top, axis=1, ascending=False)
    best = events.FatJet[order][:, 0]
    working_point = np.quantile(ak.flatten(events.FatJet.top), 0.8)
    tagged = best[best.top > working_point]
    print(f"{len(tagged)} of {len(events)} events with jets have one among the fifth ", end="")
    print("most like a top")
    print(f"median mass {np.median(best.mass):.0f} GeV of the best jets of all events, ", end="")
    print(f"{np.median(tagged.mass):.0f} GeV of those tagged")


if __name__ == "__main__":
    main()
