"""Figures of jets, calibration and learning hold what is measured, told apart by colour."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from hepml.evaluation._kinematics import Kinematics
from hepml.evaluation.classification._jet_plots import (
    calibration_figure,
    kinematics_figure,
    learning_figure,
    mass_figure,
)
from hepml.evaluation.classification._jets import ScoredRows, mass_divergence
from hepml.evaluation.classification._plots import MOST_CURVES
from hepml.figures import save_figure


def scored(seed, is_probability=True):
    random = np.random.default_rng(seed)
    signal = random.random(400) < 0.5
    scores = np.clip(random.normal(0.4 + 0.2 * signal, 0.1), 0, 1)
    kinematics = Kinematics(
        random.uniform(500, 700, 400), random.normal(size=400), random.gamma(4, 20, 400)
    )
    return ScoredRows(scores, signal, np.ones(400), kinematics, is_probability)


def colours(lines):
    return [to_hex(line.get_color()) for line in lines]


def test_each_tagger_has_its_own_colour_in_every_figure():
    jets = {f"tagger {i}": scored(i) for i in range(MOST_CURVES)}
    above = kinematics_figure(jets).axes[0]
    assert len(set(colours(c[0] for c in above.containers))) == MOST_CURVES
    (axes,) = calibration_figure(jets).axes
    assert len(set(colours(c[0] for c in axes.containers))) == MOST_CURVES
    (axes,) = mass_figure(jets).axes
    assert len({to_hex(each.get_edgecolor()) for each in axes.patches[1:]}) == MOST_CURVES
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels[1] == f"tagger 0  ({mass_divergence(jets['tagger 0']):.3f})"


def test_scores_that_are_no_probabilities_are_not_calibrated():
    (axes,) = calibration_figure({"a": scored(0), "b": scored(1, False)}).axes
    assert len(axes.containers) == 1


def test_losses_of_runs_with_and_without_validation():
    table = {"epoch": [1.0, 2.0], "train_loss": [0.7, 0.5]}
    (axes,) = learning_figure({"a": table, "b": {**table, "val_loss": [0.6, 0.4]}}).axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[0.7, 0.5], [0.7, 0.5], [0.6, 0.4]]
    assert axes.lines[1].get_color() == axes.lines[2].get_color() != axes.lines[0].get_color()


@pytest.mark.slow
def test_figures_can_be_written_even_of_few_jets(tmp_path):
    two = scored(0)
    chosen = np.zeros(400, bool)
    chosen[[int(two.signal.argmax()), int(two.signal.argmin())]] = True
    few = ScoredRows(
        two.scores[chosen],
        two.signal[chosen],
        two.weights[chosen],
        two.kinematics[chosen],
        True,
    )
    for number, draw in enumerate((kinematics_figure, mass_figure, calibration_figure)):
        for path in save_figure(draw({"few": few}), tmp_path / str(number)):
            assert path.stat().st_size > 1000


def test_of_many_pairs_those_with_most_signal_are_drawn():
    jets = {str(i): scored(i) for i in range(MOST_CURVES + 2)}
    fewest = sorted(jets, key=lambda name: jets[name].signal.sum())[:2]
    (axes,) = mass_figure(jets).axes
    labels = [text.get_text().split()[0] for text in axes.get_legend().get_texts()[1:]]
    assert labels == [name for name in jets if name not in fewest]
