"""``hepml train`` with several seeds or folds: their options, and the table of their figures."""

from collections.abc import Mapping
from typing import Any

from jsonargparse import ArgumentParser

from hepml.errors import InputError
from hepml.tables import aligned
from hepml.training import SeveralRuns, train_folds, train_seeds

SEVERAL_OPTIONS = ("seeds", "folds", "fold_by")


def add_several_options(parser: ArgumentParser) -> None:
    """Add what makes several runs of one command."""
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[], help="a run with each, in OUTPUT/seed-N"
    )
    parser.add_argument(
        "--folds", type=int | None, help="a run that validates with each, in OUTPUT/fold-N"
    )
    parser.add_argument(
        "--fold-by",
        type=str | None,
        help="fold of a jet: this, rounded down, modulo the number of folds; default: `entry`",
    )


def train_several(
    network: str, options: Mapping[str, Any], *, files: Any, output: str
) -> SeveralRuns | None:
    """Train with each seed or fold that the options name; None if they name neither.

    Raises
    ------
    InputError
        If they name both, or what to fold by and no folds.
    """
    seeds, folds, fold_by = (options[name] for name in SEVERAL_OPTIONS)
    rest = {name: value for name, value in options.items() if name not in SEVERAL_OPTIONS}
    if seeds and folds is not None:
        raise InputError("seeds", expected="seeds or folds", got="both", fix="choose one of them")
    if fold_by is not None and folds is None:
        raise InputError("fold_by", expected="a number of folds", got="none", fix="add --folds 5")
    if seeds:
        # The parser gives its default as it gives a seed that was asked for.
        if not rest["seed"]:
            del rest["seed"]
        return train_seeds(network, files, output=output, seeds=seeds, **rest)
    if folds is None:
        return None
    named = {} if fold_by is None else {"fold_by": fold_by}
    return train_folds(network, files, output=output, folds=folds, **named, **rest)


def several_summary(network: str, several: SeveralRuns) -> str:
    """A table of the figures of each run, their mean and their spread."""
    names = several.names
    rows = [["run", "epoch", *(name.replace("_", " ") for name in names)]]
    for run, trained in several.runs.items():
        figures = [f"{trained.figures[name]:.4f}" for name in names]
        rows.append([run, str(trained.figures["epoch"]), *figures])
    for title, of in (("mean", several.mean), ("spread", several.spread)):
        rows.append([title, "", *(f"{of[name]:.4f}" for name in names)])
    title, end = f"{network}, {len(several.runs)} runs", f"written  {several.table}"
    return "\n".join([title, *aligned(rows), end])
