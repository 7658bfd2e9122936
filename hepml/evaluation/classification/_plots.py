"""The figures of an evaluation in the style of mplhep, for paper and screen."""

import math
from collections.abc import Mapping, Sequence

import hist
import mplhep
import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from hepml.errors import InputError
from hepml.evaluation.classification._discriminants import Discriminant
from hepml.evaluation.classification._discrimination import Discrimination
from hepml.figures import PALETTE, new_figure, style, without_markup

# More are not told apart by eye: of more, those with most signal are drawn.
MOST_CURVES = 8
_MOST_CLASSES_WITH_NUMBERS = 10
# Names of more along an axis cannot be read.
_MOST_CLASSES = 40
_BINS = 50


def roc_figure(curves: Mapping[str, Discrimination]) -> Figure:
    """Background rejection 1/eB against signal efficiency eS, with bootstrap bands.

    Parameters
    ----------
    curves
        What to draw, by the name for the legend: taggers, or pairs of classes.

    Raises
    ------
    InputError
        If there is no curve.

    Notes
    -----
    The band holds 68.3 % of the bootstrap replicas. A curve ends where it has no upper edge: there
    no background passes in one replica of six or more.
    """
    if not curves:
        raise InputError(
            "curves", expected="one or more", got="none", fix="evaluate a tagger first"
        )
    shown = dict(sorted(curves.items(), key=lambda item: -item[1].rows[0])[:MOST_CURVES])
    shown = {name: curve for name, curve in curves.items() if name in shown}
    shown_pairs = {curve.pair.title for curve in shown.values()}
    with style():
        figure, (axes,) = new_figure()
        labels = {
            name: f"{without_markup(name)}  (AUC {shown[name].auc.value:.4f})" for name in shown
        }
        # Where the legend starts: its letters are about 0.13 inches wide, the axes 8 inches.
        left = 1 - (0.13 * max(map(len, labels.values())) + 1.0) / 8
        highest = highest_below_legend = 10.0
        for name, curve in shown.items():
            measured = (curve.background_low > 0) & (curve.background_efficiency > 0)
            efficiency = curve.signal_efficiency[measured]
            rejection = 1 / curve.background_efficiency[measured]
            low, high = 1 / curve.background_high[measured], 1 / curve.background_low[measured]
            (line,) = axes.plot(efficiency, rejection, linewidth=2.5, label=labels[name])
            axes.fill_between(
                efficiency, low, high, color=line.get_color(), alpha=0.25, linewidth=0
            )
            highest = max([highest, *high])
            highest_below_legend = max([highest_below_legend, *high[efficiency > left]])
        efficiency = np.linspace(1 / highest, 1, 200)
        axes.plot(efficiency, 1 / efficiency, color="0.6", linestyle=":", label="random choice")
        axes.set_yscale("log")
        axes.set_xlim(0, 1)
        # The legend: a row for each curve, the random choice, the title, and the margins.
        free = 0.95 - 0.047 * (len(shown) + 2)
        axes.set_ylim(1, max(2 * highest, highest_below_legend ** (1 / free)))
        axes.set_xlabel(r"Signal efficiency $\varepsilon_S$")
        axes.set_ylabel(r"Background rejection 1/$\varepsilon_B$")
        title = without_markup(shown_pairs.pop()) if len(shown_pairs) == 1 else None
        axes.legend(title=title, loc="upper right", title_fontsize="small")
        _note_left_out(figure, len(curves) - len(shown))
    return figure


def scores_figure(
    probabilities: Float[np.ndarray, "rows classes"],
    labels: Int[np.ndarray, " rows"],
    class_names: Sequence[str],
    pairs: Sequence[Discriminant],
    *,
    weights: Float[np.ndarray, " rows"] | None = None,
) -> Figure:
    """How the score of each pair is distributed, class by class, each with area one.

    Parameters
    ----------
    probabilities
        The probability of each class for each row: each jet, particle, ...
    labels
        The number of the true class of each row.
    class_names
        The names of the classes.
    pairs
        One panel for each; of many, for those with most signal.
    weights
        The weight of each row.

    Raises
    ------
    InputError
        If there is no pair.
    """
    if not pairs:
        raise InputError("pairs", expected="one or more", got="none", fix="name a pair of classes")
    names = list(class_names)
    signal = {pair: int(pair.is_signal(labels, names)[0].sum()) for pair in pairs}
    largest = sorted(pairs, key=lambda pair: -signal[pair])[:MOST_CURVES]
    shown = [pair for pair in pairs if pair in largest]
    columns = 2 if len(shown) == 4 else min(len(shown), 3)
    weights = np.ones(len(labels)) if weights is None else weights
    with style():
        figure, panels = new_figure(columns, math.ceil(len(shown) / columns), width=8.5, height=7.5)
        for pair, axes in zip(shown, panels, strict=False):
            scores = pair.scores(probabilities, names)
            sides: dict[str, Sequence[str]] = {
                name: (name,) for name in (*pair.signal, *pair.background)
            }
            if len(sides) > len(PALETTE):
                sides = {"signal": pair.signal, "background": pair.background}
            low, high = _range(scores)
            highest, lowest = 0.0, math.inf
            for number, (side, members) in enumerate(sides.items()):
                of_side = np.isin(labels, [names.index(name) for name in members])
                filled = hist.Hist(
                    hist.axis.Regular(_BINS, low, high), storage=hist.storage.Weight()
                )
                # The last bin of an axis does not hold its upper edge.
                inside = np.minimum(scores[of_side], np.nextafter(high, 0.0))
                filled.fill(inside, weight=weights[of_side])
                total = filled.sum().value
                if total <= 0:
                    continue
                filled = filled * (_BINS / (high - low) / total)
                mplhep.histplot(
                    filled,
                    ax=axes,
                    histtype="fill" if number == 0 else "step",
                    alpha=0.45 if number == 0 else 1.0,
                    color=PALETTE[number],
                    linewidth=2.5,
                    yerr=False,
                    edges=False,
                    label=without_markup(side),
                )
                heights = filled.values()
                highest = max(highest, heights.max())
                lowest = min(lowest, heights[heights > 0].min())
            axes.set_yscale("log")
            axes.set_xlim(low, high)
            if highest > 0:
                axes.set_ylim(lowest / 2, highest * (highest / lowest) ** 0.35)
            axes.set_xlabel(f"Score: {without_markup(pair.title)}")
            axes.set_ylabel("Probability density")
            axes.legend(loc="upper center", ncols=min(len(sides), 4), columnspacing=1.0)
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        _note_left_out(figure, len(pairs) - len(shown))
    return figure


def _range(scores: Float[np.ndarray, " rows"]) -> tuple[float, float]:
    """From 0 to 1; around the scores where all lie close together, as after little training."""
    low, high = float(scores.min(initial=1.0)), float(scores.max(initial=0.0))
    if high - low > 0.3 or low > high:
        return 0.0, 1.0
    margin = max(0.1 * (high - low), 1e-4)
    return max(low - margin, 0.0), min(high + margin, 1.0)


def confusion_figure(
    confusion: Float[np.ndarray, "classes classes"], class_names: Sequence[str]
) -> Figure:
    """Which class the rows of each true class are taken for, as fractions of the true class.

    Parameters
    ----------
    confusion
        The weight of what is of each true class (row) and taken for each class (column).
    class_names
        The names of the classes.

    Notes
    -----
    Of more than 10 classes those that the sample has are rows; of more than 40, the 40 with most
    weight, and the others are one column.
    """
    names = [without_markup(name) for name in class_names]
    total = confusion.sum(1, keepdims=True)
    fractions = np.divide(confusion, total, out=np.full_like(confusion, np.nan), where=total > 0)
    rows: Sequence[int] = range(len(names))
    if len(names) > _MOST_CLASSES_WITH_NUMBERS:
        # Of many classes a sample often has few: rows without any say nothing.
        rows = sorted(np.argsort(-total[:, 0], kind="stable")[:_MOST_CLASSES])
        rows = [row for row in rows if total[row] > 0]
    columns = names
    if len(names) > _MOST_CLASSES:
        others = np.delete(fractions, rows, 1)
        fractions = np.column_stack([fractions[:, rows], others.sum(1)])
        columns = [*(names[row] for row in rows), f"{others.shape[1]} others"]
    classes = len(columns)
    with style():
        width = 9.5 if classes <= _MOST_CLASSES_WITH_NUMBERS else 15.0
        figure, (axes,) = new_figure(width=width, height=0.84 * width)
        image = axes.imshow(fractions[list(rows)], vmin=0, vmax=1, cmap="Blues", aspect="auto")
        bar = figure.colorbar(image, ax=axes, pad=0.03, aspect=25)
        bar.set_label("Fraction of the true class", labelpad=12)
        turned = 90.0 if sum(map(len, columns)) > 40 else 0.0
        axes.set_xticks(range(classes), columns, rotation=turned, fontsize=_size(classes))
        axes.set_yticks(range(len(rows)), [names[row] for row in rows], fontsize=_size(len(rows)))
        axes.tick_params(which="both", length=0)
        axes.set_xlabel("Most probable class")
        axes.set_ylabel("True class")
        if classes <= _MOST_CLASSES_WITH_NUMBERS:
            for row in np.flatnonzero(total == 0):
                middle = (classes - 1) / 2
                axes.text(middle, float(row), "none", ha="center", va="center", color="0.4")
            for (row, column), fraction in np.ndenumerate(fractions):
                if not math.isnan(fraction):
                    axes.text(
                        column,
                        row,
                        f"{fraction:.3f}",
                        ha="center",
                        va="center",
                        color="white" if fraction > 0.5 else "black",
                        fontsize=min(24.0, 110 / classes),
                    )
    return figure


def _size(names: int) -> float:
    """The font size at which this many names fit along an axis."""
    return min(22.0, max(9.0, 500 / max(names, 1)))


def _note_left_out(figure: Figure, left_out: int) -> None:
    """Say under the figure how many curves or panels it does not show."""
    if left_out:
        figure.supxlabel(f"{left_out} further pairs are not shown", fontsize="x-small", color="0.4")
