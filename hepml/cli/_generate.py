"""``hepml generate``: jets from Pythia and a detector in numpy, in ROOT files."""

from difflib import get_close_matches

from jsonargparse import ArgumentParser, Namespace

from hepml.datasets import SYSTEMS, generate_top_tagging
from hepml.errors import InputError

RECIPES = {"top-tagging": generate_top_tagging}


def make_parser() -> ArgumentParser:
    """The options of ``hepml generate``."""
    parser = ArgumentParser(
        description="Simulate jets to learn from. Needs pythia8mc and fastjet. The same seed gives "
        "the same jets, with any number of workers. Trajectories of bodies in motion: `hepml "
        f"generate SYSTEM --help`, where SYSTEM is one of {', '.join(SYSTEMS)}."
    )
    parser.add_argument("recipe", type=str, help=f"which jets to make: {', '.join(RECIPES)}")
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
    if config.recipe not in RECIPES:
        known = [*RECIPES, *SYSTEMS]
        near = get_close_matches(config.recipe, known, n=1, cutoff=0.4)
        raise InputError(
            "recipe",
            expected=f"jets ({', '.join(RECIPES)}) or a system ({', '.join(SYSTEMS)})",
            got=repr(config.recipe),
            fix=f"try {near[0]}" if near else "name one of these",
        )
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
