"""Figures: readable, reproducible, and without a trace in matplotlib's global state."""

import sys

import matplotlib
import numpy as np
import pytest

from hepml.errors import InputError
from hepml.evaluation import (
    confusion_figure,
    default_discriminants,
    evaluate_probabilities,
    roc_figure,
    scores_figure,
)
from hepml.evaluation.classification._plots import MOST_CURVES, _range
from hepml.figures import save_figure


def sample(classes, jets=1500, separation=2.0, seed=0):
    """Probabilities, labels and names of classes with normal logits."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, jets)
    logits = random.normal(size=(jets, classes)) + separation * np.eye(classes)[labels]
    probabilities = np.exp(logits)
    names = [f"class_{i}" for i in range(classes)]
    return probabilities / probabilities.sum(1, keepdims=True), labels, names


def curves(classes, **arguments):
    """The curves of all pairs of such a sample."""
    evaluation = evaluate_probabilities(*sample(classes, **arguments), replicas=20)
    return {found.pair.title: found for found in evaluation.discriminations}


def figures(classes):
    """All three kinds."""
    probabilities, labels, names = sample(classes)
    evaluation = evaluate_probabilities(probabilities, labels, names, replicas=10)
    return {
        "roc": roc_figure({d.pair.title: d for d in evaluation.discriminations}),
        "scores": scores_figure(probabilities, labels, names, default_discriminants(names)),
        "confusion": confusion_figure(evaluation.confusion, names),
    }


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 12])
def test_figures_are_written_the_same_each_time_and_leave_no_style(tmp_path, classes):
    before = dict(matplotlib.rcParams)
    written = []
    for attempt in ("first", "second"):
        folder = tmp_path / attempt
        folder.mkdir()
        written.append(
            [
                path
                for name, made in figures(classes).items()
                for path in save_figure(made, folder / name)
            ]
        )
    assert [path.name for path in written[0]] == [
        f"{name}.{ending}" for name in ("roc", "scores", "confusion") for ending in ("png", "pdf")
    ]
    for first, second in zip(*written, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert dict(matplotlib.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


@pytest.mark.parametrize("classes", [2, 5, 12])
@pytest.mark.parametrize("separation", [0.1, 3.0])
def test_the_legend_of_a_roc_hides_no_curve(classes, separation):
    figure = roc_figure(curves(classes, separation=separation, jets=600))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    box = axes.get_legend().get_window_extent()
    for line in axes.lines[:-1]:
        points = axes.transData.transform(line.get_xydata())
        assert not box.count_contains(points)


def test_a_roc_ends_where_the_background_runs_out():
    random = np.random.default_rng(0)
    score = np.where(np.arange(400) < 200, random.random(400) * 0.6, 0.4 + 0.6 * random.random(400))
    labels = (np.arange(400) >= 200).astype(int)
    found = evaluate_probabilities(np.stack([1 - score, score], 1), labels, ["qcd", "top"])
    (axes,) = roc_figure({"tagger": found.discriminations[0]}).axes
    efficiency, rejection = axes.lines[0].get_xydata().T
    assert efficiency.min() > 0.6
    assert np.isfinite(rejection).all()
    assert np.isfinite(axes.get_ylim()).all()


def test_a_perfect_tagger_has_a_legend_and_no_curve():
    labels = np.arange(40) % 2
    found = evaluate_probabilities(np.eye(2)[labels], labels, ["qcd", "top"])
    figure = roc_figure({"tagger": found.discriminations[0]})
    figure.draw_without_rendering()
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "tagger  (AUC 1.0000)"


def test_many_pairs_are_reduced_to_the_largest_and_said_so():
    all_curves = curves(12)
    figure = roc_figure(all_curves)
    assert len(figure.axes[0].lines) == MOST_CURVES + 1
    assert figure.get_supxlabel() == "4 further pairs are not shown"
    shown = {line.get_label().rsplit("  ")[0] for line in figure.axes[0].lines[:-1]}
    smallest = min(all_curves[name].rows[0] for name in shown)
    assert all(curve.rows[0] <= smallest for name, curve in all_curves.items() if name not in shown)


def test_of_many_score_panels_those_with_most_signal_are_drawn():
    probabilities, labels, names = sample(12)
    labels = np.where(labels < 4, 11, labels)
    figure = scores_figure(probabilities, labels, names, default_discriminants(names))
    titles = [axes.get_xlabel() for axes in figure.axes if axes.axison]
    assert titles == [f"Score: class_{i} against 11 others" for i in range(4, 12)]
    assert figure.get_supxlabel() == "4 further pairs are not shown"


def test_scores_are_normalised_to_area_one_with_weights_and_the_upper_edge():
    probabilities = np.array([[0.0, 1.0], [0.25, 0.75], [1.0, 0.0]])
    figure = scores_figure(
        probabilities,
        np.array([1, 1, 0]),
        ["qcd", "top"],
        default_discriminants(["qcd", "top"]),
        weights=np.array([3.0, 1.0, 5.0]),
    )
    (axes,) = figure.axes
    assert axes.get_legend().get_texts()[0].get_text() == "top"
    (_, top), (qcd, _) = (patch.get_data().values[[0, -1]] for patch in axes.patches)
    assert top == pytest.approx(50 * 0.75)
    assert qcd == pytest.approx(50)


def test_cells_of_the_confusion_are_fractions_of_the_true_class():
    figure = confusion_figure(np.array([[3.0, 1.0], [0.0, 5.0]]), ["qcd", "top"])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["0.750", "0.250", "0.000", "1.000"]


def test_a_class_without_jets_is_marked_in_the_confusion():
    figure = confusion_figure(np.array([[3.0, 1.0], [0.0, 0.0]]), ["a", "b"])
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert texts == {"0.750", "0.250", "none"}


def test_dollars_in_names_start_no_formula():
    figure = confusion_figure(np.eye(2), [r"$\nonsense$", "top"])
    figure.draw_without_rendering()


def test_nothing_to_draw_is_an_error():
    with pytest.raises(InputError, match="curves: expected one or more, got none"):
        roc_figure({})
    with pytest.raises(InputError, match="pairs: expected one or more, got none"):
        scores_figure(*sample(2), [])


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([0.0, 0.9], (0, 1)), ([0.2, 0.3], (0.19, 0.31)), ([0.5], (0.4999, 0.5001)), ([], (0, 1))],
)
def test_scores_that_lie_close_together_fill_their_panel(scores, expected):
    assert _range(np.array(scores)) == pytest.approx(expected)


def test_bins_of_a_narrow_range_have_area_one():
    random = np.random.default_rng(0)
    signal = random.normal(0.25, 0.001, 400)
    figure = scores_figure(
        np.stack([1 - signal, signal], 1),
        np.arange(400) % 2,
        ["qcd", "top"],
        default_discriminants(["qcd", "top"]),
    )
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    assert high - low < 0.02
    heights, edges, _ = axes.patches[0].get_data()
    assert np.sum(heights * np.diff(edges)) == pytest.approx(1)


def test_of_very_many_classes_the_confusion_shows_those_with_most_jets():
    confusion = np.zeros((188, 188))
    present = np.arange(3, 188, 3)
    confusion[present, present] = present
    confusion[present, 0] = 1.0
    names = [f"X_{i}" for i in range(188)]
    figure = confusion_figure(confusion, names)
    axes = figure.axes[0]
    shown = [names[i] for i in present[-40:]]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == shown
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [*shown, "148 others"]
    assert min(tick.get_fontsize() for tick in axes.get_xticklabels()) >= 12
    image = axes.images[0].get_array()
    assert image.shape == (40, 41)
    np.testing.assert_allclose(image.sum(1), 1.0)
    np.testing.assert_allclose(image[:, -1], 1 / (1 + present[-40:]))
