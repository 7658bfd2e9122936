"""The learning curves of a run: its figures against the epochs."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepml.errors import FileError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Beside the losses, so many figures have room.
_PANELS = 3


def write_curves(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], best: int | None, path: Path
) -> None:
    """Draw what each epoch gave; a picture that cannot be written costs a warning, not the run.

    Parameters
    ----------
    rows
        The figures of each epoch, with its number as ``epoch``.
    names
        Those to draw. What ends in ``loss`` shares a panel, as does what ends in one word.
    best
        The epoch that was chosen.
    path
        The picture.
    """
    # Those of epochs before a resume come out of a file, as text.
    points = [{k: float(v) for k, v in row.items() if v not in ("", None)} for row in rows]
    panels: dict[str, list[str]] = {}
    for name in names:
        if any(name in row for row in points):
            panels.setdefault(name.rpartition("_")[2], []).append(name)
    if not panels:
        return
    # A second to import, for a run that ends.
    from hepml.figures import new_figure, save_figure, style

    shown = dict([*panels.items()][: _PANELS + 1])
    with style():
        figure, axes = new_figure(columns=len(shown), width=8.0, height=7.0)
        for each, (word, lines) in zip(axes, shown.items(), strict=True):
            _draw(each, points, word, lines, best)
        try:
            save_figure(figure, path.with_suffix(""), endings=(path.suffix[1:],))
        except (FileError, OSError) as error:
            warnings.warn(f"no picture of the learning curves: {error}", UserWarning, stacklevel=2)


def _draw(
    axes: "Axes",
    rows: Sequence[Mapping[str, float]],
    word: str,
    names: Sequence[str],
    best: int | None,
) -> None:
    """The curves of a panel, of which points mark the epochs."""
    from matplotlib.ticker import MaxNLocator

    for name in names:
        points = [(row["epoch"], row[name]) for row in rows if name in row]
        label = name.removesuffix(f"_{word}").replace("_", " ") or word
        axes.plot(*zip(*points, strict=True), marker="o", label=label)
    if best is not None:
        axes.axvline(best, color="0.6", linestyle=":", label=f"best epoch, {best}")
    values = [row[name] for row in rows for name in names if name in row]
    if min(values) > 0 and max(values) > 20 * min(values):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("Epoch")
    axes.set_ylabel({"auc": "AUC", "rmse": "RMSE"}.get(word, word.capitalize()))
    axes.legend()
