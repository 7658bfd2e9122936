"""Classification of sets: the task of taggers."""

import warnings
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import AUROC, MeanMetric, StatScores, SumMetric

from hepml.data import ParticleSet
from hepml.errors import DataError, InputError
from hepml.training.engine._checkpoint import CheckpointInfo
from hepml.training.engine._optimiser import Optimiser
from hepml.training.engine._task import Figure, Task


class TaggingTask(Task):
    """Classification of sets of particles by cross-entropy.

    Parameters
    ----------
    model
        Any module that maps a :class:`~hepml.data.ParticleSet` to logits (sets, classes).
    classes
        The number of classes.
    optimiser
        By default AdamW with one cycle of the learning rate in the run.
    mean_weight
        The mean of the weights of all sets to learn from: ``BatchStream.mean_weight``.
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
    """

    figures = (
        Figure("train_loss"),
        Figure("val_loss"),
        Figure("val_accuracy", rising=True),
        Figure("val_auc", rising=True),
    )
    decides = figures[-1]
    unit = "jets"

    def __init__(
        self,
        model: nn.Module,
        classes: int = 2,
        *,
        optimiser: Optimiser = Optimiser(),  # noqa: B008
        mean_weight: float = 1.0,
        info: CheckpointInfo | None = None,
    ) -> None:
        super().__init__(model, optimiser=optimiser, info=info)
        self.classes = classes
        self.mean_weight = mean_weight
        task: Any = "binary" if classes == 2 else "multiclass"
        self.val_loss = MeanMetric()
        self.val_weight = SumMetric()
        self.val_counts = StatScores(task="multiclass", num_classes=classes, average=None)
        self.val_auc = AUROC(task=task, num_classes=classes, average=None)

    def forward(self, particles: ParticleSet) -> Float[Tensor, "sets classes"]:
        """The logits of the model."""
        logits: Tensor = self.model(particles)
        return logits

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
