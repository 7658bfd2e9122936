"""``hepml evaluate``: measure trained taggers on files with labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import NonNegativeInt, PositiveInt

from hepml.cli._missing import add_missing_option
from hepml.cli._network import add_network_option, named_networks
from hepml.deploy import Tagger
from hepml.errors import InputError
from hepml.evaluation import (
    Discriminant,
    Regression,
    Result,
    check_report,
    compare,
    comparison_table,
    evaluate_regression,
    experiment_label,
    regression_table,
    write_regression,
    write_report,
)
from hepml.io import present
from hepml.training import choose_columns


def make_parser() -> ArgumentParser:
    """The options of ``hepml evaluate``."""
    parser = ArgumentParser(
        usage="hepml evaluate CHECKPOINT [CHECKPOINT ...] FILE [FILE ...] [options]",
        description="Accuracy, AUC and background rejection of taggers, of jets or of their "
        "particles, with bootstrap uncertainties: a table on standard output; metrics.json, ROC "
        "curves, efficiencies against pt and eta, the mass of the background after a cut, "
        "calibration, score histograms, confusion matrices and losses (PNG and PDF) in a folder. "
        "Of networks that predict numbers: bias, resolution, RMSE, correlation and pulls, and "
        "figures of prediction and residuals against the truth. jets/s is the rate from file to "
        "score: reading and network together. Of a network of dynamics, `hepml evaluate RUN "
        "--help` lists other options.",
    )
    parser.add_argument(
        "paths",
        nargs="+",
        type=str,
        help="checkpoints (names ending in .ckpt, or folders of runs), and files with jets",
    )
    parser.add_argument("-o", "--output", type=str, default="evaluation", help="folder to write to")
    parser.add_argument("--overwrite", action="store_true", help="replace the evaluation in it")
    parser.add_argument(
        "--columns",
        type=str | None,
        default=None,
        help="preset or YAML file, for files of another layout than the tagger was trained on",
    )
    parser.add_argument(
        "--pairs",
        nargs="+",
        type=str,
        default=[],
        metavar="SIGNAL/BACKGROUND",
        help="classes to tell apart, joined by +, as in b/uds+g; default: the second of two "
        "classes against the first, or each of more classes against the rest",
    )
    parser.add_argument(
        "--names",
        nargs="+",
        type=str,
        default=[],
        help="what to call the checkpoints, in their order; default: their networks, with the "
        "folder of the run where networks repeat",
    )
    parser.add_argument(
        "--weights",
        type=str | None,
        default=None,
        help="an expression for the weight of each jet in place of that of the columns; none for "
        "no weights",
    )
    parser.add_argument(
        "--missing-target",
        type=Literal["error", "drop"] | None,
        default=None,
        help="what to do with jets or particles whose target is NaN: drop leaves them out and says "
        "how many; default: as in training",
    )
    parser.add_argument(
        "--score-branch",
        nargs="+",
        type=str,
        default=[],
        metavar="NAME=EXPRESSION",
        help="scores of others that the files hold, larger for signal, to compare with",
    )
    parser.add_argument(
        "--experiment",
        type=str | None,
        default=None,
        metavar="LABEL",
        help="label of the figures, such as 'CMS Simulation Preliminary' or 'ATLAS Internal'",
    )
    parser.add_argument(
        "--max-sets",
        "--max-jets",
        type=PositiveInt | None,
        default=None,
        help="evaluate so many jets only, drawn evenly over the files",
    )
    parser.add_argument(
        "--bad",
        type=Literal["error", "drop"],
        default="error",
        help="what to do with jets that cannot be, such as NaN momenta",
    )
    parser.add_argument(
        "--replicas", type=PositiveInt, default=100, help="of the bootstrap, 2 or more"
    )
    parser.add_argument("--seed", type=NonNegativeInt, default=0, help="of the bootstrap")
    parser.add_argument("--batch-size", type=PositiveInt, default=128, help="jets at a time")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda, cuda:1, ...")
    add_missing_option(parser)
    add_network_option(parser)
    return parser


def run(config: Namespace) -> int:
    """Print the table and write the report."""
    # Jets come in files; a folder can only be that of a run.
    checkpoints = [path for path in config.paths if path.endswith(".ckpt") or Path(path).is_dir()]
    files = [path for path in config.paths if path not in checkpoints]
    scores = _scores(config.score_branch)
    for what, found in (("checkpoints", checkpoints or scores), ("files", files)):
        if not found:
            raise InputError(
                what,
                expected="one or more names that end in .ckpt, or folders of runs"
                if what == "checkpoints"
                else "one or more files with jets",
                got=" ".join(config.paths),
                fix="hepml evaluate CHECKPOINT.ckpt FILE",
            )
    check_report(config.output, config.overwrite)
    experiment_label(config.experiment)
    pairs = [Discriminant.parse(text) for text in config.pairs] or None
    networks = named_networks(config.network)
    taggers = [
        Tagger.load(path, model=networks, device=config.device, batch_size=config.batch_size)
        for path in checkpoints
    ]
    if numbers := [tagger for tagger in taggers if not tagger.classifies]:
        if len(numbers) < len(taggers) or scores:
            raise InputError(
                "checkpoints",
                expected="networks that tell classes, or networks that predict numbers",
                got="both",
                fix="evaluate them one after the other",
            )
        if pairs:
            raise InputError(
                "pairs",
                expected="networks that tell classes",
                got="networks that predict numbers",
                fix="leave --pairs out",
            )
        return _regression(config, numbers, files)
    if config.missing == "skip":
        known = taggers[0].columns if taggers else None
        if config.columns is not None:
            known = choose_columns(config.columns, "all", files)
        files = present(files, known)
    columns = None
    if config.columns is not None or not taggers:
        columns = choose_columns(config.columns, "all", files)
    results = compare(
        taggers,
        files,
        columns=columns,
        pairs=pairs,
        names=config.names,
        weights=config.weights,
        scores=scores,
        max_sets=config.max_sets,
        bad=config.bad,
        replicas=config.replicas,
        seed=config.seed,
        progress=True,
    )
    print(comparison_table(results))
    print(*_dropped(results), sep="", end="")
    written = write_report(
        results, config.output, files, overwrite=config.overwrite, experiment=config.experiment
    )
    absent = dict.fromkeys(p.title for result in results for p in result.evaluation.absent)
    if absent:
        names = ", ".join(absent) if len(absent) <= 5 else f"{len(absent)} further pairs"
        print(f"without signal or background in these files: {names}")
    plots = dict.fromkeys(path.stem for path in written if path.suffix == ".png")
    print(f"wrote {written[0]} and, beside it as .png and .pdf, {', '.join(plots)}")
    return 0


def _regression(config: Namespace, taggers: Sequence[Tagger], files: Sequence[str]) -> int:
    """Print the table of networks that predict numbers, and write their report."""
    known = taggers[0].columns
    columns = None
    if config.columns is not None:
        known = columns = choose_columns(config.columns, "all", files)
    if config.missing == "skip":
        files = present(files, known)
    results = evaluate_regression(
        taggers,
        files,
        columns=columns,
        names=config.names,
        weights=config.weights,
        missing_target=config.missing_target,
        max_sets=config.max_sets,
        bad=config.bad,
        replicas=config.replicas,
        seed=config.seed,
        progress=True,
    )
    print(regression_table(results))
    print(*_dropped(results), sep="", end="")
    written = write_regression(
        results, config.output, files, overwrite=config.overwrite, experiment=config.experiment
    )
    plots = dict.fromkeys(path.stem for path in written if path.suffix == ".png")
    print(f"wrote {written[0]} and, beside it as .png and .pdf, {', '.join(plots)}")
    return 0


def _scores(texts: Sequence[str]) -> dict[str, str]:
    """Names and expressions out of ``name=expression``."""
    scores = {}
    for text in texts:
        name, equals, expression = (part.strip() for part in text.partition("="))
        if not (name and equals and expression) or name in scores:
            raise InputError(
                f"score branch {text!r}",
                expected="a name of its own and an expression, as in particlenet=FatJet_pn_score",
                got="the name a second time" if name in scores else repr(text),
                fix="write NAME=EXPRESSION",
            )
        scores[name] = expression
    return scores


def _dropped(results: Sequence[Result] | Sequence[Regression]) -> list[str]:
    """A line for each reason why jets were left out; with the tagger's name if taggers differ."""
    same = all(result.dropped == results[0].dropped for result in results)
    lines = [
        f"left out as bad{'' if same else f' for {result.name}'}: {number} "
        f"{'jet' if number == 1 else 'jets'} ({reason})\n"
        for result in (results[:1] if same else results)
        for reason, number in result.dropped.items()
    ]
    return list(dict.fromkeys(lines))
