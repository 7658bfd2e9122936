"""Figures of predicted numbers: against the truth, residuals, pulls."""

import numpy as np
from jaxtyping import Float
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from hepml.evaluation.regression._evaluation import QUANTILES, Regression
from hepml.evaluation.regression._figures import weighted_quantiles
from hepml.figures import PALETTE, new_figure, style, without_markup

_BINS = 60
# Points of the median against the truth, each of as many rows.
_POINTS = 15
_PULL = 5.0


def truth_figure(found: Regression) -> Figure:
    """How often each prediction is made for each truth, and the line on which they are equal."""
    with style():
        figure, (axes,) = new_figure()
        both = np.concatenate([found.truth, found.prediction])
        low, high = weighted_quantiles(both, (0.005, 0.995), np.tile(found.weights, 2))
        edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
        counts, _, _ = np.histogram2d(
            found.truth, found.prediction, bins=[edges, edges], weights=found.weights
        )
        filled = counts[counts > 0]
        least = min(1.0, filled.min(initial=1.0))
        drawn = axes.pcolormesh(
            edges,
            edges,
            np.where(counts > 0, counts, np.nan).T,
            norm=LogNorm(least, max(filled.max(initial=0.0), 2 * least)),
            cmap="Blues",
            rasterized=True,
        )
        what = "Predictions" if found.sample.weights is None else "Predictions, weighted"
        figure.colorbar(drawn, ax=axes, pad=0.03, aspect=25).set_label(what)
        axes.plot(edges, edges, color=PALETTE[1], linewidth=1.5)
        axes.set_xlabel(f"True {without_markup(found.target)}")
        axes.set_ylabel(f"Predicted {without_markup(found.target)}")
        text = f"{without_markup(found.name)}\nr = {found.correlation}"
        axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", fontsize=20)
    return figure


def residual_figure(found: Regression) -> Figure:
    """The median and the central 68 % and 95 % of prediction minus truth, against the truth."""
    with style():
        figure, (axes,) = new_figure()
        centres, lowest, low, median, high, highest = _profile(found)
        (line,) = axes.plot(centres, median, marker="o", label="median")
        axes.fill_between(
            centres, low, high, color=line.get_color(), alpha=0.35, linewidth=0, label="68 %"
        )
        axes.fill_between(
            centres, lowest, highest, color=line.get_color(), alpha=0.15, linewidth=0, label="95 %"
        )
        axes.axhline(0.0, color="0.5", linewidth=1)
        bottom, top = axes.get_ylim()
        axes.set_ylim(bottom, top + 0.2 * (top - bottom))
        axes.set_xlabel(f"True {without_markup(found.target)}")
        axes.set_ylabel(f"Predicted - true {without_markup(found.target)}")
        axes.legend(loc="upper right")
    return figure


def pull_figure(found: Regression) -> Figure:
    """How residuals over predicted widths are distributed, and a normal distribution."""
    assert found.width is not None
    with style():
        figure, (axes,) = new_figure()
        edges = np.linspace(-_PULL, _PULL, _BINS + 1)
        pulls = (found.residual / found.width).clip(-_PULL, _PULL)
        counts, _ = np.histogram(pulls, edges, weights=found.weights)
        density = counts / (found.weights.sum() * np.diff(edges))
        label = f"half of the central 68 %: {found.pull_width}"
        axes.stairs(density, edges, fill=True, alpha=0.5, color=PALETTE[0], label=label)
        x = np.linspace(-_PULL, _PULL, 300)
        normal = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        axes.plot(x, normal, color=PALETTE[1], label="normal distribution")
        axes.set_ylim(0, 1.35 * max(density.max(), normal.max()))
        axes.set_xlim(-_PULL, _PULL)
        axes.set_xlabel(f"(Predicted - true {without_markup(found.target)}) / predicted width")
        axes.set_ylabel("Density")
        axes.legend(loc="upper right", fontsize=17)
    return figure


def _profile(found: Regression) -> Float[np.ndarray, "6 points"]:
    """Median truth, and the quantiles of the residual, of groups with equally many rows."""
    order = np.argsort(found.truth, kind="stable")
    groups = [each for each in np.array_split(order, _POINTS) if found.weights[each].sum() > 0]
    table = [
        [
            *weighted_quantiles(found.truth[each], (0.5,), found.weights[each]),
            *weighted_quantiles(found.residual[each], QUANTILES, found.weights[each]),
        ]
        for each in groups
    ]
    return np.array(table).reshape(-1, 1 + len(QUANTILES)).T
