import io
import sys
from types import SimpleNamespace

import pytest
import torch
from training.small_jets import random_sets

from hepml.training._progress import EpochBar


class Terminal(io.StringIO):
    """Standard error as a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def trainer():
    return SimpleNamespace(
        current_epoch=1,
        max_epochs=4,
        world_size=1,
        is_global_zero=True,
        num_training_batches=3,
        num_val_batches=[2],
        callback_metrics={"val_auc": torch.tensor(0.96)},
    )


def play(trainer, stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    bar = EpochBar()
    module = SimpleNamespace(recent_loss=0.25)
    bar.on_train_epoch_start(trainer, module)
    bar._bar.mininterval = 0
    for i in range(3):
        bar.on_train_batch_end(trainer, module, None, random_sets(10), i)
    bar.on_validation_start(trainer, module)
    bar._bar.mininterval = 0
    for _ in range(2):
        bar.on_validation_batch_end()
    bar.on_validation_end(trainer, module)
    bar.on_train_epoch_end(trainer, module)
    return stream.getvalue()


def test_a_terminal_gets_a_bar_with_speed_loss_and_auc(trainer, monkeypatch):
    shown = play(trainer, Terminal(), monkeypatch)
    assert "epoch 2/4:" in shown
    assert "3/3" in shown
    assert "batch/s" in shown
    assert "jets/s, loss 0.250, val auc 0.9600" in shown
    assert "epoch 2/4 validation:" in shown
    assert "2/2" in shown


def test_a_log_file_gets_none(trainer, monkeypatch):
    assert play(trainer, io.StringIO(), monkeypatch) == ""


def test_other_ranks_and_errors_leave_no_bar(trainer, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    bar = EpochBar()
    bar.on_train_epoch_start(trainer, None)
    assert bar._bar is not None
    bar.on_exception()
    trainer.is_global_zero = False
    bar.on_train_epoch_start(trainer, None)
    bar.on_train_batch_end(trainer, None, None, random_sets(10), 0)
    bar.on_validation_batch_end()
    assert bar._bar is None
