"""What the options of a run do to it, on a task that is a straight line."""

import csv

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule
from support.equal import assert_equal
from torch import nn
from torch.utils.data import DataLoader

from hepml.errors import InputError
from hepml.training import CheckpointInfo, RunFolder
from hepml.training.engine._checkpoint import checkpoint_weights, read_checkpoint
from hepml.training.engine._fit import fit
from hepml.training.engine._optimiser import Optimiser
from hepml.training.engine._options import RunOptions
from hepml.training.engine._task import Task

STEPS = 5


class Line(Task):
    """A slope that is learned; batches are pairs (x, y)."""

    def __init__(self, optimiser, dies_at=None, **run):
        torch.manual_seed(0)
        super().__init__(
            nn.Linear(1, 1), optimiser=optimiser, info=CheckpointInfo("Line", {}, run=run)
        )
        self.dies_at, self.steps, self.gradients, self.validated = dies_at, 0, [], []

    def loss(self, batch):
        self.steps += 1
        if self.steps == self.dies_at:
            raise InterruptedError
        return (self.model(batch[:, :1]) - batch[:, 1:]).square().mean()

    def validation_step(self, batch, batch_idx):  # noqa: ARG002
        self.validated.append(self.model.weight.item())
        self.log("val_loss", (self.model(batch[:, :1]) - batch[:, 1:]).square().mean())

    def on_before_optimizer_step(self, optimizer):  # noqa: ARG002
        self.gradients.append(self.model.weight.grad.item())


class Points(LightningDataModule):
    """Points of a line with noise, the same in every epoch; or validation that becomes worse."""

    def __init__(self, worse=False):
        super().__init__()
        self.worse = worse

    def train_dataloader(self):
        random = torch.Generator().manual_seed(1)
        x = torch.randn(STEPS, 8, 1, generator=random)
        points = torch.cat([x, 3 * x + torch.randn(x.shape, generator=random)], dim=2)
        return DataLoader(points, batch_size=None)

    def val_dataloader(self):
        x = torch.linspace(-1, 1, 9)[:, None]
        points = torch.cat([x, -100 * x if self.worse else 3 * x], dim=1)
        return DataLoader(points[None], batch_size=None)


def learn(path, *, worse=False, dies_at=None, resume=False, optimiser=None, **options):
    """A run; its task and the figures of its best epoch."""
    optimiser = Optimiser(0.1, 0.0, schedule="constant") if optimiser is None else optimiser
    options = RunOptions(**{"epochs": 4, "accelerator": "cpu"} | options)
    task = Line(optimiser, dies_at, epochs=options.epochs)
    best = fit(
        task,
        Points(worse),
        options,
        RunFolder(path),
        config={},
        opening=lambda finished: f"after {finished}",
        resume=resume,
        progress=False,
    )
    return task, best


def epochs(path):
    with open(path / "metrics.csv", newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def test_patience_stops_a_run_that_becomes_worse_and_it_stays_stopped(tmp_path):
    _, best = learn(tmp_path / "run", worse=True, patience=2, epochs=9)
    assert best["epoch"] == 1
    assert epochs(tmp_path / "run") == [1, 2, 3]
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    task, best = learn(tmp_path / "run", worse=True, patience=2, epochs=9, resume=True)
    assert (task.steps, best["epoch"]) == (0, 1)
    assert last.read_bytes() == before
    learn(tmp_path / "better", patience=2, epochs=4)
    assert epochs(tmp_path / "better") == [1, 2, 3, 4]


def test_what_waits_for_a_better_epoch_is_refused_where_none_is(tmp_path, monkeypatch):
    monkeypatch.setattr(Line, "decides", None)
    with pytest.raises(InputError, match="patience: expected a run that validates"):
        learn(tmp_path / "run", patience=2)
    with pytest.raises(InputError, match="schedule: expected a run that validates"):
        learn(tmp_path / "run", optimiser=Optimiser(schedule="plateau"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patience": 0}, "patience: expected at least 1, got 0"),
        ({"accumulate": 0}, "accumulate: expected at least 1, got 0"),
        ({"clip_gradient": 0.0}, "clip_gradient: expected a positive number, got 0.0"),
        ({"clip_gradient": float("nan")}, "clip_gradient: expected a positive number, got nan"),
        ({"ema": 1.0}, "ema: expected a number between 0 and 1, such as 0.999, got 1.0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        RunOptions(**wrong)


@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
def test_gradients_are_shortened_to_the_norm_and_no_more(tmp_path, precision):
    sgd = Optimiser(0.01, 0.0, "sgd", "constant")
    task, _ = learn(tmp_path / "a", optimiser=sgd, epochs=1, precision=precision)
    moved = []
    for norm in (1e-3, 1e6):
        start = Line(sgd).model.weight.item()
        clipped, _ = learn(
            tmp_path / str(norm), optimiser=sgd, epochs=1, precision=precision, clip_gradient=norm
        )
        moved.append(abs(clipped.model.weight.item() - start))
        # Momentum 0.9 adds up to at most ten times each step.
        assert moved[-1] <= 0.01 * norm * 10 * STEPS
    assert 0 < moved[0] < 1e-3
    assert clipped.model.weight.item() == task.model.weight.item()


def test_accumulated_batches_are_one_step_with_their_mean(tmp_path):
    sgd = Optimiser(0.01, 0.0, "sgd", "constant")
    task, _ = learn(tmp_path / "run", optimiser=sgd, epochs=1, accumulate=STEPS)
    whole = Line(sgd)
    torch.stack([whole.loss(batch) for batch in Points().train_dataloader()]).mean().backward()
    assert task.gradients == pytest.approx([whole.model.weight.grad.item()], rel=1e-5)
    assert task.recent_loss == pytest.approx(
        learn(tmp_path / "b", optimiser=Optimiser(1e-9, 0.0), epochs=1)[0].recent_loss, rel=1e-4
    )


def test_the_average_is_validated_and_kept_and_left_in_the_network(tmp_path):
    task, _ = learn(tmp_path / "run", ema=0.8, epochs=3)
    # Without an average the same steps are made: the weights after each give the average.
    seen = []
    plain = Line(Optimiser(0.1, 0.0, schedule="constant"))
    adamw = torch.optim.AdamW(plain.model.parameters(), lr=0.1, weight_decay=0.0)
    for batch in list(Points().train_dataloader()) * 3:
        adamw.zero_grad()
        plain.loss(batch).backward()
        adamw.step()
        seen.append(plain.model.weight.item())
    averages = [seen[0]]
    for weight in seen[1:]:
        averages.append(0.8 * averages[-1] + 0.2 * weight)
    assert task.validated == pytest.approx(averages[STEPS - 1 :: STEPS], rel=1e-5)
    assert task.model.weight.item() == pytest.approx(averages[-1], rel=1e-5)
    folder = RunFolder(tmp_path / "run")
    best, last = (
        checkpoint_weights(path, read_checkpoint(path))["weight"].item()
        for path in (folder.best, folder.last)
    )
    assert best == pytest.approx(averages[-1], rel=1e-5)
    assert last == pytest.approx(seen[-1], rel=1e-5)
    assert abs(best - last) > 1e-3


def die_and_go_on(tmp_path, options):
    """Compare a run that died twice with one that did not."""
    learn(tmp_path / "whole", **options)
    for dies_at in (STEPS * 2 + 3, STEPS + 1):
        with pytest.raises(InterruptedError):
            learn(
                tmp_path / "died",
                dies_at=dies_at,
                resume=(tmp_path / "died").exists(),
                **options,
            )
    learn(tmp_path / "died", **options, resume=True)
    for name in ("last", "best"):
        whole, died = (
            read_checkpoint(getattr(RunFolder(tmp_path / which), name))
            for which in ("whole", "died")
        )
        for entry in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "epoch"):
            assert_equal(whole.get(entry), died.get(entry), entry)
    assert epochs(tmp_path / "whole") == epochs(tmp_path / "died")


@pytest.mark.parametrize(
    "options",
    [
        {"optimiser": Optimiser(0.1, schedule="plateau"), "worse": True, "epochs": 8},
        {"optimiser": Optimiser(0.1, schedule="cosine"), "ema": 0.9, "accumulate": 2},
        {"optimiser": Optimiser(0.1, method="radam-lookahead"), "clip_gradient": 0.5},
        {"optimiser": Optimiser(0.01, method="sgd"), "ema": 0.9},
        {"worse": True, "patience": 5, "epochs": 8},
    ],
    ids=["plateau", "cosine", "lookahead", "sgd", "patience"],
)
def test_a_run_that_died_goes_on_bit_for_bit(tmp_path, options):
    die_and_go_on(tmp_path, options)


def test_a_plateau_that_lightning_looks_at_would_not(tmp_path, monkeypatch):
    monkeypatch.setattr(Task, "on_train_epoch_end", lambda _: None)
    monkeypatch.setattr(Task, "lr_scheduler_step", LightningModule.lr_scheduler_step)
    options = {"optimiser": Optimiser(0.1, schedule="plateau"), "worse": True, "epochs": 8}
    with pytest.raises(AssertionError, match=r"lr_schedulers|state_dict"):
        die_and_go_on(tmp_path, options)
