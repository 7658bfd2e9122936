"""``hepml predict``: scores beside each jet, in a tree that can be a friend of the input."""

import sys

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import PositiveInt

from hepml.cli._missing import add_missing_option
from hepml.cli._network import add_network_option, named_networks
from hepml.deploy import Tagger, predict
from hepml.io import present


def make_parser() -> ArgumentParser:
    """The options of ``hepml predict``."""
    parser = ArgumentParser(
        usage="hepml predict CHECKPOINT FILE [FILE ...] -o OUT.root [options]",
        description="Write a tree with one entry for each entry of the input and a branch "
        "score_<class> for each class; jagged where an entry holds several jets. Jets that cannot "
        "be scored, such as those with NaN momenta, get NaN; where the network itself gives NaN "
        "the exit status is 1. In ROOT: "
        'events->AddFriend("scores", "OUT.root"). Of a network of dynamics, `hepml predict RUN '
        "--help` lists other options.",
    )
    parser.add_argument("checkpoint", type=str, help="a file (.ckpt) or folder of a run")
    parser.add_argument("files", nargs="+", type=str, help="files with jets, or patterns")
    parser.add_argument(
        "-o",
        "--output",
        type=str,
        required=True,
        help="OUT.root for the entries of all files, one after the other; any other name for a "
        "folder with one file for each input file",
    )
    parser.add_argument(
        "--observers",
        nargs="+",
        type=str,
        default=[],
        metavar="NAME[=EXPRESSION]",
        help="further branches: columns to copy, or expressions of each jet, as in event "
        "'pt=jet_pt / 1000'",
    )
    parser.add_argument(
        "--empty",
        type=_score,
        default=None,
        help="score of jets without particles, as in nan; default: what the network makes of them",
    )
    parser.add_argument(
        "--allow-nan",
        action="store_true",
        help="exit with status 0 though the network gave NaN to some jets",
    )
    parser.add_argument("--tree", type=str, default="scores", help="name of the tree")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--batch-size", type=PositiveInt, default=128, help="jets at a time")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda, cuda:1, ...")
    add_missing_option(parser)
    add_network_option(parser)
    return parser


def run(config: Namespace) -> int:
    """Write the scores and say what was written."""
    tagger = Tagger.load(
        config.checkpoint,
        model=named_networks(config.network),
        device=config.device,
        batch_size=config.batch_size,
        empty=config.empty,
    )
    everything = predict(
        tagger,
        present(config.files, tagger.columns) if config.missing == "skip" else config.files,
        config.output,
        observers=dict(map(_observer, config.observers)),
        tree=config.tree,
        overwrite=config.overwrite,
        progress=True,
    )
    for written in everything:
        bad = ", ".join(f"{count} {reason}" for reason, count in written.bad.items())
        print(
            f"{written.path}: {written.entries:,} entries, {written.sets:,} jets scored"
            + (f", NaN for {sum(written.bad.values()):,} bad ones ({bad})" if bad else "")
        )
    nan = sum(written.nan for written in everything)
    if nan:
        print(
            f"hepml predict: the network gave NaN to {nan:,} jets: is the checkpoint damaged? "
            "(--allow-nan lets it pass)",
            file=sys.stderr,
        )
    return int(nan > 0 and not config.allow_nan)


def _score(value: float | str) -> float:
    """A number; NaN is one, too, which it is not for YAML."""
    return float(value)


def _observer(text: str) -> tuple[str, str]:
    """Name and expression of an observer; a name alone is that of a column."""
    name, _, expression = text.partition("=")
    return name.strip(), expression or name.strip()
