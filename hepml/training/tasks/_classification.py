"""Classification of sets, or of their particles, nodes or edges: the task of taggers."""

import warnings
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import AUROC, StatScores

from hepml.data import Graph, ParticleSet, Per, rows_of
from hepml.errors import DataError, InputError
from hepml.training.engine._checkpoint import CheckpointInfo
from hepml.training.engine._optimiser import Optimiser
from hepml.training.engine._task import Figure, Task
from hepml.training.tasks._mean_loss import MeanLoss

# Thresholds of the AUC of particles, which are too many to be kept and sorted.
_THRESHOLDS = 1000


class TaggingTask(Task):
    """Classification of sets, or of the particles, nodes or edges in them, by cross-entropy.

    Parameters
    ----------
    model
        Any module that maps a :class:`~hepml.data.ParticleSet` or a :class:`~hepml.data.Graph` to
        a row of logits (rows, classes) for each of what has a class.
    classes
        The number of classes.
    per
        What has a class: "set", "particle", "node" or "edge".
    optimiser
        By default AdamW with one cycle of the learning rate in the run.
    mean_weight
        The mean of the weights of all sets to learn from: ``BatchStream.mean_weight``.
    class_weights
        The factor of the losses of each class, of training and of validation; none by default.
    info
        What the checkpoints shall say about the model; without it they are Lightning's alone.

    Notes
    -----
    The weights of the sets, over their mean in the whole sample, multiply their losses, or those of
    what they hold; the loss of a batch is the mean of these. So no batch counts more than its
    weights say, and weights may be negative, as those of generators beyond leading order: a batch
    whose weights cancel teaches little, and does no harm. With weights ``val_loss`` is the weighted
    mean over the sample. Validation figures are ``val_loss``, ``val_accuracy`` and ``val_auc``; for
    more than two classes, and of all but sets, the AUC is the mean of each class against all
    others, over the classes that the validation sample holds (macro AUC); of all but sets it is
    that at 1000 thresholds. Accuracy and AUC count every row once, whatever its weight. The best
    epoch is that of the largest AUC; of all but sets that of the smallest loss.
    """

    figures = (
        Figure("train_loss"),
        Figure("val_loss"),
        Figure("val_accuracy", rising=True),
        Figure("val_auc", rising=True),
    )
    unit = "jets"
    class_weights: Float[Tensor, " classes"] | None

    def __init__(
        self,
        model: nn.Module,
        classes: int = 2,
        *,
        per: Per = "set",
        optimiser: Optimiser = Optimiser(),  # noqa: B008
        mean_weight: float = 1.0,
        class_weights: Float[Tensor, " classes"] | None = None,
        info: CheckpointInfo | None = None,
    ) -> None:
        super().__init__(model, optimiser=optimiser, info=info)
        self.classes, self.per, self.mean_weight = classes, per, mean_weight
        self.decides = self.figures[-1 if per == "set" else 1]
        self.binary = classes == 2 and per == "set"
        # Made anew from the files when a run goes on.
        self.register_buffer("class_weights", class_weights, persistent=False)
        task: Any = "binary" if self.binary else "multiclass"
        thresholds = None if per == "set" else _THRESHOLDS
        self.val_loss = MeanLoss()
        self.val_counts = StatScores(task="multiclass", num_classes=classes, average=None)
        self.val_auc = AUROC(task=task, num_classes=classes, average=None, thresholds=thresholds)

    def forward(self, batch: ParticleSet | Graph) -> Float[Tensor, "rows classes"]:
        """The logits of the model."""
        logits: Tensor = self.model(batch)
        return logits

    def loss(self, batch: ParticleSet | Graph) -> Float[Tensor, ""]:
        """The loss of a batch."""
        losses, weights, _, _ = self._of_rows(batch)
        if weights is not None:
            losses = losses * weights / self.mean_weight
        return losses.mean() if losses.numel() else losses.sum()

    def validation_step(self, batch: ParticleSet | Graph, batch_idx: int) -> None:  # noqa: ARG002
        """Collect loss and scores of a batch."""
        losses, weights, logits, labels = self._of_rows(batch)
        if not losses.numel():
            return
        self.val_loss.update(losses, 1.0 if weights is None else weights)
        self.val_counts.update(logits, labels)
        scores = logits.float().softmax(dim=1)
        self.val_auc.update(scores[:, 1] if self.binary else scores, labels)

    def on_validation_epoch_end(self) -> None:
        """Give the figures of the epoch; refuse a sample on which no AUC is defined."""
        right, _, _, _, rows = self.val_counts.compute().T
        present = rows.nonzero().flatten()
        if len(present) < 2:
            what = "jets" if self.per == "set" else f"{self.per}s"
            raise DataError(
                "validation",
                expected=f"{what} of at least two classes",
                got=f"only class {present.tolist()}",
                fix="validate with files that hold all classes",
            )
        self.log("val_loss", self.val_loss.compute())
        self.log("val_accuracy", right.sum() / rows.sum())
        with warnings.catch_warnings():
            # torchmetrics gives absent classes an AUC of zero, with a warning.
            warnings.filterwarnings("ignore", message="No positive samples in targets")
            warnings.filterwarnings("ignore", message="Average precision score for one or more")
            auc = self.val_auc.compute()
        self.log("val_auc", auc if self.binary else auc[rows > 0].mean())
        for metric in (self.val_loss, self.val_counts, self.val_auc):
            metric.reset()

    def _of_rows(self, batch: ParticleSet | Graph) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        """Loss, weight, logits and label of each row; refuses those that do not fit together."""
        labels = rows_of(batch, self.per).labels
        if labels is None:
            sets = self.per == "set"
            where = "edges" if self.per == "edge" else "collections"
            where = "the columns" if sets else f"the {where} of the columns"
            raise InputError(
                "labels" if sets else f"{self.per}_labels",
                expected=f"the class of each {self.per}",
                got="none",
                fix=f"name the label in {where}",
            )
        batch = batch.to(dtype=next(self.model.parameters()).dtype)
        logits = self(batch)
        if logits.shape != (len(labels), self.classes):
            raise InputError(
                "logits",
                expected=f"shape ({self.per}s, classes) = {(len(labels), self.classes)}",
                got=f"{tuple(logits.shape)} from {type(self.model).__name__}",
                fix=f"let the model return one number for each {self.per} and class",
            )
        weights = rows_of(batch, self.per).weights
        losses = cross_entropy(logits, labels, reduction="none")
        if self.class_weights is not None:
            losses = losses * self.class_weights.to(losses.dtype)[labels]
        return losses, weights, logits, labels
