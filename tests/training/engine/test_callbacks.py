import csv
from unittest.mock import Mock

import pytest
import torch
from lightning.pytorch import Trainer
from support.small_jets import TinyFlow, random_sets

from hepml.training import TaggingTask
from hepml.training.engine._callbacks import (
    EpochCheckpoints,
    EpochTable,
    SafeCheckpointIO,
    SeedEachEpoch,
)

TASK = TaggingTask(TinyFlow())


def trainer(epoch, **metrics):
    """What the callbacks ask of a trainer."""
    saved = []
    return Mock(
        spec=Trainer,
        current_epoch=epoch,
        max_epochs=3,
        global_rank=0,
        world_size=1,
        is_global_zero=True,
        callback_metrics={name: torch.tensor(value) for name, value in metrics.items()},
        saved=saved,
        save_checkpoint=lambda path, weights_only=False: saved.append((path.name, weights_only)),
    )


def drawn(seed, epoch, rank=0):
    state = trainer(epoch)
    state.global_rank = rank
    SeedEachEpoch(seed).on_train_epoch_start(state, TASK)
    return float(torch.rand(()))


def test_random_numbers_differ_with_seed_epoch_and_rank_and_with_nothing_else():
    numbers = {(s, e, r): drawn(s, e, r) for s in range(3) for e in range(3) for r in range(2)}
    assert len(set(numbers.values())) == len(numbers)
    assert drawn(1, 2, 0) == numbers[1, 2, 0]


def test_the_best_epoch_has_the_highest_auc(tmp_path):
    callback = EpochCheckpoints(tmp_path / "best.ckpt", tmp_path / "last.ckpt")
    written = []
    for epoch, auc in enumerate([0.8, 0.9, 0.9, 0.7]):
        state = trainer(epoch, val_auc=auc, val_loss=1 - auc)
        callback.on_train_epoch_end(state, TASK)
        written.append(state.saved)
    best, last = ("best.ckpt", True), ("last.ckpt", False)
    assert written == [[best, last], [best, last], [last], [last]]
    assert callback.best["epoch"] == 2

    resumed = EpochCheckpoints(tmp_path / "best.ckpt", tmp_path / "last.ckpt")
    resumed.load_state_dict(callback.state_dict())
    state = trainer(4, val_auc=0.85)
    resumed.on_train_epoch_end(state, TASK)
    assert state.saved == [last]


def test_without_validation_the_last_epoch_is_the_best(tmp_path):
    callback = EpochCheckpoints(tmp_path / "best.ckpt", tmp_path / "last.ckpt")
    for epoch in range(2):
        state = trainer(epoch, train_loss=0.5 + epoch)
        callback.on_train_epoch_end(state, TASK)
        assert len(state.saved) == 2
    assert callback.best == {"epoch": 2, "train_loss": 1.5}


def run_epoch(table, epoch, **metrics):
    state = trainer(epoch, **metrics)
    table.on_train_epoch_start(state, TASK)
    for i in range(2):
        table.on_train_batch_end(state, TASK, None, random_sets(10), i)
    table.on_train_epoch_end(state, TASK)


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_each_epoch_is_a_row_and_a_line(tmp_path, capsys):
    table = EpochTable(tmp_path / "metrics.csv")
    table.on_train_start(trainer(0), TASK)
    run_epoch(table, 0, train_loss=0.5, val_auc=0.75, ignored=1.0)
    run_epoch(table, 1, train_loss=0.25, val_auc=0.875)
    (first, second) = rows(tmp_path / "metrics.csv")
    assert (first["epoch"], first["train_loss"], first["val_auc"]) == ("1", "0.5", "0.75")
    assert (second["epoch"], second["jets"]) == ("2", "20")
    assert "ignored" not in first
    lines = capsys.readouterr().err.splitlines()
    assert lines[1].startswith("epoch 2/3: train loss 0.2500, val auc 0.8750, ")
    assert lines[1].endswith(" s")


def test_a_resumed_table_keeps_the_epochs_of_the_checkpoint_only(tmp_path):
    path = tmp_path / "metrics.csv"
    table = EpochTable(path, show=False)
    for epoch in range(3):
        run_epoch(table, epoch, train_loss=epoch + 0.5)
    again = EpochTable(path, show=False)
    again.on_train_start(trainer(1), TASK)
    run_epoch(again, 1, train_loss=9.0)
    assert [(row["epoch"], row["train_loss"]) for row in rows(path)] == [("1", "0.5"), ("2", "9.0")]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(b"1.5", b"\0\0"),
        lambda text: text.replace(b"2,1.5", b"two,1.5"),
        lambda text: text.replace(b"1.5", b"\xff\xfe"),
        lambda _: b"",
        lambda _: b"epoch\n\n1,2,3\n" + b"x" * 200_000,
        lambda text: text.replace(b"epoch", b"epock"),
    ],
)
def test_a_damaged_table_is_one_warning_and_goes_on(tmp_path, damage):
    path = tmp_path / "metrics.csv"
    table = EpochTable(path, show=False)
    for epoch in range(3):
        run_epoch(table, epoch, train_loss=epoch + 0.5)
    path.write_bytes(damage(path.read_bytes()))
    again = EpochTable(path, show=False)
    with pytest.warns(
        UserWarning, match=r"metrics\.csv is damaged: it goes on without \d of the 3"
    ):
        again.on_train_start(trainer(3), TASK)
    run_epoch(again, 3, train_loss=9.0)
    kept = rows(path)
    assert (kept[-1]["epoch"], kept[-1]["train_loss"]) == ("4", "9.0")
    assert all(float(row["train_loss"]) == int(row["epoch"]) - 0.5 for row in kept[:-1])


@pytest.mark.parametrize("weights_only", [None, True, False])
def test_lightning_cannot_ask_for_an_unsafe_load(tmp_path, weights_only):
    io = SafeCheckpointIO()
    io.save_checkpoint({"hepml": {"format": 1}}, tmp_path / "a.ckpt")
    assert io.load_checkpoint(tmp_path / "a.ckpt", weights_only=weights_only)["hepml"]
    io.remove_checkpoint(tmp_path / "a.ckpt")
    io.remove_checkpoint(tmp_path / "a.ckpt")
    assert not (tmp_path / "a.ckpt").exists()
