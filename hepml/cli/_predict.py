"""``hepml predict``: scores beside each jet, in a tree that can be a friend of the input."""

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import PositiveInt

from hepml.cli._network import add_network_option, named_networks
from hepml.deploy import Tagger, predict


def make_parser() -> ArgumentParser:
    """The options of ``hepml predict``."""
    parser = ArgumentParser(
        usage="hepml predict CHECKPOINT FILE [FILE ...] -o OUT.root [options]",
        description="Write a tree with one entry for each entry of the input and a branch "
        "score_<class> for each class; jagged where an entry holds several jets. Jets that cannot "
        "be scored, such as those with NaN momenta, get NaN. In ROOT: "
        'events->AddFriend("scores", "OUT.root").',
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
    parser.add_argument("--tree", type=str, default="scores", help="name of the tree")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--batch-size", type=PositiveInt, default=128, help="jets at a time")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda, cuda:1, ...")
    add_network_option(parser)
    return parser


def run(config: Namespace) -> int:
    """Write the scores and say what was written."""
    tagger = Tagger.load(
        config.checkpoint,
        model=named_networks(config.network),
        device=config.device,
        batch_size=config.batch_size,
    )
    everything = predict(
        tagger,
        config.files,
        config.output,
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
    return 0
