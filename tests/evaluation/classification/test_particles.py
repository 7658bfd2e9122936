"""Classes of particles: rows of files against rows in memory, in the table and in the report."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, roc_auc_score
from support.small_jets import write_jets

from hepml.deploy import Tagger
from hepml.deploy._answers import Probabilities
from hepml.errors import InputError
from hepml.evaluation import compare, comparison_table, write_report
from hepml.io import PRESETS, read
from hepml.models import ParticleFlow

NAMES = ("minus", "neutral", "plus")


def columns_of(weights=None):
    preset = PRESETS["hepml"].with_features(["tanh_d0"])
    parts = [replace(each, label="part_charge + 1", classes=NAMES) for each in preset.collections]
    return preset.without_labels().replace(collections=parts, weights=weights)


def make_tagger(seed=0, columns=None):
    torch.manual_seed(seed)
    model = ParticleFlow(outputs=3, features=1, per="particle")
    answers = Probabilities(NAMES, "particle")
    return Tagger(model, columns or columns_of(), answers=answers, name=f"flow{seed}")


@pytest.fixture
def file(tmp_path):
    jet_pt = np.linspace(1, 3, 120, dtype=np.float32)
    return write_jets(tmp_path / "jets.root", 120, jet_pt=jet_pt)


def test_figures_are_those_of_all_particles(file):
    columns = columns_of("jet_pt")
    tagger = make_tagger(columns=columns)
    (found,) = compare([tagger], file, replicas=10)
    jets = read(file, columns)
    probabilities = tagger(jets).numpy()
    labels = jets.particle_labels.numpy()
    weights = jets.weights[jets.set_index].numpy().astype(float)
    np.testing.assert_allclose(found.probabilities, probabilities, rtol=1e-6)
    np.testing.assert_array_equal(found.weights, weights)
    areas = [
        roc_auc_score(labels == c, probabilities[:, c], sample_weight=weights) for c in range(3)
    ]
    assert [d.auc.value for d in found.evaluation.discriminations] == pytest.approx(areas)
    assert found.evaluation.macro_auc.value == pytest.approx(np.mean(areas))
    assert 0 < found.evaluation.macro_auc.uncertainty < 0.1
    counted = confusion_matrix(labels, probabilities.argmax(1), sample_weight=weights)
    np.testing.assert_allclose(found.evaluation.confusion, counted)
    accuracy = found.evaluation.accuracy.value
    assert accuracy == pytest.approx(counted.trace() / counted.sum())
    np.testing.assert_array_equal(found.sample.set_index, jets.set_index)
    pt = jets.p4[:, 1:3].double().norm(dim=1)
    np.testing.assert_allclose(found.sample.kinematics.pt, pt, rtol=1e-6)


def test_the_table_says_macro_area_and_how_many_particles(file):
    results = compare([make_tagger(), make_tagger(1)], file, weights="none", replicas=5)
    heading, _, *lines, said = comparison_table(results).splitlines()
    assert heading.index("accuracy") < heading.index("macro AUC") < heading.index("1/eB at eS=0.5")
    assert len(lines) == 6
    assert str(results[0].evaluation.macro_auc) in lines[0]
    assert said == f"{results[0].sample.rows:,} particles of 120 jets, not weighted"
    assert results[0].sample.rows == read(file).p4.shape[0]


@pytest.mark.slow
def test_the_report_has_no_mass_of_single_particles(file, tmp_path):
    results = compare([make_tagger(), make_tagger(1)], file, replicas=5)
    written = write_report(results, tmp_path / "report", file)
    kinds = {path.stem.split("_")[0] for path in written}
    assert kinds == {"metrics", "roc", "kinematics", "calibration", "scores", "confusion"}
    content = json.loads(written[0].read_text())["taggers"]["flow0"]
    assert (content["per"], content["rows"], content["sets"]) == (
        "particle",
        results[0].sample.rows,
        120,
    )
    assert content["macro_auc"]["value"] == results[0].evaluation.macro_auc.value
    assert content["pairs"]["plus/minus+neutral"]["mass_divergence"] is None


def test_jets_and_particles_are_not_compared(file):
    torch.manual_seed(0)
    sets = Tagger(ParticleFlow(features=1), PRESETS["hepml"].with_features(["tanh_d0"]))
    with pytest.raises(InputError, match="got classes of particles and of sets"):
        compare([make_tagger(), sets], file)
    with pytest.raises(InputError, match="got classes of particles and of sets"):
        compare([make_tagger()], file, scores={"theirs": "jet_pt"})
    with pytest.raises(InputError, match=r"classes \(minus, neutral, plus\), got"):
        compare([make_tagger()], file, columns=PRESETS["hepml"])
