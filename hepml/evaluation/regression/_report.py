"""What networks that predict numbers reached, as a table, as JSON and as figures."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from hepml import __version__
from hepml.evaluation._sample import said
from hepml.evaluation._taggers import file_names
from hepml.evaluation.classification._experiment import experiment_label
from hepml.evaluation.regression._evaluation import Regression
from hepml.evaluation.regression._plots import pull_figure, residual_figure, truth_figure
from hepml.figures import save_figure
from hepml.io import Files, locate
from hepml.outputs import require_free_folder, whole_folder
from hepml.tables import aligned

_METRICS = "metrics.json"


def regression_table(results: Sequence[Regression]) -> str:
    """One line for each network and target, for a terminal.

    The factor is that by which the resolution is better than that of a constant. The lines below
    say which jets of the files these are, or which particles of them, and how they are weighted.
    """
    heading = ["model", "target", "bias", "resolution", "rmse", "constant", "factor", "correlation"]
    widths = any(result.pull_width is not None for result in results)
    rows = [[*heading, *(["pull width"] if widths else [])]]
    for result in results:
        better = result.resolution.value > 0
        factor = result.constant.value / result.resolution.value if better else float("inf")
        figures = (result.bias, result.resolution, result.rmse, result.constant)
        rows.append(
            [
                *(result.name, result.target, *map(str, figures)),
                *(f"{factor:.3g}", str(result.correlation)),
                *(["" if result.pull_width is None else str(result.pull_width)] if widths else []),
            ]
        )
    lines = aligned(rows, right=range(2, len(rows[0])))
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join([*lines, *said([(result.name, result.sample) for result in results])])


def write_regression(
    results: Sequence[Regression],
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
        What :func:`evaluate_regression` gave, of one network or several.
    folder
        Made if need be.
    files
        The files that were evaluated, to be named in the JSON.
    overwrite
        Whether a report that the folder holds may be replaced.
    experiment
        What figures are labelled with, such as "CMS Simulation Preliminary" or "ATLAS Internal".

    Returns
    -------
    :
        The files: for each network and target prediction against truth, residuals against truth
        and, where a width is predicted, pulls.

    Raises
    ------
    InputError
        If the experiment has no label in mplhep.
    FileError
        If the folder or a file cannot be written, or if it holds a report and `overwrite` is false.
    """
    require_free_folder(folder, _METRICS, "an evaluation", overwrite=overwrite)
    label = experiment_label(experiment)
    folder = Path(folder)
    content = {
        "hepml": __version__,
        "files": None if files is None else [str(location) for location in locate(files)],
        "predictions": [result.to_dict() for result in results],
    }
    several = len({result.name for result in results}) > 1
    ends = file_names([f"{r.name}_{r.target}" if several else r.target for r in results])
    with whole_folder(folder, _METRICS) as part:
        (part / _METRICS).write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
        written = [folder / _METRICS]
        for result, end in zip(results, ends, strict=True):
            figures = {"truth": truth_figure(result), "residual": residual_figure(result)}
            if result.width is not None:
                figures["pull"] = pull_figure(result)
            for name, figure in figures.items():
                label(figure)
                paths = save_figure(figure, part / f"{name}_{end}")
                written += [folder / path.name for path in paths]
    return written
