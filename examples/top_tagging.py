"""Tell top quarks from light quarks and gluons: train, measure, draw, and write scores.

    python examples/top_tagging.py

reads the sample in data/ (made by `hepml generate top-tagging`), trains a particle flow network for
some minutes and leaves its checkpoint, figures and scores in runs/top-tagging.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hepml.deploy import Tagger, predict
from hepml.evaluation import compare, comparison_table, write_report
from hepml.io import read
from hepml.training import train


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"), help="holds train, val, test")
    parser.add_argument("--jets", type=int, help="learn from so many jets only")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--output", type=Path, default=Path("runs/top-tagging"))
    options = parser.parse_args(argv)

    run = train(
        "ParticleFlow",
        options.data / "train.root",
        validation=options.data / "val.root",
        output=options.output,
        max_sets=options.jets,
        epochs=options.epochs,
        batch_size=256,
        overwrite=True,
    )

    # The checkpoint knows how to read files, so that nothing has to be said twice.
    tagger = Tagger.load(run.folder.best)
    test = options.data / "test.root"
    jets = read(test, tagger.columns, max_sets=3)
    for jet, probability in zip(jets, tagger(jets)[:, 1], strict=True):
        print(f"a jet of {jet.p4.shape[0]} particles is a top with p = {float(probability):.3f}")

    results = compare([tagger], test, progress=True)
    print(comparison_table(results))
    written = write_report(results, options.output / "evaluation", [test], overwrite=True)
    print(f"in {written[0].parent}:", *(path.name for path in written))

    (scores,) = predict(tagger, test, options.output / "scores.root", overwrite=True)
    print(f"{scores.path}: {scores.entries:,} entries, to be a friend of the tree in {test}")


if __name__ == "__main__":
    main()
