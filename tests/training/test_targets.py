"""Runs that predict numbers, or classes of particles, from files to branches."""

import awkward as ak
import numpy as np
import pytest
import torch
import uproot
from support.small_jets import write_jets

from hepml.deploy import Tagger, predict
from hepml.errors import DataError, InputError
from hepml.evaluation import evaluate_regression, regression_table
from hepml.io import PRESETS, read
from hepml.training import train
from hepml.training.engine._checkpoint import read_checkpoint


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jets")
    return [str(write_jets(folder / f"{i}.root", 400, seed=i)) for i in range(2)]


def learned(files, folder, network="ParticleFlow", **options):
    options = {"epochs": 6, "batch_size": 32, "progress": False} | options
    return train(network, files[0], validation=files[1], output=folder, **options)


@pytest.mark.slow
def test_a_number_of_each_jet_is_learned_and_written_beside_it(files, tmp_path):
    target = "total=sum(part_energy)"
    run = learned(files, tmp_path / "run", target=target, loss="gaussian", epochs=12)
    columns = PRESETS["hepml"].replace(targets={"total": "sum(part_energy)"})
    truth = read(files[1], columns).targets[:, 0].numpy()
    assert run.figures["val_resolution"] < 0.5 * np.std(truth)
    tagger = Tagger.load(run.folder.path)
    assert tagger.answers.names == ("total", "total_width")
    assert tagger.class_names == ()
    predict(tagger, files[1], tmp_path / "out.root")
    with uproot.open(tmp_path / "out.root") as file:
        written = file["scores"].arrays(library="np")
    low, high = np.percentile(written["total"] - truth, [16, 84])
    # The figures of the best epoch are in the units of the target, as what is written.
    assert (high - low) / 2 == pytest.approx(run.figures["val_resolution"], rel=1e-4)
    assert (written["total_width"] > 0).all()
    with uproot.open(files[1]) as file:
        events = file["tree"].arrays()
    found = tagger(events)
    np.testing.assert_allclose(found.total, written["total"], rtol=1e-5)
    with pytest.raises(InputError, match="one that predicts total, total_width"):
        tagger.probabilities(read(files[1]))


@pytest.mark.slow
def test_a_run_that_is_resumed_predicts_the_same(files, tmp_path):
    options = {"target": ["x=jet_pt + label", "y=sum(part_charge > 0)"], "loss": "huber"}
    whole = learned(files, tmp_path / "whole", epochs=3, **options)
    with pytest.raises(KeyboardInterrupt):
        _stop_after_one(files, tmp_path / "part", options)
    again = learned(files, tmp_path / "part", epochs=3, resume=True, **options)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name
    states = [read_checkpoint(run.folder.last)["state_dict"] for run in (whole, again)]
    assert torch.equal(*(state["standardise.centre"] for state in states))


def _stop_after_one(files, folder, options):
    """Stop in the second epoch."""
    from hepml.models import ParticleFlow

    forward, calls = ParticleFlow.forward, 0

    def stopping(self, particles):
        nonlocal calls
        calls += self.training
        if calls > 15:
            raise KeyboardInterrupt
        return forward(self, particles)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ParticleFlow, "forward", stopping)
        learned(files, folder, epochs=3, **options)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["ParticleFlow", "MessagePassing"])
def test_classes_of_particles_are_learned_and_written_as_lists(files, tmp_path, network):
    preset = PRESETS["hepml"]
    (part,) = preset.collections
    particles = type(part)(
        part.momentum, {"d0": "part_d0val"}, label="part_d0val > 0", classes=("left", "right")
    )
    columns = preset.replace(collections=[particles])
    run = learned(files, tmp_path / "run", network, columns=columns, target="particle_label")
    assert run.figures["val_auc"] > 0.95
    tagger = Tagger.load(run.folder.path)
    predict(tagger, files[1], tmp_path / "out.root")
    with uproot.open(tmp_path / "out.root") as file:
        written = file["scores"].arrays()
    sets = read(files[1], columns)
    assert ak.num(written.score_left).tolist() == sets.counts.tolist()
    flat = ak.to_numpy(ak.flatten(written.score_right))
    np.testing.assert_allclose(flat, tagger(sets)[:, 1], atol=1e-6)
    with pytest.raises(InputError, match="a ParticleSet, of a network with outputs for each"):
        tagger(ak.zip({"px": [[1.0]], "py": [[1.0]], "pz": [[1.0]], "E": [[2.0]], "d0": [[1.0]]}))


@pytest.mark.slow
def test_a_number_of_each_particle(files, tmp_path):
    preset = PRESETS["hepml"]
    (part,) = preset.collections
    particles = type(part)(part.momentum, {"d0": "part_d0val"}, targets={"twice": "2 * part_d0val"})
    columns = preset.replace(collections=[particles])
    run = learned(files, tmp_path / "run", columns=columns, target="twice")
    assert run.figures["val_resolution"] < 0.05
    predict(Tagger.load(run.folder.path), files[1], tmp_path / "out.root")
    with uproot.open(tmp_path / "out.root") as file:
        written = file["scores"].arrays()
    truth = read(files[1], columns).particle_targets[:, 0]
    assert np.std(ak.to_numpy(ak.flatten(written.twice)) - truth.numpy()) < 0.1


@pytest.mark.slow
def test_jets_without_a_target_are_an_error_or_left_out_and_counted(tmp_path, capsys):
    mass = np.ones(100, np.float32)
    mass[::4] = np.nan
    file = str(write_jets(tmp_path / "jets.root", 100, jet_mass=mass))
    options = {"target": "jet_mass", "output": tmp_path / "run", "epochs": 1}
    with pytest.raises(DataError, match=r"'jet_mass' \(target jet_mass\): expected finite"):
        train("ParticleFlow", file, progress=False, **options)
    train("ParticleFlow", file, missing_target="drop", **options)
    error = capsys.readouterr().err
    assert "75 jets to learn from" in error
    assert "25 jets without a target are left out" in error


def test_networks_of_sets_have_nothing_for_particles(files, tmp_path):
    columns = PRESETS["hepml"]
    (part,) = columns.collections
    particles = type(part)(part.momentum, label="part_charge > 0", classes=("a", "b"))
    columns = columns.replace(collections=[particles])
    with pytest.raises(InputError, match="a row for each particle: ParticleFlow or Message"):
        learned(files, tmp_path / "run", "LorentzNet", columns=columns, target="particle_label")


def of_some(part):
    """Columns of a target that positive particles lack, and the numbers of those that have it."""
    target = "2 * part_d0val + 0 * log(0.5 - part_charge)"
    return type(part)(part.momentum, {"d0": "part_d0val"}, targets={"twice": target})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*weights:UserWarning")
def test_particles_without_a_target_are_an_error_or_left_out_and_said(files, tmp_path, capsys):
    preset = PRESETS["hepml"]
    columns = preset.replace(collections=[of_some(preset.collections[0])])
    with pytest.raises(DataError, match=r"target twice\): expected finite numbers, got nan"):
        learned(files, tmp_path / "run", columns=columns, target="twice", epochs=1)
    options = {"missing_target": "drop", "progress": True, "loss": "gaussian"}
    run = learned(files, tmp_path / "run", columns=columns, target="twice", **options)
    assert "of the particles (of a sample) have no target and are left out" in (
        capsys.readouterr().err
    )
    assert run.figures["val_resolution"] < 0.1
    tagger = Tagger.load(run.folder.path)
    # Those without are read by the network, and get a prediction, but no figure counts them.
    truth = read(files[1], columns.replace(partial_targets=True)).particle_targets[:, 0].numpy()
    known = ~np.isnan(truth)
    assert 0.5 < known.mean() < 0.8
    (found,) = evaluate_regression(tagger, files[1], replicas=2)
    np.testing.assert_array_equal(found.truth, truth[known].astype(float))
    assert found.sample.without == (~known).sum()
    assert f"{(~known).sum():,} particles without a target left out" in regression_table([found])
    expected = run.figures["val_resolution"]
    assert found.resolution.value == pytest.approx(expected, rel=0.02)
    with pytest.raises(DataError, match="target twice"):
        evaluate_regression(tagger, files[1], missing_target="error")
