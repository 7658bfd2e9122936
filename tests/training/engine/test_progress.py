import io
import sys
from unittest.mock import Mock

import pytest
import torch
from lightning.pytorch import Trainer
from support.small_jets import TinyFlow, random_sets

from hepml.training import TaggingTask
from hepml.training.engine._progress import EpochBar


class Terminal(io.StringIO):
    """Standard error as a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def trainer():
    return Mock(
        spec=Trainer,
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
    module = TaggingTask(TinyFlow())
    module.recent_loss = 0.25
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
    bar, module = EpochBar(), TaggingTask(TinyFlow())
    bar.on_train_epoch_start(trainer, module)
    assert bar._bar is not None
    bar.on_exception()
    trainer.is_global_zero = False
    bar.on_train_epoch_start(trainer, module)
    bar.on_train_batch_end(trainer, module, None, random_sets(10), 0)
    bar.on_validation_batch_end()
    assert bar._bar is None
