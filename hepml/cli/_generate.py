"""``hepml generate``: jets from Pythia and a detector in numpy, in ROOT files."""

from jsonargparse import ArgumentParser, Namespace

from hepml.datasets import generate_top_tagging

RECIPES = {"top-tagging": generate_top_tagging}


def make_parser() -> ArgumentParser:
    """The options of ``hepml generate``."""
    parser = ArgumentParser(
        description="Simulate jets to learn from. Needs pythia8mc and fastjet. The same seed gives "
        "the same jets, with any number of workers."
    )
    parser.add_argument("recipe", choices=list(RECIPES), help="which jets to make")
    parser.add_argument("output", help="the ROOT file to make; with --split, an existing folder")
    parser.add_argument("--jets", type=int, default=20_000, help="how many, of all classes")
    parser.add_argument("--seed", type=int, default=1, help="a whole number from 0")
    parser.add_argument("--workers", type=int, default=1, help="processes working side by side")
    parser.add_argument(
        "--signal-fraction", type=float, default=0.5, help="the part of signal jets in each file"
    )
    parser.add_argument(
        "--split",
        type=float,
        nargs=3,
        metavar=("TRAIN", "VAL", "TEST"),
        help="write train.root, val.root and test.root with these parts of the jets",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    return parser


def run(config: Namespace) -> int:
    """Generate the jets, with a progress bar on standard error, and name the files."""
    paths = RECIPES[config.recipe](
        config.output,
        jets=config.jets,
        seed=config.seed,
        workers=config.workers,
        signal_fraction=config.signal_fraction,
        split=config.split,
        overwrite=config.overwrite,
        progress=True,
    )
    for path in paths:
        print(path)
    return 0
