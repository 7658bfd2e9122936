import logging
import signal
import sys
import warnings

import pytest
from lightning.fabric.utilities.warnings import PossibleUserWarning

from hepml.errors import InputError
from hepml.training._folder import RunFolder
from hepml.training._trainer import interruptible, make_trainer, quiet_lightning

OPTIONS = {
    "accelerator": "cpu",
    "devices": 1,
    "precision": "32",
    "epochs": 3,
    "output": "run",
    "validation": [],
}


def test_a_trainer_writes_nothing_until_it_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with quiet_lightning():
        trainer = make_trainer(OPTIONS, [])
    assert trainer.max_epochs == 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "16"}, "precision: expected one of 32, 64, bf16-mixed, got '16'"),
        ({"accelerator": "abacus"}, "devices that are here, got abacus, 1 .*invalid accelerator"),
    ],
)
def test_what_is_not_there_is_refused(options, message):
    with quiet_lightning(), pytest.raises(InputError, match=message):
        make_trainer(OPTIONS | options, [])


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
    with after, interruptible(folder, "LorentzNet"):
        exit_as_lightning_does()
    assert signal.getsignal(signal.SIGINT) is handler
    with pytest.raises(SystemExit), interruptible(folder, "LorentzNet"):
        sys.exit(1)
