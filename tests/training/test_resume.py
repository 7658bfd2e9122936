import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from support.equal import assert_equal
from support.small_jets import TinyFlow, write_jets

from hepml.cli import main
from hepml.errors import FileError, InputError
from hepml.training import TaggingTask, train
from hepml.training.engine._callbacks import SeedEachEpoch
from hepml.training.engine._checkpoint import read_checkpoint, write_checkpoint
from hepml.training.engine._optimiser import one_cycle

# Runs the command line and kills the process in the given call of the network's forward.
DIES = """
import os, signal, sys
from hepml.cli import main
from hepml.models import MODELS
network, call, *words = sys.argv[1:]
forward, calls = MODELS[network].forward, 0
def dying(self, particles):
    global calls
    calls += self.training
    if calls == int(call):
        os.kill(os.getpid(), signal.SIGKILL)
    return forward(self, particles)
MODELS[network].forward = dying
main(["train", network, *words])
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jets")
    return [str(write_jets(folder / f"{i}.root", 100, seed=i)) for i in range(2)]


def assert_same(folder, other):
    """Weights, statistics of batch norm, optimiser, schedule and best epoch agree bit for bit."""
    here, there = (read_checkpoint(Path(f) / "checkpoints" / "last.ckpt") for f in (folder, other))
    for name in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "epoch"):
        assert_equal(here[name], there[name], name)
    best = [read_checkpoint(Path(f) / "checkpoints" / "best.ckpt") for f in (folder, other)]
    assert_equal(best[0]["state_dict"], best[1]["state_dict"], "best")
    rows = [
        [line.split(",")[:-2] for line in (Path(f) / "metrics.csv").read_text().splitlines()]
        for f in (folder, other)
    ]
    assert rows[0] == rows[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "arguments"),
    [
        ("ParticleFlow", ("--features", "all")),
        ("ParticleFlow", ("--features", "all", "--workers=1", "--max-sets=90")),
        ("LorentzNet", ("--features", "none", "--model.width=8", "--model.blocks=2")),
        (
            "ParticleFlow",
            (
                *("--schedule=plateau", "--optimiser=radam-lookahead", "--ema=0.9"),
                *("--accumulate=2", "--patience=2", "--clip-gradient=1"),
            ),
        ),
    ],
)
def test_a_killed_and_resumed_run_ends_with_the_same_weights(files, tmp_path, network, arguments):
    words = [*files[:1], "--validation", files[1], "--epochs=3", "--batch-size=16", *arguments]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    # 6 batches of 16 in an epoch: the 9th is in the middle of the second.
    died = subprocess.run(
        [sys.executable, "-c", DIES, network, "9", *words, "-o", str(killed)],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert read_checkpoint(killed / "checkpoints" / "last.ckpt")["epoch"] == 0
    assert main(["train", "--config", str(killed / "config.yaml"), "--resume"]) == 0
    assert main(["train", network, *words, "-o", str(whole)]) == 0
    assert_same(whole, killed)


class Stop(Exception):
    pass


class Killed(TinyFlow):
    """Stops in the middle of the second epoch, once."""

    calls = 0

    def forward(self, particles):
        type(self).calls += self.training
        if type(self).calls == 10:
            type(self).calls += 1
            raise Stop
        return super().forward(particles)


OPTIONS = {"epochs": 3, "batch_size": 16, "progress": False}


@pytest.fixture
def stopped(files, tmp_path):
    """A run that was stopped in its second epoch, and its options."""
    Killed.calls = 0
    options = OPTIONS | {"validation": files[1], "output": tmp_path / "killed"}
    with pytest.raises(Stop):
        train(Killed, files[0], **options)
    return options


@pytest.mark.slow
def test_the_random_numbers_of_an_epoch_do_not_depend_on_the_epochs_before(
    files, tmp_path, stopped, monkeypatch
):
    train(Killed, files[0], **stopped, resume=True)
    Killed.calls = 100
    train(Killed, files[0], **stopped | {"output": tmp_path / "whole"})
    assert_same(tmp_path / "whole", tmp_path / "killed")

    monkeypatch.setattr(SeedEachEpoch, "on_train_epoch_start", lambda *_: None)
    Killed.calls = 0
    unseeded = stopped | {"output": tmp_path / "unseeded"}
    with pytest.raises(Stop):
        train(Killed, files[0], **unseeded)
    train(Killed, files[0], **unseeded, resume=True)
    with pytest.raises(AssertionError, match="state_dict"):
        assert_same(tmp_path / "whole", tmp_path / "unseeded")


@pytest.mark.slow
def test_a_run_is_resumed_with_its_own_options_only(files, stopped):
    with pytest.raises(InputError, match=r"epochs=3, batch_size=16, got epochs=2, batch_size=8"):
        train(Killed, files[0], **stopped | {"epochs": 2, "batch_size": 8}, resume=True)


@pytest.mark.slow
def test_a_finished_run_goes_on_for_more_epochs(files, stopped, monkeypatch):
    """With the learning rate of the longer run at the step reached."""
    train(Killed, files[0], **stopped, resume=True)
    rates = []
    monkeypatch.setattr(
        TaggingTask,
        "on_before_optimizer_step",
        lambda _, adamw: rates.append(adamw.param_groups[0]["lr"]),
    )
    longer = train(Killed, files[0], **stopped | {"epochs": 5}, resume=True)
    # 6 batches in each epoch.
    expected = [1e-3 * one_cycle(step, steps=30, warmup=0.3) for step in range(18, 30)]
    assert rates == pytest.approx(expected, rel=1e-12)
    assert len((stopped["output"] / "metrics.csv").read_text().splitlines()) == 6
    assert yaml.safe_load(longer.folder.config.read_text())["epochs"] == 5
    with pytest.raises(InputError, match="epochs=5, got epochs=3"):
        train(Killed, files[0], **stopped, resume=True)


@pytest.mark.slow
def test_a_run_without_a_finished_epoch_begins_anew(files, tmp_path, capsys):
    Killed.calls = 5
    options = OPTIONS | {"output": tmp_path / "killed", "epochs": 1}
    with pytest.raises(Stop):
        train(Killed, files[0], **options)
    assert not (tmp_path / "killed" / "checkpoints").exists()
    train(Killed, files[0], **options | {"progress": True}, resume=True)
    assert f"nothing to resume in {tmp_path / 'killed'}: begins anew\n" in capsys.readouterr().err
    train(Killed, files[0], **options | {"output": tmp_path / "whole"})
    assert_same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
def test_weights_alone_cannot_be_resumed(files, stopped):
    folder = stopped["output"] / "checkpoints"
    (folder / "best.ckpt").replace(folder / "last.ckpt")
    with pytest.raises(FileError, match=r"last\.ckpt: .*weights without optimizer_states"):
        train(Killed, files[0], **stopped, resume=True)


@pytest.mark.slow
def test_a_finished_run_stays_as_it_is(files, stopped):
    train(Killed, files[0], **stopped, resume=True)
    last = stopped["output"] / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    again = train(Killed, files[0], **stopped, resume=True)
    assert last.read_bytes() == before
    assert again.figures["epoch"] >= 1
    assert len((stopped["output"] / "metrics.csv").read_text().splitlines()) == 4


class _Mischief:
    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.slow
def test_resuming_executes_nothing_in_the_checkpoint(files, tmp_path, stopped):
    last = stopped["output"] / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    content["callbacks"]["more"] = _Mischief(tmp_path / "executed")
    torch.save(content, last)
    with pytest.raises(FileError, match=r"last\.ckpt: expected tensors and plain values"):
        train(Killed, files[0], **stopped, resume=True)
    assert not (tmp_path / "executed").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epoch", "two"),
        ("epoch", -1),
        ("loops", {"fit_loop": []}),
        ("loops", 3),
        ("optimizer_states", []),
        ("optimizer_states", [{"state": {0: {"exp_avg": 1}}}]),
        ("lr_schedulers", {"a": 1}),
        ("callbacks", 1),
        ("state_dict", {"model.of_set.weight": torch.ones(1)}),
        ("state_dict", [torch.ones(1)]),
        ("lr_schedulers", []),
        ("hepml", {"format": 1}),
    ],
)
def test_a_state_that_is_none_is_one_clear_error(files, stopped, name, value):
    last = stopped["output"] / "checkpoints" / "last.ckpt"
    write_checkpoint(last, {**read_checkpoint(last), name: value})
    with pytest.raises(FileError, match=r"last\.ckpt: expected the "):
        train(Killed, files[0], **stopped, resume=True)


@pytest.mark.slow
def test_the_optimiser_of_another_network_is_refused(files, stopped):
    last = stopped["output"] / "checkpoints" / "last.ckpt"
    content = read_checkpoint(last)
    content["optimizer_states"][0]["state"][0]["exp_avg"] = torch.ones(3)
    write_checkpoint(last, content)
    with pytest.raises(FileError, match=r"state of shape \[3\] in the optimiser"):
        train(Killed, files[0], **stopped, resume=True)
