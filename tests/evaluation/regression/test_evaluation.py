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
from hepml.errors import DataError, FileError, InputError
from hepml.evaluation import compare, evaluate_regression, regression_table, write_regression
from hepml.evaluation.regression._figures import figures_of, half_width, weighted_quantiles
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
    results = evaluate_regression(tagger, file, names=["mine"], replicas=5)
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
    assert table.endswith("\n300 jets, not weighted")


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


@pytest.mark.parametrize("seed", [0, 1])
def test_weighted_quantiles_are_numpy_s_and_a_weight_of_two_is_the_value_twice(seed):
    random = np.random.default_rng(seed)
    values, weights = random.normal(size=157).round(1), random.exponential(size=157)
    at = [0.025, 0.16, 0.5, 0.84, 1.0]
    expected = np.quantile(values, at, weights=weights, method="inverted_cdf")
    np.testing.assert_array_equal(weighted_quantiles(values, at, weights), expected)
    times = random.integers(0, 4, 157)
    twice = weighted_quantiles(np.repeat(values, times), at)
    np.testing.assert_array_equal(weighted_quantiles(values, at, times.astype(float)), twice)


def test_negative_weights_take_values_away():
    values = np.repeat(np.arange(5.0), [2, 3, 4, 2, 1])
    cancelled = np.append(values, [1.0, 1.0, 3.0])
    weights = np.append(np.ones(len(values)), [-1.0, -1.0, -1.0])
    left = np.repeat(np.arange(5.0), [2, 1, 4, 1, 1])
    at = [0.16, 0.5, 0.84]
    np.testing.assert_array_equal(
        weighted_quantiles(cancelled, at, weights), weighted_quantiles(left, at)
    )
    with pytest.raises(InputError, match="weights cancel"):
        weighted_quantiles(values, at, -np.ones(len(values)))
    truth, weights = np.arange(30.0), np.ones(30)
    weights[0] = -0.5
    found = figures_of(truth, truth + 9 * (truth == 0), weights=weights)
    assert np.isnan(found["rmse"].value)
    assert found["rmse"].to_dict() == {"value": None, "uncertainty": None}


def test_weighted_figures_are_those_of_repeated_rows(tagger, tmp_path):
    times = np.arange(300) % 3
    file = write_jets(tmp_path / "jets.root", 300, jet_pt=times.astype(np.float32))
    plain, weighted, none = (
        evaluate_regression(tagger, file, weights=weights, replicas=10)[0]
        for weights in (None, "jet_pt", "none")
    )
    assert plain.to_dict() == none.to_dict()
    counts = read(file).counts.numpy()
    for each in (plain, weighted):
        each.truth[:] = counts + np.sin(np.arange(300))
    expected = figures_of(*(np.repeat(x, times) for x in (weighted.truth, weighted.prediction)))
    found = figures_of(weighted.truth, weighted.prediction, weights=weighted.weights)
    for name in ("bias", "resolution", "rmse", "constant", "correlation"):
        assert found[name].value == pytest.approx(expected[name].value, abs=1e-12), name
        assert found[name].uncertainty > 0
    assert regression_table([weighted]).endswith("\n300 jets, weighted by jet_pt")
    assert regression_table([plain, weighted]).splitlines()[-2:] == [
        "Counts: 300 jets, not weighted",
        "Counts: 300 jets, weighted by jet_pt",
    ]
    assert weighted.to_dict()["weights"] == "jet_pt"


def test_cut_and_jets_without_a_target_are_said(tagger, tmp_path):
    jet_pt = np.linspace(1, 3, 300, dtype=np.float32)
    label = (np.arange(300) % 10 == 0).astype(np.int8)
    file = write_jets(tmp_path / "jets.root", 300, jet_pt=jet_pt, label=label)
    target = {"n": "count(part_charge) + 0 * log(0.5 - label)"}
    partly = tagger.columns.replace(cut="jet_pt > 2", targets=target)
    with pytest.raises(DataError, match="target n"):
        evaluate_regression(tagger, file, columns=partly)
    (found,) = evaluate_regression(tagger, file, columns=partly, missing_target="drop", replicas=2)
    assert len(found.truth) == 135
    assert regression_table([found]).endswith(
        "\n135 jets of 300 (cut: jet_pt > 2), not weighted; 15 jets without a target left out"
    )
    (own,) = evaluate_regression(tagger, file, columns=partly.replace(targets={}), replicas=2)
    np.testing.assert_allclose(own.truth, own.prediction + 0.5)


def test_networks_are_told_apart_by_name(tagger, file):
    both = evaluate_regression([tagger, tagger], file, replicas=2)
    assert [each.name for each in both] == ["Counts (1)", "Counts (2)"]
    with pytest.raises(InputError, match="expected finite numbers, got nan for 1 of 2"):
        figures_of(np.zeros(2), np.array([np.nan, 0.0]))
