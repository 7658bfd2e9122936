"""Figures of what a cut on the score does, of calibration and of learning."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hepml.evaluation.classification._jets import (
    WORKING_POINT,
    ScoredRows,
    calibration,
    even_edges,
    mass_divergence,
    mass_edges,
    profile,
)
from hepml.evaluation.classification._plots import MOST_CURVES
from hepml.figures import new_figure, style, without_markup


def kinematics_figure(jets: Mapping[str, ScoredRows]) -> Figure:
    """Signal efficiency and background rejection against transverse momentum and pseudorapidity.

    Parameters
    ----------
    jets
        What to draw, by the name for the legend: taggers, or pairs of classes.

    Notes
    -----
    One cut, that which keeps half of the signal; bins with about as many jets in each.
    """
    shown = _with_most_signal(jets)
    noun = next(iter(shown.values())).noun.capitalize()
    with style():
        figure, panels = new_figure(2, 2, width=8.5, height=6.0)
        for column, (name, title) in enumerate(
            (("pt", r"$p_T$ [GeV]"), ("eta", r"pseudorapidity $\eta$"))
        ):
            above, below = panels[column], panels[2 + column]
            for label, each in shown.items():
                values, passing = getattr(each.kinematics, name), each.passing()
                edges = even_edges(values)
                for of_kind, axes in ((each.signal, above), (~each.signal, below)):
                    found = profile(values[of_kind], passing[of_kind], each.weights[of_kind], edges)
                    inverse = axes is below
                    with np.errstate(divide="ignore", invalid="ignore"):
                        value = 1 / found.efficiency if inverse else found.efficiency
                        error = found.uncertainty * (value**2 if inverse else 1.0)
                    _steps(axes, edges, value, error, without_markup(label))
            if name == "pt" and _is_wide(shown.values()):
                above.set_xscale("log")
                below.set_xscale("log")
            above.set_ylim(0, 1)
            above.set_ylabel(r"Signal efficiency $\varepsilon_S$")
            below.set_ylabel(r"Rejection 1/$\varepsilon_B$")
            below.set_ylim(bottom=0)
            below.set_xlabel(f"{noun} {title}")
        title = rf"one cut, $\varepsilon_S$ = {WORKING_POINT:g}"
        panels[0].legend(loc="best", title=title, title_fontsize="small")
    return figure


def _is_wide(rows: Iterable[ScoredRows]) -> bool:
    """Whether most transverse momenta lie at one end of an axis, as those of particles do."""
    pt = np.concatenate([each.kinematics.pt for each in rows if each.kinematics is not None])
    return len(pt) > 0 and pt.min() > 0 and bool(pt.max() > 10 * np.median(pt))


def _with_most_signal(jets: Mapping[str, ScoredRows]) -> dict[str, ScoredRows]:
    """As many as can be told apart, as in the ROC figure, in their order."""
    most = sorted(jets, key=lambda name: -int(jets[name].signal.sum()))[:MOST_CURVES]
    return {name: each for name, each in jets.items() if name in most}


def _steps(
    axes: Axes,
    edges: Float[np.ndarray, " edges"],
    value: Float[np.ndarray, " bins"],
    error: Float[np.ndarray, " bins"],
    label: str,
) -> None:
    """A point with its error in each bin that has jets."""
    finite = np.isfinite(value) & np.isfinite(error)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    axes.errorbar(
        middle[finite], value[finite], error[finite], half[finite], fmt="o", ms=7, label=label
    )


def mass_figure(jets: Mapping[str, ScoredRows]) -> Figure:
    """The mass of background jets before and after the cut that keeps half of the signal.

    Parameters
    ----------
    jets
        What to draw, by the name for the legend: taggers, or pairs of classes. The background
        before the cut is drawn for the first; where backgrounds differ, so do their shapes.

    Notes
    -----
    The number in the legend is the Jensen-Shannon divergence of the two shapes, in bits.
    """
    shown = _with_most_signal(jets)
    first = next(iter(shown.values()))
    with style():
        figure, (axes,) = new_figure()
        edges = mass_edges(_masses(first)[~first.signal])
        width = edges[1] - edges[0]

        def shape(each: ScoredRows, passing: np.ndarray) -> np.ndarray:
            chosen = ~each.signal & passing
            counts, _ = np.histogram(_masses(each)[chosen], edges, weights=each.weights[chosen])
            total = counts.sum()
            scaled: np.ndarray = counts / (total * width) if total > 0 else counts
            return scaled

        every = np.ones(len(first.signal), bool)
        axes.stairs(shape(first, every), edges, fill=True, color="0.8", label="background, no cut")
        for name, each in shown.items():
            label = f"{without_markup(name)}  ({mass_divergence(each):.3f})"
            axes.stairs(shape(each, each.passing()), edges, linewidth=2.5, label=label)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, 1.45 * axes.get_ylim()[1])
        axes.set_xlabel("Jet mass [GeV]")
        axes.set_ylabel("Probability density [1/GeV]")
        title = rf"after a cut at $\varepsilon_S$ = {WORKING_POINT:g}"
        axes.legend(loc="upper right", title=title, title_fontsize="small")
    return figure


def _masses(jets: ScoredRows) -> Float[np.ndarray, " jets"]:
    """The masses of jets, which have some."""
    assert jets.kinematics is not None
    assert jets.kinematics.mass is not None
    return jets.kinematics.mass


def calibration_figure(jets: Mapping[str, ScoredRows]) -> Figure:
    """The share of signal against the probability that the tagger gives.

    Parameters
    ----------
    jets
        What to draw, by the name for the legend; scores that are no probabilities are left out.

    Notes
    -----
    The number in the legend is the expected calibration error.
    """
    shown = _with_most_signal({n: each for n, each in jets.items() if each.is_probability})
    with style():
        figure, (axes,) = new_figure()
        axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="calibrated")
        for name, each in shown.items():
            found = calibration(each)
            axes.errorbar(
                found.predicted,
                found.observed,
                found.uncertainty,
                fmt="o-",
                ms=7,
                label=f"{without_markup(name)}  ({found.error:.3f})",
            )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("Probability of signal, predicted")
        axes.set_ylabel("Share of signal, observed")
        axes.legend(loc="upper left")
    return figure


def learning_figure(runs: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Loss of training and validation after each epoch.

    Parameters
    ----------
    runs
        The columns of the table of epochs of each run, by the name for the legend: ``epoch``,
        ``train_loss`` and, with validation, ``val_loss``.
    """
    with style():
        figure, (axes,) = new_figure()
        for name, table in list(runs.items())[:MOST_CURVES]:
            colour = axes.plot(
                table["epoch"],
                table["train_loss"],
                "o--",
                lw=2,
                label=f"{without_markup(name)}, training",
            )[0].get_color()
            if "val_loss" in table:
                axes.plot(
                    table["epoch"],
                    table["val_loss"],
                    "o-",
                    lw=2.5,
                    color=colour,
                    label=f"{without_markup(name)}, validation",
                )
        axes.set_xlabel("Epoch")
        axes.set_ylabel("Loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    return figure
