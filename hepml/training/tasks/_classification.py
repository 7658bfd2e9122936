"""The learning task: a model, its loss, its optimiser and the figures of its validation."""

import math
import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import AUROC, MeanMetric, StatScores, SumMetric

from hepml.data import ParticleSet
from hepml.errors import DataError, InputError
from hepml.training.engine._checkpoint import CheckpointInfo, header

# How many losses are looked at together: each look makes a GPU wait for the CPU.
_LOSSES_PER_CHECK = 20


def one_cycle(step: int, *, steps: int, warmup: float) -> float:
    """The learning rate at a step of the run, as a fraction of its maximum.

    As torch's ``OneCycleLR``, which however divides by zero if the rise is a single step.
    """
    peak = max(warmup * steps - 1, 0.0)
    if step < peak:
        return _along_cosine(1 / 25, 1.0, step / peak)
    return _along_cosine(1.0, 1 / 25e4, (step - peak) / max(steps - 1 - peak, 1.0))


def _along_cosine(start: float, end: float, x: float) -> float:
    """From start (x = 0) to end (x = 1) along half a period of the cosine."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * min(x, 1.0)))


class TaggingTask(LightningModule):
    """Classification of sets of particles by cross-entropy, with AdamW and one cycle per run.

    The learning rate rises along a cosine from 1/25 of its maximum during the first steps of the
    run, then falls along a cosine to 1/250,000 of it: one-cycle, per step.

    Parameters
    ----------
    model
        Any module that maps a :class:`~hepml.data.ParticleSet` to logits (sets, classes).
    classes
        The number of classes.
    learning_rate
        The maximum.
    weight_decay
        That of AdamW.
    warmup
        The fraction of the steps during which the learning rate rises.
    mean_weight
        The mean of the weights of all sets to learn from: ``ParticleStream.mean_weight``.
    info
        What the checkpoints shall say about the model; without it they are Lightning's alone.

    Notes
    -----
    The weights of the sets, over their mean in the whole sample, multiply their losses; the loss of
    a batch is the mean of these. So no batch counts more than its weights say, and weights may be
    negative, as those of generators beyond leading order: a batch whose weights cancel teaches
    little, and does no harm. With weights ``val_loss`` is the weighted mean over the sample.
    Validation figures are ``val_loss``, ``val_accuracy`` and ``val_auc``; for more than two classes
    the AUC is the mean of each class against all others, over the classes that the validation
    sample holds. Accuracy and AUC count every set once, whatever its weight.

    References
    ----------
    L. N. Smith, N. Topin, "Super-convergence", arXiv:1708.07120.
    I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", arXiv:1711.05101.
    """

    def __init__(
        self,
        model: nn.Module,
        classes: int = 2,
        *,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
        warmup: float = 0.3,
        mean_weight: float = 1.0,
        info: CheckpointInfo | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.classes = classes
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.mean_weight = mean_weight
        self.info = info
        task: Any = "binary" if classes == 2 else "multiclass"
        self.val_loss = MeanMetric()
        self.val_weight = SumMetric()
        self.val_counts = StatScores(task="multiclass", num_classes=classes, average=None)
        self.val_auc = AUROC(task=task, num_classes=classes, average=None)
        self.recent_loss = float("nan")
        self._losses: list[Tensor] = []

    def forward(self, particles: ParticleSet) -> Float[Tensor, "sets classes"]:
        """The logits of the model."""
        logits: Tensor = self.model(particles)
        return logits

    def training_step(self, batch: ParticleSet, batch_idx: int) -> Tensor:  # noqa: ARG002
        """The loss of a batch."""
        loss = self.loss(batch)
        self.log(
            "train_loss",
            loss.detach(),
            on_step=False,
            on_epoch=True,
            batch_size=len(batch),
            sync_dist=True,
        )
        return loss

    def on_train_start(self) -> None:
        """Take the learning rate from the schedule: a resumed run may have more steps by now."""
        schedule = self.lr_schedulers()
        assert isinstance(schedule, torch.optim.lr_scheduler.LambdaLR)
        factor = schedule.lr_lambdas[0](schedule.last_epoch)
        for group, rate in zip(schedule.optimizer.param_groups, schedule.base_lrs, strict=True):
            group["lr"] = rate * factor

    def on_train_batch_end(self, outputs: Any, batch: ParticleSet, batch_idx: int) -> None:  # noqa: ARG002
        """Look at the losses of the last batches."""
        self._losses.append(outputs["loss"].detach())
        if len(self._losses) == _LOSSES_PER_CHECK:
            self._check_losses(batch_idx)

    def on_train_epoch_end(self) -> None:
        """Refuse to end an epoch, and to write a checkpoint, with weights that are not finite."""
        if self._losses:
            self._check_losses(int(self.trainer.num_training_batches) - 1)
        bad = [n for n, p in self.model.named_parameters() if not bool(p.isfinite().all())]
        if bad:
            raise self._diverged(f"NaN or infinite {bad[0]} at the end of epoch")

    def validation_step(self, batch: ParticleSet, batch_idx: int) -> None:  # noqa: ARG002
        """Collect loss and scores of a batch."""
        losses, logits = self._of_sets(batch)
        assert batch.labels is not None
        weights = torch.ones_like(losses) if batch.weights is None else batch.weights
        self.val_loss.update(losses, weights)
        self.val_weight.update(weights)
        self.val_counts.update(logits, batch.labels)
        scores = logits.float().softmax(dim=1)
        self.val_auc.update(scores[:, 1] if self.classes == 2 else scores, batch.labels)

    def on_validation_epoch_end(self) -> None:
        """Give the figures of the epoch; refuse a sample on which no AUC is defined."""
        right, _, _, _, jets = self.val_counts.compute().T
        present = jets.nonzero()
        if len(present) < 2:
            raise DataError(
                "validation",
                expected="jets of at least two classes",
                got=f"only class {present.flatten().tolist()}",
                fix="validate with files that hold all classes",
            )
        weight = float(self.val_weight.compute())
        if not weight > 0:
            raise DataError(
                "validation",
                expected="weights with a positive sum",
                got=f"a sum of {weight:g}",
                fix="validate with more jets, or leave weights out of the columns",
            )
        self.log("val_loss", self.val_loss.compute())
        self.log("val_accuracy", right.sum() / jets.sum())
        with warnings.catch_warnings():
            # torchmetrics gives absent classes an AUC of zero, with a warning.
            warnings.filterwarnings("ignore", message="No positive samples in targets")
            auc = self.val_auc.compute()
        self.log("val_auc", auc if self.classes == 2 else auc[jets > 0].mean())
        for metric in (self.val_loss, self.val_weight, self.val_counts, self.val_auc):
            metric.reset()

    def configure_optimizers(self) -> Any:
        """AdamW, and the learning rate for each step of the run."""
        optimiser = torch.optim.AdamW(
            self.model.parameters(),
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            fused=True,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, partial(one_cycle, steps=steps, warmup=self.warmup)
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say in the checkpoint what the model is."""
        if self.info is not None:
            figures = {k: float(v) for k, v in self.trainer.callback_metrics.items()}
            checkpoint |= header(replace(self.info, figures=figures))

    def loss(self, batch: ParticleSet) -> Float[Tensor, ""]:
        """The loss of a batch."""
        losses, _ = self._of_sets(batch)
        if batch.weights is not None:
            losses = losses * batch.weights / self.mean_weight
        return losses.mean()

    def _of_sets(self, batch: ParticleSet) -> tuple[Tensor, Tensor]:
        """Loss and logits of each set; refuses labels and logits that do not fit together."""
        labels = batch.labels
        if labels is None:
            raise InputError(
                "labels",
                expected="the class of each set",
                got="none",
                fix="name the label in the columns",
            )
        batch = batch.to(dtype=next(self.model.parameters()).dtype)
        logits = self(batch)
        if logits.shape != (len(batch), self.classes):
            raise InputError(
                "logits",
                expected=f"shape (sets, classes) = {(len(batch), self.classes)}",
                got=f"{tuple(logits.shape)} from {type(self.model).__name__}",
                fix="let the model return one number for each set and class",
            )
        return cross_entropy(logits, labels, reduction="none"), logits

    def _check_losses(self, last: int) -> None:
        """Refuse losses that are not finite; `last` is the number of the last batch."""
        losses = torch.stack(self._losses).float().cpu()
        self._losses.clear()
        bad = (~losses.isfinite()).nonzero()
        if bad.numel():
            batch = last - len(losses) + 1 + int(bad[0])
            raise self._diverged(f"loss {losses[bad[0]].item()} in batch {batch + 1} of epoch")
        self.recent_loss = float(losses.mean())
        figures = {
            "recent_loss": self.recent_loss,
            "learning_rate": self.trainer.optimizers[0].param_groups[0]["lr"],
        }
        for logger in self.loggers:
            logger.log_metrics(figures, step=self.global_step)

    def _diverged(self, got: str) -> DataError:
        """What to say when learning has failed."""
        return DataError(
            "training",
            expected="a finite loss",
            got=f"{got} {self.current_epoch + 1}",
            fix=f"lower the learning rate (it is {self.learning_rate:g}); "
            "the checkpoints of the epochs before are kept",
        )
