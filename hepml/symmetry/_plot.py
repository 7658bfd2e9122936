"""The figure of a report, in the style of mplhep."""

import math

from matplotlib.figure import Figure

from hepml.figures import PALETTE, new_figure, style
from hepml.symmetry._report import SymmetryReport

_LOOKS = {
    "float64": (PALETTE[0], "o"),
    "wide": (PALETTE[4], "v"),
    "float32": (PALETTE[1], "s"),
    "tf32": (PALETTE[3], "^"),
    "bfloat16": (PALETTE[2], "D"),
}


def violation_figure(report: SymmetryReport) -> Figure:
    """The largest violation against strength, a line for each precision.

    Parameters
    ----------
    report
        What :func:`check` gave.

    Notes
    -----
    The largest over all weights. Shaded is what rounding alone does. Violations of zero are drawn
    at the lower edge, those of a symmetry without strength as points.
    """
    lines = _lines(report)
    positive = [
        value
        for line in lines.values()
        for point in line
        for value in point[1:]
        if 0 < value < math.inf
    ]
    low, high = min(positive, default=1e-16) / 5, max([1.0, *positive]) * 5
    with style():
        figure, (axes,) = new_figure()
        # The most exact on top: it lies under the others where all see the same.
        for order, (precision, line) in enumerate(lines.items()):
            strengths, violations, rounding = zip(*line, strict=True)
            colour, marker = _LOOKS[precision]
            axes.plot(
                strengths,
                [min(max(violation, low), high) for violation in violations],
                color=colour,
                marker=marker,
                markersize=14 - 3 * order,
                linewidth=4.0 - order,
                label=precision,
            )
            axes.fill_between(
                strengths,
                low,
                [min(max(change, low), high) for change in rounding],
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
        axes.plot([], [], color="0.5", alpha=0.3, linewidth=12, label="rounding alone")
        axes.set_xscale("log")
        axes.set_yscale("log")
        # Room for the title and a row of the legend for each line.
        more = 3 if report.elements == "exact" else 2
        axes.set_ylim(low, high * (high / low) ** (0.08 * (len(lines) + more)))
        name = report.symmetry.strength_name
        axes.set_xlabel(r"Lorentz factor $\gamma$" if name == "gamma" else name.capitalize())
        if not name:
            axes.set_xticks([])
            axes.minorticks_off()
        axes.set_ylabel("Largest relative violation")
        axes.legend(
            title=f"{report.model}, {report.symmetry.name}: {report.verdict}"
            + ("\n(momenta of a grid, not rounded)" if report.elements == "exact" else ""),
            title_fontsize="small",
            alignment="left",
            loc="upper left",
        )
    return figure


def _lines(report: SymmetryReport) -> dict[str, list[tuple[float, float, float]]]:
    """Strength, largest violation and rounding over all weights, for each precision."""
    largest: dict[str, dict[float, tuple[float, float]]] = {}
    for point in report.measurements:
        line = largest.setdefault(point.precision, {})
        strength = 1.0 if point.strength is None else point.strength
        violation, rounding = line.get(strength, (0.0, 0.0))
        line[strength] = max(violation, point.largest), max(rounding, point.rounding)
    return {
        precision: [(strength, *values) for strength, values in line.items()]
        for precision, line in largest.items()
    }
