"""The one look of all figures: mplhep's, with colours that colour-blind readers tell apart."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import mplhep
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from hepml.outputs import whole_file

# Those of Petroff (arXiv:2107.02270).
PALETTE = ("#3f90da", "#bd1f01", "#ffa90e", "#832db6", "#94a4a2", "#a96b59", "#e76300", "#717581")


@contextmanager
def style() -> Iterator[None]:
    """mplhep's ROOT style with a palette that colour-blind readers can use, and nothing left set.

    The colours are those of Petroff (arXiv:2107.02270).
    """
    look = {
        **mplhep.style.ROOT,
        "axes.prop_cycle": cycler(color=PALETTE),
        "font.size": 22,
        "mathtext.fontset": "stixsans",
        "mathtext.default": "it",
    }
    with matplotlib.rc_context(look):
        yield


def new_figure(
    columns: int = 1, rows: int = 1, *, width: float = 9.0, height: float = 9.0
) -> tuple[Figure, list[Axes]]:
    """A figure that no global state knows, with its axes of this size in inches."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def save_figure(
    figure: Figure, stem: str | Path, *, endings: Sequence[str] = ("png", "pdf")
) -> list[Path]:
    """Write ``stem.png`` and ``stem.pdf``; returns their paths.

    Parameters
    ----------
    figure
        A figure made by this module.
    stem
        The path without the ending; its folder is made if need be.
    endings
        Which files to write.
    """
    stem = Path(stem)
    paths = [stem.with_name(f"{stem.name}.{ending}") for ending in endings]
    with style():
        for path in paths:
            # Without the date, the same numbers give the same file.
            metadata = {"CreationDate": None} if path.suffix == ".pdf" else None
            with whole_file(path) as part:
                figure.savefig(part, format=path.suffix[1:], metadata=metadata, dpi=120)
    return paths


def without_markup(text: str) -> str:
    """Text in which dollar signs do not start a formula."""
    return text.replace("$", r"\$")
