"""What taggers reached, as a table, as JSON and as figures."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from hepml import __version__
from hepml.evaluation import (
    Discriminant,
    Discrimination,
    confusion_figure,
    roc_figure,
    scores_figure,
)
from hepml.evaluation._sample import said
from hepml.evaluation._taggers import file_names
from hepml.evaluation.classification._experiment import experiment_label
from hepml.evaluation.classification._jet_plots import (
    calibration_figure,
    kinematics_figure,
    learning_figure,
    mass_figure,
)
from hepml.evaluation.classification._result import Result
from hepml.figures import save_figure
from hepml.io import Files, locate
from hepml.outputs import require_free_folder, whole_folder
from hepml.tables import aligned

_METRICS = "metrics.json"
# What fits on a terminal.
_MOST_PAIRS = 12


def comparison_table(results: Sequence[Result]) -> str:
    """One line for each tagger and pair of classes, for a terminal.

    The rejections are 1/eB at the signal efficiencies eS in the heading; jets/s is the rate from
    file to score. Of more than 12 pairs those with most signal are shown. The lines below say
    which jets of the files these are, or which particles of them, and how they are weighted. Of
    more than two classes the macro AUC is the mean of those of each class against the others.
    """
    several = len({d.pair for result in results for d in result.evaluation.discriminations}) > 1
    macro = any(result.evaluation.macro_auc is not None for result in results)
    rates = results[0].evaluation.discriminations[0].rejections
    largest = [_largest(result.evaluation.discriminations) for result in results]
    rows = [
        [
            "model",
            "parameters",
            *(["classes"] if several else []),
            "accuracy",
            *(["macro AUC"] if macro else []),
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
                    _parameters(result) if first else "",
                    *([found.pair.title] if several else []),
                    str(result.evaluation.accuracy or "-") if first else "",
                    *([str(result.evaluation.macro_auc or "-") if first else ""] if macro else []),
                    str(found.auc),
                    *map(str, found.rejections.values()),
                    f"{result.sets_per_second:,.0f}" if first else "",
                ]
            )
    texts = {0, 2} if several else {0}
    lines = aligned(rows, right={*range(len(rows[0]))} - texts)
    most = max(len(result.evaluation.discriminations) for result in results)
    if most > _MOST_PAIRS:
        lines.append(f"({most - _MOST_PAIRS} further pairs are not shown)")
    rule = "-" * max(map(len, lines))
    return "\n".join(
        [lines[0], rule, *lines[1:], *said([(result.name, result.sample) for result in results])]
    )


def _parameters(result: Result) -> str:
    """The number of parameters, of a network."""
    return "-" if result.parameters is None else f"{result.parameters:,}"


def _largest(found: Sequence[Discrimination]) -> list[Discrimination]:
    """The pairs with most signal, in their order."""
    largest = sorted(found, key=lambda each: -each.rows[0])[:_MOST_PAIRS]
    return [each for each in found if each in largest]


def write_report(
    results: Sequence[Result],
    folder: str | os.PathLike[str],
    files: Files | None = None,
    *,
    overwrite: bool = False,
    experiment: str | None = None,
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
    experiment
        What figures are labelled with, such as "CMS Simulation Preliminary" or "ATLAS Internal".

    Raises
    ------
    InputError
        If the experiment has no label in mplhep.
    FileError
        If the folder or a file cannot be written, or if it holds a report and `overwrite` is false.
        The report is complete, or what was there stays.

    Returns
    -------
    :
        The files: all taggers in one ROC figure for each pair of classes, or all pairs of a single
        tagger in one; beside it, for the same, efficiencies against transverse momentum and
        pseudorapidity (of what has momenta), the mass of the background after a cut (of sets), and
        calibration; scores and confusion matrix of each tagger; the losses of its training, if it
        lies in a run.
    """
    check_report(folder, overwrite)
    label = experiment_label(experiment)
    folder = Path(folder)
    content = {
        "hepml": __version__,
        "files": None if files is None else [str(location) for location in locate(files)],
        "taggers": {result.name: result.to_dict() for result in results},
    }
    with whole_folder(folder, _METRICS) as part:
        written = _write(results, part, content, label)
    return [folder / path.name for path in written]


def _write(
    results: Sequence[Result],
    folder: Path,
    content: Mapping[str, Any],
    label: Callable[[Figure], None],
) -> list[Path]:
    """Write all files of a report."""
    paths = [folder / _METRICS]
    paths[0].write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")

    def save(figure: Figure, name: str) -> None:
        label(figure)
        paths.extend(save_figure(figure, folder / name))

    for suffix, overlay in _overlays(results).items():
        save(roc_figure({name: found for name, (_, found) in overlay.items()}), f"roc{suffix}")
        rows = {name: result.rows_of(found.pair) for name, (result, found) in overlay.items()}
        kinematics = [each.kinematics for each in rows.values()]
        if all(each is not None for each in kinematics):
            save(kinematics_figure(rows), f"kinematics{suffix}")
        if all(each is not None and each.mass is not None for each in kinematics):
            save(mass_figure(rows), f"mass{suffix}")
        if any(each.is_probability for each in rows.values()):
            save(calibration_figure(rows), f"calibration{suffix}")
    for result, suffix in zip(results, _suffixes(results), strict=True):
        names = result.evaluation.class_names
        if result.probabilities is None or result.evaluation.confusion is None:
            continue
        scores = scores_figure(
            result.probabilities,
            result.labels,
            names,
            [found.pair for found in result.evaluation.discriminations],
            weights=result.weights,
        )
        save(scores, f"scores{suffix}")
        save(confusion_figure(result.evaluation.confusion, names), f"confusion{suffix}")
    learned = {result.name: result.epochs for result in results if "train_loss" in result.epochs}
    if learned:
        save(learning_figure(learned), "learning")
    return paths


def _suffixes(results: Sequence[Result]) -> list[str]:
    """What tells the files of several taggers apart."""
    if len(results) == 1:
        return [""]
    return [f"_{name}" for name in file_names([result.name for result in results])]


def check_report(folder: str | os.PathLike[str], overwrite: bool) -> None:
    """Refuse a folder that holds a report, unless it may be replaced."""
    require_free_folder(folder, _METRICS, "an evaluation", overwrite=overwrite)


def _overlays(results: Sequence[Result]) -> dict[str, dict[str, tuple[Result, Discrimination]]]:
    """What each figure overlays, by the end of its name: taggers, or pairs of classes of one."""
    if len(results) == 1:
        (result,) = results
        pairs = result.evaluation.discriminations
        single = len(pairs) == 1
        return {"": {result.name if single else each.pair.title: (result, each) for each in pairs}}
    figures: dict[Discriminant, dict[str, tuple[Result, Discrimination]]] = {}
    for result in results:
        for found in result.evaluation.discriminations:
            figures.setdefault(found.pair, {})[result.name] = (result, found)
    if len(figures) == 1:
        return {"": figures.popitem()[1]}
    names = file_names([pair.title for pair in figures])
    return {f"_{name}": figure for name, figure in zip(names, figures.values(), strict=True)}
