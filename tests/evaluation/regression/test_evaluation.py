"""Predicted numbers against the truth."""

import json

import numpy as np
import pytest
import torch
from support.small_jets import write_jets
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.deploy import Tagger
from hepml.deploy._answers import Numbers
from hepml.errors import FileError, InputError
from hepml.evaluation import compare, evaluate_regression, regression_table, write_regression
from hepml.evaluation.regression._evaluation import figures_of, half_width
from hepml.evaluation.regression._plots import residual_figure
from hepml.io import PRESETS, read
from hepml.ops import segment_sum


class Counts(nn.Module):
    """Half of the number of particles of each set, and the logarithm of a width."""

    def __init__(self) -> None:
        super().__init__()
        self.width = nn.Parameter(torch.zeros(1))

    def forward(self, particles: ParticleSet) -> Tensor:
        ones = torch.ones_like(particles.p4[:, :1])
        number = segment_sum(ones, particles.offsets) / 2
        return torch.cat([number, self.width.expand(len(number), 1)], 1)


@pytest.fixture
def file(tmp_path):
    return str(write_jets(tmp_path / "jets.root", 300))


@pytest.fixture
def tagger():
    columns = PRESETS["hepml"].with_features([])
    columns = columns.without_labels().replace(targets={"n": "count(part_charge) + 1"})
    return Tagger(Counts(), columns, answers=Numbers(("n",), (0.5,), (2.0,), widths=True))


def test_predictions_come_in_the_units_of_the_targets(tagger, file):
    (found,) = evaluate_regression(tagger, file, replicas=10)
    counts = read(file).counts.numpy()
    np.testing.assert_allclose(found.truth, counts + 1)
    np.testing.assert_allclose(found.prediction, counts + 0.5)
    np.testing.assert_allclose(found.width, 2.0)
    assert found.bias.value == pytest.approx(-0.5)
    assert found.resolution.value == pytest.approx(0, abs=1e-9)
    assert found.rmse.value == pytest.approx(0.5)
    assert found.correlation.value == pytest.approx(1)
    assert found.constant.value == pytest.approx(half_width(counts.astype(float)))


def test_figures_of_a_known_distribution():
    random = np.random.default_rng(0)
    truth = random.normal(0, 3, 20_000)
    prediction = truth + random.normal(0.1, 0.5, 20_000)
    found = figures_of(truth, prediction, np.full(20_000, 0.25), replicas=30)
    for name, value in {
        "bias": 0.1,
        "resolution": 0.5 * 0.99446,
        "rmse": np.hypot(0.1, 0.5),
        "constant": 3 * 0.99446,
        "correlation": 3 / np.hypot(3, 0.5),
        "pull_width": 2 * 0.99446,
    }.items():
        assert abs(found[name].value - value) < 5 * found[name].uncertainty, name
        assert found[name].uncertainty < 0.03
    assert found["bias"].uncertainty == pytest.approx(0.5 * 1.2533 / 20_000**0.5, rel=0.4)
    assert figures_of(truth, prediction, replicas=2)["pull_width"] is None


@pytest.mark.slow
def test_the_report_holds_figures_and_pictures(tagger, file, tmp_path):
    results = evaluate_regression(tagger, file, name="mine", replicas=5)
    written = write_regression(results, tmp_path / "report", [file])
    names = {path.name for path in written}
    assert names == {
        "metrics.json",
        *(f"{n}_n.{e}" for n in ("truth", "residual", "pull") for e in ("png", "pdf")),
    }
    assert all(path.is_file() for path in written)
    content = json.loads(written[0].read_text())
    (found,) = content["predictions"]
    assert found["bias"]["value"] == pytest.approx(-0.5)
    assert found["quantiles of the residual"]["0.5"] == pytest.approx(-0.5)
    with pytest.raises(FileError, match="an evaluation"):
        write_regression(results, tmp_path / "report", [file])
    table = regression_table(results)
    assert "pull width" in table
    assert "300 predictions of each target" in table


def test_the_drawn_median_is_that_of_groups_of_the_truth(tagger, file):
    (found,) = evaluate_regression(tagger, file, replicas=2)
    (axes,) = residual_figure(found).axes
    x, y = axes.lines[0].get_data()
    assert len(x) == 15
    assert (np.diff(x) >= 0).all()
    np.testing.assert_allclose(y, -0.5)


def test_networks_that_tell_classes_are_evaluated_otherwise(file):
    class Two(Counts):
        pass

    tagger = Tagger(Two(), PRESETS["hepml"].with_features([]))
    with pytest.raises(InputError, match="got one that tells classes"):
        evaluate_regression(tagger, file)


def test_what_predicts_numbers_is_not_compared_by_classes(tagger, file):
    with pytest.raises(
        InputError, match=r"got one that predicts numbers of sets.*evaluate_regress"
    ):
        compare([tagger], file)
