"""Runs that begin with the weights of another: what is taken, what stays, what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from support.equal import assert_equal
from support.small_jets import TinyFlow, write_jets

from hepml.cli import main
from hepml.errors import FileError, InputError
from hepml.models import LorentzCG, ParticleFlow
from hepml.training import load_checkpoint, read_info, train
from hepml.training._pretrained import frozen_patterns, head_of, slower_factors
from hepml.training.engine._checkpoint import read_checkpoint

NARROW = {"particle_widths": [8, 8], "set_widths": [8]}
OPTIONS = {"epochs": 1, "batch_size": 50, "progress": False}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    random = np.random.default_rng(5)
    pt = random.normal(size=200).astype(np.float32)
    return write_jets(tmp_path_factory.mktemp("jets") / "jets.root", 200, jet_pt=pt)


@pytest.fixture(scope="module")
def first(file, tmp_path_factory):
    """A run to begin with."""
    folder = tmp_path_factory.mktemp("first") / "run"
    return train("ParticleFlow", file, output=folder, model=NARROW, **OPTIONS)


def test_the_same_classes_take_all_weights(first, file, tmp_path):
    # Nothing is learned at this learning rate.
    again = train(
        None, file, output=tmp_path / "run", pretrained=first.folder.path, learning_rate=1e-30,
        weight_decay=0.0, **OPTIONS,
    )  # fmt: skip
    assert isinstance(again.model, ParticleFlow)
    assert_equal(again.model.state_dict(), first.model.state_dict(), "weights")
    assert read_info(again.folder.path).arguments["particle_widths"] == [8, 8]


def test_other_targets_get_a_new_last_layer(first, file, tmp_path, capfd):
    again = train(
        "ParticleFlow", file, output=tmp_path / "run", pretrained=first.folder.best,
        target="jet_pt", freeze="all-but-head", **(OPTIONS | {"progress": True}),
    )  # fmt: skip
    before, after = first.model.state_dict(), again.model.state_dict()
    changed = {name for name in after if before[name].shape != after[name].shape}
    assert changed == {"deep_sets.f.2.weight", "deep_sets.f.2.bias"}
    assert after["deep_sets.f.2.weight"].shape == (1, 8)
    for name in before.keys() - changed:
        assert torch.equal(before[name], after[name]), name
    said = capfd.readouterr().err
    assert "new: deep_sets.f.2.weight, deep_sets.f.2.bias" in said
    assert "parameters are frozen" in said


def test_slower_layers_learn_more_slowly(first, file, tmp_path):
    once = {**OPTIONS, "batch_size": 200, "schedule": "constant", "optimiser": "sgd"}
    once |= {"weight_decay": 0.0}
    steps = []
    for number, slower in enumerate(({}, {"deep_sets.phi": 0.25})):
        run = train(
            None, file, output=tmp_path / str(number), pretrained=first.folder.path,
            slower=slower, **once,
        )  # fmt: skip
        before, after = first.model.state_dict(), run.model.state_dict()
        steps.append({name: (after[name] - before[name]).double() for name in before})
    for name, whole in steps[0].items():
        factor = 0.25 if name.startswith("deep_sets.phi") else 1.0
        torch.testing.assert_close(steps[1][name], factor * whole, rtol=0.05, atol=1e-7)


def test_frozen_batch_norms_keep_their_statistics(file, tmp_path):
    run = train(TinyFlow, file, output=tmp_path / "a", **OPTIONS)
    again = train(
        TinyFlow, file, output=tmp_path / "b", pretrained=run.folder.path,
        freeze="all-but-head", **OPTIONS,
    )  # fmt: skip
    head = set(head_of(TinyFlow, read_info(run.folder.path).arguments))
    before, after = run.model.state_dict(), again.model.state_dict()
    assert any("running_mean" in name for name in before)
    for name in before:
        assert torch.equal(before[name], after[name]) == (name not in head), name


def test_a_run_goes_on_bit_for_bit(first, file, tmp_path):
    options = {**OPTIONS, "pretrained": first.folder.path, "freeze": ["deep_sets.phi"]}
    options |= {"slower": ["deep_sets.f.0=0.5"], "schedule": "constant", "learning_rate": "find"}
    whole = train(None, file, output=tmp_path / "whole", **(options | {"epochs": 2}))
    half = train(None, file, output=tmp_path / "half", **options)
    train(None, file, output=tmp_path / "half", **(options | {"epochs": 2}), resume=True)
    here, there = (read_checkpoint(run.folder.last) for run in (whole, half))
    for name in ("state_dict", "optimizer_states", "epoch"):
        assert_equal(here[name], there[name], name)
    found = here["hepml"]["run"]["found_learning_rate"]
    assert found == there["hepml"]["run"]["found_learning_rate"] != 1e-3
    assert (tmp_path / "half" / "learning_rate.png").stat().st_size > 1000


def test_the_command_line_takes_network_and_arguments_from_the_run(first, file, tmp_path):
    run = tmp_path / "run"
    words = ["--from", str(first.folder.path), str(file), "-o", str(run), "--epochs", "1"]
    assert main(["train", *words, "--freeze", "deep_sets.phi", "--batch-size", "50"]) == 0
    model, _, info = load_checkpoint(run / "checkpoints" / "best.ckpt")
    assert info.arguments["particle_widths"] == [8, 8]
    assert torch.equal(
        model.state_dict()["deep_sets.phi.0.0.weight"],
        first.model.state_dict()["deep_sets.phi.0.0.weight"],
    )
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["pretrained"] == str(first.folder.path)
    assert main(["train", "--config", str(run / "config.yaml"), "--resume", "--epochs", "2"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "EnergyFlow"}, "expected ParticleFlow, the network of .*, got EnergyFlow"),
        ({"features": "charge"}, "has learned with, got charge"),
        ({"model": {"particle_widths": [9, 8]}}, r"deep_sets.phi.0.0.weight \[8, .*here \[9"),
        ({"freeze": "deep_set"}, "names of layers, or patterns: deep_sets, got 'deep_set'"),
        ({"freeze": "deep_sets"}, "weights that are left to learn, got all of deep_sets"),
        ({"slower": ["deep_sets"]}, "names or patterns of layers with a factor"),
        ({"slower": {"deep_sets": 0.0}}, "a positive factor"),
        ({"pretrained": None}, "or a checkpoint to begin with, got none"),
        ({"pretrained": Path("nowhere")}, "got no such file"),
    ],
)
def test_what_does_not_go_together_is_refused(first, file, tmp_path, options, message):
    given = {"network": None, "pretrained": first.folder.path, **OPTIONS} | options
    with pytest.raises((InputError, FileError), match=message):
        train(files=file, output=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_the_head_is_what_depends_on_the_outputs():
    narrow = {"outputs": 3, "features": 0, "context": 0}
    assert head_of(LorentzCG, narrow) == ["readout.weight", "readout.bias"]
    patterns = frozen_patterns(["all-but-head"], LorentzCG, narrow, LorentzCG(**narrow))
    assert "embedding" in patterns
    assert not any(pattern.startswith("readout") for pattern in patterns)


def test_factors_are_written_as_words_or_as_a_mapping():
    assert slower_factors(["a.*=0.1", "b=2"]) == slower_factors({"a.*": 0.1, "b": 2.0})
