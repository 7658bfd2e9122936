"""The figure of a report, in the style of mplhep."""

import math

import matplotlib
import mplhep
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hepml.symmetry._report import SymmetryReport

# The first colours of Petroff's palette (arXiv:2107.02270), which colour-blind readers tell apart.
_COLOURS = {
    "float64": "#3f90da",
    "float32": "#bd1f01",
    "tf32": "#832db6",
    "bfloat16": "#ffa90e",
}
_LINES = {"given": "-", "random": "--"}


def violation_figure(report: SymmetryReport) -> Figure:
    """The largest violation against strength, a line for each precision, over what rounding does.

    Parameters
    ----------
    report
        What :func:`check` gave.

    Notes
    -----
    Violations of zero are drawn at the lower edge. A symmetry without strength gets points.
    """
    look = {
        **mplhep.style.ROOT,
        "font.size": 22,
        "mathtext.fontset": "stixsans",
        "mathtext.default": "it",
    }
    positive = [
        value
        for point in report.measurements
        for value in (point.largest, point.rounding)
        if 0 < value < math.inf
    ]
    low, high = min(positive, default=1e-16) / 5, max([1.0, *positive]) * 5
    several = len({point.weights for point in report.measurements}) > 1
    with matplotlib.rc_context(look):
        figure = Figure(figsize=(9.0, 9.0), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for (weights, precision), points in report.curves().items():
            strengths = [1.0 if point.strength is None else point.strength for point in points]
            colour = _COLOURS[precision]
            axes.plot(
                strengths,
                [min(max(point.largest, low), high) for point in points],
                _LINES[weights],
                marker="o",
                markersize=8,
                linewidth=2.5,
                color=colour,
                label=f"{precision}, {weights} weights" if several else precision,
            )
            axes.fill_between(
                strengths,
                low,
                [min(max(point.rounding, low), high) for point in points],
                color=colour,
                alpha=0.12,
                linewidth=0,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(low, high * (high / low) ** (0.07 * (len(report.curves()) + 1)))
        gamma = report.symmetry.strength_name == "gamma"
        axes.set_xlabel(
            r"Lorentz factor $\gamma$" if gamma else report.symmetry.strength_name.capitalize()
        )
        if report.measurements[0].strength is None:
            axes.set_xticks([])
        axes.set_ylabel("Largest violation / spread of outputs")
        axes.legend(
            title=f"{report.model}: {report.symmetry.name}, {report.verdict}",
            title_fontsize="small",
            loc="upper left",
            fontsize="small",
        )
    return figure
