"""Classification of particles: which class each particle of a set is of."""

import warnings
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import AUROC, MeanMetric, StatScores

from hepml.data import ParticleSet
from hepml.errors import DataError, InputError
from hepml.training.engine._checkpoint import CheckpointInfo
from hepml.training.engine._optimiser import Optimiser
from hepml.training.engine._task import Figure, Task

# Thresholds of the AUC of each epoch: particles are too many to be kept and sorted.
_THRESHOLDS = 1000


class ParticleClassificationTask(Task):
    """Classification of the particles of sets by cross-entropy.

    Parameters
    ----------
    model
        Any module that maps a :class:`~hepml.data.ParticleSet` to logits (particles, classes).
    classes
        The number of classes.
    optimiser
        By default AdamW with one cycle of the learning rate in the run.
    mean_weight
        The mean of the weights of all sets to learn from, as in :class:`TaggingTask`: a particle
        has the weight of its set.
    info
        What the checkpoints shall say about the model; without it they are Lightning's alone.

    Notes
    -----
    The loss of a batch is the mean over its particles. Validation figures are ``val_loss``,
    ``val_accuracy`` and ``val_auc``, the mean of the AUC of each class against all others over the
    classes that the sample holds (macro AUC), at 1000 thresholds; they count every particle once.
    """

    figures = (
        Figure("train_loss"),
        Figure("val_loss"),
        Figure("val_accuracy", rising=True),
        Figure("val_auc", rising=True),
    )
    decides = figures[1]
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
        self.classes, self.mean_weight = classes, mean_weight
        self.val_loss = MeanMetric()
        self.val_counts = StatScores(task="multiclass", num_classes=classes, average=None)
        self.val_auc = AUROC(
            task="multiclass", num_classes=classes, average=None, thresholds=_THRESHOLDS
        )

    def loss(self, batch: ParticleSet) -> Float[Tensor, ""]:
        """The loss of a batch."""
        losses, weights, _ = self._of_particles(batch)
        if not losses.numel():
            return losses.sum()
        return losses.mean() if weights is None else (losses * weights).mean()

    def validation_step(self, batch: ParticleSet, batch_idx: int) -> None:  # noqa: ARG002
        """Collect loss and scores of a batch."""
        losses, weights, logits = self._of_particles(batch)
        if not losses.numel():
            return
        labels: Any = batch.particle_labels
        self.val_loss.update(losses, 1.0 if weights is None else weights)
        self.val_counts.update(logits, labels)
        self.val_auc.update(logits.float().softmax(dim=1), labels)

    def on_validation_epoch_end(self) -> None:
        """Give the figures of the epoch; refuse a sample on which no AUC is defined."""
        right, _, _, _, particles = self.val_counts.compute().T
        present = particles.nonzero().flatten()
        if len(present) < 2:
            raise DataError(
                "validation",
                expected="particles of at least two classes",
                got=f"only class {present.tolist()}",
                fix="validate with files that hold all classes",
            )
        self.log("val_loss", self.val_loss.compute())
        self.log("val_accuracy", right.sum() / particles.sum())
        with warnings.catch_warnings():
            # torchmetrics gives absent classes an AUC of zero, with a warning.
            warnings.filterwarnings("ignore", message="No positive samples in targets")
            warnings.filterwarnings("ignore", message="Average precision score for one or more")
            auc = self.val_auc.compute()
        self.log("val_auc", auc[particles > 0].mean())
        for metric in (self.val_loss, self.val_counts, self.val_auc):
            metric.reset()

    def _of_particles(self, batch: ParticleSet) -> tuple[Tensor, Tensor | None, Tensor]:
        """Loss, weight and logits of each particle."""
        labels = batch.particle_labels
        if labels is None:
            raise InputError(
                "particle_labels",
                expected="the class of each particle",
                got="none",
                fix="name the label in the collections of the columns",
            )
        batch = batch.to(dtype=next(self.model.parameters()).dtype)
        logits: Tensor = self.model(batch)
        if logits.shape != (len(labels), self.classes):
            raise InputError(
                "logits",
                expected=f"shape (particles, classes) = {(len(labels), self.classes)}",
                got=f"{tuple(logits.shape)} from {type(self.model).__name__}",
                fix="let the model return one number for each particle and class",
            )
        weights = None
        if batch.weights is not None:
            weights = (batch.weights / self.mean_weight)[batch.set_index]
        return cross_entropy(logits, labels, reduction="none"), weights, logits
