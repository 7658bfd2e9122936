"""What taggers reached, as a table, as JSON and as figures."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hepml import __version__
from hepml.deploy._compare import Result
from hepml.io import Files, locate
from hepml.outputs import require_free_folder, whole_folder
from hepml.training import (
    Discrimination,
    Pair,
    confusion_figure,
    roc_figure,
    save_figure,
    scores_figure,
)

_METRICS = "metrics.json"
# What fits on a terminal.
_MOST_PAIRS = 12


def comparison_table(results: Sequence[Result]) -> str:
    """One line for each tagger and pair of classes, for a terminal.

    The rejections are 1/eB at the signal efficiencies eS in the heading; jets/s is the rate from
    file to score. Of more than 12 pairs those with most signal jets are shown.
    """
    several = len({d.pair for result in results for d in result.evaluation.discriminations}) > 1
    rates = results[0].evaluation.discriminations[0].rejections
    largest = [_largest(result.evaluation.discriminations) for result in results]
    rows = [
        [
            "model",
            "parameters",
            *(["classes"] if several else []),
            "accuracy",
            "AUC",
            *(f"1/eB at eS={efficiency:g}" for efficiency in rates),
            "jets/s",
        ]
    ]
    for result, shown in zip(results, largest, strict=True):
        for number, found in enumerate(shown):
            # What belongs to the tagger and not to the pair is said once.
            first = number == 0
            rows.append(
                [
                    result.name if first else "",
                    f"{result.parameters:,}" if first else "",
                    *([found.pair.title] if several else []),
                    str(result.evaluation.accuracy) if first else "",
                    str(found.auc),
                    *map(str, found.rejections.values()),
                    f"{result.sets_per_second:,.0f}" if first else "",
                ]
            )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    texts = {0, 2} if several else {0}
    lines = [
        "  ".join(
            cell.ljust(width) if i in texts else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    most = max(len(result.evaluation.discriminations) for result in results)
    if most > _MOST_PAIRS:
        lines.append(f"({most - _MOST_PAIRS} further pairs are not shown)")
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _largest(found: Sequence[Discrimination]) -> list[Discrimination]:
    """The pairs with most signal jets, in their order."""
    largest = sorted(found, key=lambda each: -each.sets[0])[:_MOST_PAIRS]
    return [each for each in found if each in largest]


def write_report(
    results: Sequence[Result],
    folder: str | os.PathLike[str],
    files: Files | None = None,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write ``metrics.json`` and the figures, as PNG and PDF, into a folder.

    Parameters
    ----------
    results
        What :func:`compare` gave.
    folder
        Made if need be.
    files
        The files that were evaluated, to be named in the JSON.
    overwrite
        Whether a report that the folder holds may be replaced.

    Raises
    ------
    FileError
        If the folder or a file cannot be written, or if it holds a report and `overwrite` is false.
        The report is complete, or what was there stays.

    Returns
    -------
    :
        The files: all taggers in one ROC figure for each pair of classes, or all pairs of a single
        tagger in one; scores and confusion matrix of each tagger.
    """
    check_report(folder, overwrite)
    folder = Path(folder)
    content = {
        "hepml": __version__,
        "files": None if files is None else [str(location) for location in locate(files)],
        "taggers": {result.name: result.to_dict() for result in results},
    }
    with whole_folder(folder, _METRICS) as part:
        written = _write(results, part, content)
    return [folder / path.name for path in written]


def _write(results: Sequence[Result], folder: Path, content: Mapping[str, Any]) -> list[Path]:
    """Write all files of a report."""
    paths = [folder / _METRICS]
    paths[0].write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    for name, curves in _roc_figures(results).items():
        paths += save_figure(roc_figure(curves), folder / name)
    for result in results:
        suffix = f"_{_file_name(result.name)}" if len(results) > 1 else ""
        names = result.evaluation.class_names
        scores = scores_figure(
            result.probabilities,
            result.labels,
            names,
            [found.pair for found in result.evaluation.discriminations],
            weights=result.weights,
        )
        paths += save_figure(scores, folder / f"scores{suffix}")
        confusion = confusion_figure(result.evaluation.confusion, names)
        paths += save_figure(confusion, folder / f"confusion{suffix}")
    return paths


def check_report(folder: str | os.PathLike[str], overwrite: bool) -> None:
    """Refuse a folder that holds a report, unless it may be replaced."""
    require_free_folder(folder, _METRICS, "an evaluation", overwrite=overwrite)


def _roc_figures(results: Sequence[Result]) -> dict[str, dict[str, Discrimination]]:
    """The names of the ROC figures and what each overlays."""
    if len(results) == 1:
        (result,) = results
        pairs = result.evaluation.discriminations
        if len(pairs) == 1:
            return {"roc": {result.name: pairs[0]}}
        return {"roc": {found.pair.title: found for found in pairs}}
    figures: dict[Pair, dict[str, Discrimination]] = {}
    for result in results:
        for found in result.evaluation.discriminations:
            figures.setdefault(found.pair, {})[result.name] = found
    if len(figures) == 1:
        return {"roc": figures.popitem()[1]}
    return {f"roc_{_file_name(pair.title)}": figure for pair, figure in figures.items()}


def _file_name(text: str) -> str:
    """Text without the characters that a shell or a file system would trip over."""
    return "".join(c if c.isalnum() or c in "-+." else "_" for c in text)
