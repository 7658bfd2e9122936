"""``hepml generate``: jets from Pythia and a detector in numpy, in ROOT files."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from inspect import getdoc

from jsonargparse import ArgumentParser, Namespace

from hepml.cli._made import add_output, making_parser
from hepml.datasets import SYSTEMS, generate_top_tagging
from hepml.errors import InputError

RECIPES = {"top-tagging": generate_top_tagging}


def make_parser() -> ArgumentParser:
    """The options of ``hepml generate``."""
    parser = making_parser(
        "hepml generate RECIPE -o FILE [options]",
        "Simulate jets to learn from. Needs pythia8mc and fastjet. The same seed gives the same "
        "jets, with any number of workers. Trajectories of bodies have other options: "
        "`hepml generate SYSTEM --help`.",
        {"recipes of jets": _about(RECIPES), "systems of bodies in motion": _about(SYSTEMS)},
    )
    parser.add_argument("recipe", type=str, help="which jets to make")
    add_output(parser, "the ROOT file to make; with --split, an existing folder")
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
        config.file,
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


def _about(things: Mapping[str, object]) -> dict[str, str]:
    """The beginning of what is said about each thing where it is made."""
    texts = {name: " ".join((getdoc(thing) or "").split()) for name, thing in things.items()}
    return {name: re.split("[:,.]| as ", text)[0] for name, text in texts.items()}
