"""Regression of numbers of sets, or of their particles, nodes or edges."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import huber_loss, mse_loss
from torchmetrics import CatMetric

from hepml.data import Graph, ParticleSet, Per, rows_of
from hepml.errors import DataError, InputError
from hepml.nn import Standardise
from hepml.training.engine._checkpoint import CheckpointInfo
from hepml.training.engine._optimiser import Optimiser
from hepml.training.engine._task import Figure, Task
from hepml.training.tasks._mean_loss import MeanLoss

RegressionLoss = Literal["mse", "huber", "gaussian"]
# Widths between 0.0025 and 400 in units of the spread of the targets: exponentials stay finite.
_LOG_WIDTH = 6.0


def value_and_width(
    outputs: Float[Tensor, "rows outputs"], targets: int
) -> tuple[Float[Tensor, "rows targets"], Float[Tensor, "rows targets"] | None]:
    """What the outputs of a network say: values, and widths where it has outputs for them."""
    value = outputs[:, :targets]
    if outputs.shape[1] == targets:
        return value, None
    return value, outputs[:, targets:].clamp(-_LOG_WIDTH, _LOG_WIDTH).exp()


class RegressionTask(Task):
    """Regression of one number or several, of each set, particle, node or edge.

    The network learns targets in units of their spread around their median; figures and
    predictions are in the units of the targets.

    Parameters
    ----------
    model
        Any module that maps a :class:`~hepml.data.ParticleSet` or a :class:`~hepml.data.Graph` to
        a row of outputs for each of what has targets: their values and, with the loss "gaussian",
        the logarithms of their widths after them.
    targets
        The names of the targets.
    per
        What has a target: "set", "particle", "node" or "edge".
    loss
        "mse": the mean square error. "huber": it is linear beyond one unit of the spread.
        "gaussian": minus the logarithm of a normal density whose width is predicted as well,
        ``ln w + (t - v)² / 2 w²``. In learning each is multiplied by w², which is not learned
        from: values then learn as with "mse". Else those that are hard get a large width early, and
        are not learned any more.
    optimiser
        By default AdamW with one cycle of the learning rate in the run.
    mean_weight
        The mean of the weights of all sets to learn from, as in :class:`TaggingTask`.
    partial
        Whether rows may lack a target: those with NaN are left out of loss and figures.
    info
        What the checkpoints shall say about the model; without it they are Lightning's alone.

    Notes
    -----
    Validation figures are ``val_loss``, which decides, and for each target ``val_bias``, the median
    of prediction minus truth; ``val_resolution``, half the distance between its 16 % and 84 %
    quantiles; and ``val_rmse``, its root mean square. They carry the name of the target where there
    are several, and count each row once, whatever its weight.

    References
    ----------
    The factor w²: M. Seitzer, A. Tavakoli, D. Antic, G. Martius, On the Pitfalls of Heteroscedastic
    Uncertainty Estimation with Probabilistic Neural Networks, ICLR 2022, arXiv:2203.09168,
    beta = 1.
    """

    unit = "jets"

    def __init__(
        self,
        model: nn.Module,
        targets: Sequence[str],
        *,
        per: Per = "set",
        loss: RegressionLoss = "mse",
        optimiser: Optimiser = Optimiser(),  # noqa: B008
        mean_weight: float = 1.0,
        partial: bool = False,
        info: CheckpointInfo | None = None,
    ) -> None:
        super().__init__(model, optimiser=optimiser, info=info)
        self.targets, self.per, self.loss_name = tuple(targets), per, loss
        self.mean_weight, self.partial = mean_weight, partial
        self.standardise = Standardise(len(self.targets))
        several = len(self.targets) > 1
        self._names = [f"val_{name}_" if several else "val_" for name in self.targets]
        self.figures = (
            Figure("train_loss"),
            Figure("val_loss"),
            *(Figure(f"{n}{f}") for n in self._names for f in ("bias", "resolution", "rmse")),
        )
        self.val_loss = MeanLoss()
        self.val_residuals = CatMetric()

    def loss(self, batch: ParticleSet | Graph) -> Float[Tensor, ""]:
        """The loss of a batch."""
        losses, weights, _ = self._of_rows(batch, learning=True)
        return (losses * weights).mean() if losses.numel() else losses.sum()

    def validation_step(self, batch: ParticleSet | Graph, batch_idx: int) -> None:  # noqa: ARG002
        """Collect losses and residuals of a batch."""
        losses, weights, residuals = self._of_rows(batch)
        if losses.numel():
            self.val_loss.update(losses, weights)
            self.val_residuals.update(residuals)

    def on_validation_epoch_end(self) -> None:
        """Give the figures of the epoch."""
        residuals = self.val_residuals.compute()
        if not isinstance(residuals, Tensor) or not residuals.numel():
            raise DataError(
                "validation",
                expected="a target",
                got="none",
                fix="validate with files that hold targets",
            )
        self.log("val_loss", self.val_loss.compute())
        table = residuals.double().cpu().numpy()
        # torch's own takes no more than 16 million numbers.
        low, middle, high = np.percentile(table, [16, 50, 84], axis=0)
        for i, name in enumerate(self._names):
            self.log(f"{name}bias", middle[i])
            self.log(f"{name}resolution", (high[i] - low[i]) / 2)
            self.log(f"{name}rmse", np.sqrt(np.square(table[:, i]).mean()))
        self.val_loss.reset()
        self.val_residuals.reset()

    def _of_rows(
        self, batch: ParticleSet | Graph, *, learning: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Loss and weight of each row, and its residuals in the units of the targets."""
        batch = batch.to(dtype=next(self.model.parameters()).dtype)
        rows = rows_of(batch, self.per)
        wanted, weights = rows.targets, rows.weights
        if wanted is None or wanted.shape[1] != len(self.targets):
            raise InputError(
                "targets",
                expected=f"{', '.join(self.targets)} of each {self.per}",
                got="none" if wanted is None else f"{wanted.shape[1]} numbers",
                fix="name the targets in the columns",
            )
        outputs = self.model(batch)
        size = (2 if self.loss_name == "gaussian" else 1) * len(self.targets)
        if outputs.shape != (len(wanted), size):
            raise InputError(
                "outputs",
                expected=f"shape ({self.per}s, outputs) = {(len(wanted), size)}",
                got=f"{tuple(outputs.shape)} from {type(self.model).__name__}",
                fix=f"let the model return {size} numbers for each {self.per}",
            )
        weights = wanted.new_ones(len(wanted)) if weights is None else weights / self.mean_weight
        if self.partial:
            known = ~wanted.isnan().any(1)
            outputs, wanted, weights = outputs[known], wanted[known], weights[known]
        value, width = value_and_width(outputs, len(self.targets))
        each = _losses(value, width, self.standardise(wanted), self.loss_name)
        if learning and width is not None:
            each = each * width.detach().square()
        return each.mean(1), weights, self.standardise.inverse(value.detach()) - wanted


def _losses(
    value: Float[Tensor, "rows targets"],
    width: Float[Tensor, "rows targets"] | None,
    wanted: Float[Tensor, "rows targets"],
    loss: RegressionLoss,
) -> Float[Tensor, "rows targets"]:
    """The loss of each number."""
    if width is not None:
        return width.log() + 0.5 * ((wanted - value) / width).square()
    function = mse_loss if loss == "mse" else huber_loss
    losses: Tensor = function(value, wanted, reduction="none")
    return losses
