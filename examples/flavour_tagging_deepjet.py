"""Tell b jets from light ones on CMS full simulation, in the ntuples that DeepJet is trained on.

    python examples/flavour_tagging_deepjet.py ntuple_ttbar.root

The file ntuple_ttbar.root (7,199 jets of top pair events) is a test file of the public DeepJetCore
repository. Charged and neutral candidates are merged into one set for each jet; the four classes b,
c, uds and g are learned together, and each pair of them has its own score.
"""

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

from hepml.deploy import Tagger
from hepml.evaluation import Discriminant, compare, comparison_table, write_report
from hepml.io import PRESETS
from hepml.training import train


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="DeepNTuples, such as ntuple_ttbar.root")
    parser.add_argument("--jets", type=int, help="learn from the first jets only")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--output", type=Path, default=Path("runs/flavour-tagging"))
    options = parser.parse_args(argv)

    # One file for both: every fourth event is kept for the test, with all of its jets.
    columns = PRESETS["deepjet"]
    training = columns.replace(cut="event_no % 4 != 0")
    test = columns.replace(cut="event_no % 4 == 0")

    run = train(
        "ParticleFlow",
        options.file,
        columns=training,
        output=options.output,
        max_sets=options.jets,
        epochs=options.epochs,
        batch_size=64,
        overwrite=True,
    )
    with warnings.catch_warnings():
        # The file was learned from, too; the cuts keep its events apart.
        warnings.filterwarnings("ignore", message=".*the network has learned from")
        results = compare(
            [Tagger.load(run.folder.last)],
            options.file,
            columns=test,
            pairs=[
                Discriminant.parse("b/uds+g"),
                Discriminant.parse("b/c"),
                Discriminant.parse("c/uds+g"),
            ],
            progress=True,
        )
    print(comparison_table(results))
    written = write_report(results, options.output / "evaluation", options.file, overwrite=True)
    print(f"in {written[0].parent}:", *(path.name for path in written))


if __name__ == "__main__":
    main()
