import logging
import os
import resource
import signal
import sys
import warnings

import pytest
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch.utilities.exceptions import SIGTERMException
from support.small_jets import write_jets

from hepml.cli import main
from hepml.errors import InputError
from hepml.models import ParticleFlow
from hepml.outputs import Terminated, cleaned_up
from hepml.training.engine._folder import RunFolder
from hepml.training.engine._options import RunOptions
from hepml.training.engine._trainer import interruptible, make_trainer, quiet_lightning


def made(**options):
    options = RunOptions(**{"accelerator": "cpu", "epochs": 3} | options)
    return make_trainer(options, [], validates=False)


def test_a_trainer_writes_nothing_until_it_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with quiet_lightning():
        trainer = made()
    assert trainer.max_epochs == 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "16"}, "precision: expected one of 32, bf16-mixed, 64, got '16'"),
        ({"accelerator": "abacus"}, "devices that are here, got abacus, 1 .*invalid accelerator"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_what_is_not_there_is_refused(options, message):
    with quiet_lightning(), pytest.raises(InputError, match=message):
        made(**options)


def test_quiet_means_without_advice_but_with_warnings():
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        with quiet_lightning():
            assert not logger.isEnabledFor(logging.INFO)
            assert logger.isEnabledFor(logging.WARNING)
            warnings.warn("advice", PossibleUserWarning, stacklevel=1)
            warnings.warn("real", UserWarning, stacklevel=1)
    assert logger.level == level
    assert [str(warning.message) for warning in shown] == ["real"]


def exit_as_lightning_does():
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.exit(1)


def test_lightnings_exit_after_ctrl_c_is_an_interrupt_again(tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    folder = RunFolder(tmp_path)
    folder.checkpoints.mkdir()
    folder.last.write_text("")
    after = pytest.raises(KeyboardInterrupt, match="goes on after the last finished epoch")
    with after, interruptible(folder):
        exit_as_lightning_does()
    assert signal.getsignal(signal.SIGINT) is handler
    with pytest.raises(SystemExit), interruptible(folder):
        sys.exit(1)


def test_lightnings_exit_after_sigterm_has_a_status(tmp_path):
    # Around it, since in the end the signal would end this process.
    folder = RunFolder(tmp_path)
    with cleaned_up(), pytest.raises(Terminated) as ended, interruptible(folder):
        raise SIGTERMException
    assert ended.value.code == 143
    assert ended.value.message.startswith("stopped by SIGTERM; `hepml train --config")


@pytest.fixture
def words(tmp_path):
    """The words of a command that trains for two epochs of 6 batches."""
    jets = str(write_jets(tmp_path / "jets.root", 100))
    return ["train", "ParticleFlow", jets, "--epochs=2", "--batch-size=16", "-o", f"{tmp_path}/run"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGTERM, 143, "stopped by SIGTERM"),
        (signal.SIGHUP, 129, "stopped by SIGHUP"),
        (signal.SIGINT, 130, "stopped"),
    ],
)
def test_a_signal_ends_training_with_its_status_and_the_line_that_resumes(
    words, tmp_path, monkeypatch, capsys, number, status, said
):
    forward, calls = ParticleFlow.forward, []

    def ended(self, particles):
        calls.append(self.training)
        if self.training and sum(calls) == 9:
            os.kill(os.getpid(), number)
        return forward(self, particles)

    monkeypatch.setattr(ParticleFlow, "forward", ended)
    config = tmp_path / "run" / "config.yaml"
    assert main(words) == status
    line = capsys.readouterr().err.splitlines()[-1]
    resume = f"`hepml train --config {config} --resume` goes on after the last finished epoch"
    assert line == f"hepml train: {said}; {resume}"
    assert not list((tmp_path / "run").rglob(".*"))
    assert main(["train", "--config", str(config), "--resume"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_a_worker_is_forked_is_not_lost(words, monkeypatch, capsys, number, status):
    armed, dropped = [True], []

    def forked():
        if armed and armed.pop():
            os.kill(os.getpid(), number)

    os.register_at_fork(after_in_parent=forked)
    monkeypatch.setattr(sys, "unraisablehook", lambda found: dropped.append(found.exc_type))
    assert main([*words, "--workers=1"]) == status
    assert len(dropped) == 1
    assert "goes on after the beginning" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("always:TensorBoard")
@pytest.mark.parametrize("fails", ["SummaryWriter", "flush"])
def test_a_run_goes_on_without_the_log_of_tensorboard(words, monkeypatch, capsys, fails):
    writer = pytest.importorskip("torch.utils.tensorboard", reason="needs tensorboard")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    where = writer if fails == "SummaryWriter" else writer.SummaryWriter
    monkeypatch.setattr(where, fails, full)
    assert main(words) == 0
    error = capsys.readouterr().err
    assert error.count("TensorBoard's log stops, it cannot be written: [Errno 28] No space") == 1
    assert "Traceback" not in error


@pytest.mark.slow
def test_a_full_disk_is_one_line_whatever_tensorboard_does(words, capsys):
    pytest.importorskip("tensorboard", reason="needs tensorboard")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The configuration has room, checkpoints have none.
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        assert main(words) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert error.splitlines()[-1].startswith("hepml train: ")
