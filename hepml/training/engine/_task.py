"""What is learned: the part of a run that knows losses and figures."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from hepml.errors import DataError
from hepml.training.engine._checkpoint import CheckpointInfo, header
from hepml.training.engine._layers import Layers
from hepml.training.engine._optimiser import Optimiser, take_up

# How many losses are looked at together: each look makes a GPU wait for the CPU.
_LOSSES_PER_CHECK = 20


@dataclass(frozen=True)
class Figure:
    """A number that each epoch gives.

    Parameters
    ----------
    name
        As it is logged: ``val_auc``.
    rising
        Whether more is better.
    """

    name: str
    rising: bool = False


class Task(LightningModule):
    """A network, its loss and the figures of an epoch: the base of all that can be learned.

    A task writes :meth:`loss` and, where it validates, ``validation_step``; it says its figures.
    What every run needs is here: the optimiser, losses that are looked at so that learning that
    has failed ends, and checkpoints that say what the network is.

    Parameters
    ----------
    model
        The network.
    optimiser
        How its weights are changed.
    info
        What the checkpoints shall say about the network; without it they are Lightning's alone.

    Attributes
    ----------
    layers
        Which layers are frozen or learn more slowly; none, unless it is set.

    Notes
    -----
    Class attributes: ``figures``, in the order of tables; ``decides``, the figure that says which
    epoch is the best, None for the last one; ``unit``, what a batch is a number of.
    """

    figures: tuple[Figure, ...] = (Figure("train_loss"), Figure("val_loss"))
    decides: Figure | None = Figure("val_loss")
    unit: ClassVar[str] = "sets"
    model: nn.Module

    def __init__(
        self, model: nn.Module, *, optimiser: Optimiser, info: CheckpointInfo | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.optimiser, self.info, self.layers = optimiser, info, Layers()
        self.recent_loss = float("nan")
        self._losses: list[Tensor] = []

    def loss(self, batch: Any) -> Float[Tensor, ""]:
        """The loss of a batch."""
        raise NotImplementedError(f"{type(self).__name__} has no loss")

    def penalty(self) -> Float[Tensor, ""] | None:
        """What is added to the loss and not reported."""
        return None

    def weight_groups(self) -> list[dict[str, Any]]:
        """The weights to learn, as torch's optimisers take them."""
        return [{"params": list(self.model.parameters())}]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ARG002
        """The loss of a batch, logged."""
        loss = self.loss(batch)
        self.log(
            "train_loss",
            loss.detach(),
            on_step=False,
            on_epoch=True,
            batch_size=len(batch),
            sync_dist=True,
        )
        penalty = self.penalty()
        return loss if penalty is None else loss + penalty

    def configure_optimizers(self) -> Any:
        """The optimiser, and the learning rate for each step of the run."""
        steps = int(self.trainer.estimated_stepping_batches)
        decides = self.decides or Figure("train_loss")
        groups = self.layers.groups(self.model, self.weight_groups(), self.optimiser.learning_rate)
        return self.optimiser.configured(groups, steps, decides.name, rising=decides.rising)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,  # noqa: ARG002
    ) -> None:
        """Shorten the gradient of all weights together to this norm.

        Lightning's own refuses fused optimisers in mixed precision, for scaled gradients, which
        bfloat16 does without.
        """
        if gradient_clip_val:
            weights = [p for group in optimizer.param_groups for p in group["params"]]
            clip_grad_norm_(weights, gradient_clip_val)

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Go on along a schedule; but for a plateau: Lightning asks after the checkpoints."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def on_train_start(self) -> None:
        """Take the learning rate from the schedule: a resumed run may have more steps by now."""
        schedule = self.lr_schedulers()
        if isinstance(schedule, LambdaLR):
            take_up(schedule.optimizer, schedule)

    def on_train_epoch_start(self) -> None:
        """Keep frozen layers as they are."""
        self.layers.hold(self.model)

    def forget_losses(self) -> None:
        """Forget losses that were not looked at yet."""
        self._losses.clear()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Look at the losses of the last batches."""
        # Lightning divides it among the batches of a step.
        self._losses.append(outputs["loss"].detach() * self.trainer.accumulate_grad_batches)
        if len(self._losses) == _LOSSES_PER_CHECK:
            self._check_losses(batch_idx)

    def on_train_epoch_end(self) -> None:
        """Refuse to end an epoch, and to write a checkpoint, with weights that are not finite."""
        if self._losses:
            self._check_losses(int(self.trainer.num_training_batches) - 1)
        bad = [n for n, p in self.model.named_parameters() if not bool(p.isfinite().all())]
        if bad:
            raise self._diverged(f"NaN or infinite {bad[0]} at the end of epoch")
        for config in self.trainer.lr_scheduler_configs:
            if isinstance(config.scheduler, ReduceLROnPlateau):
                config.scheduler.step(float(self.trainer.callback_metrics[str(config.monitor)]))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say in the checkpoint what the network is."""
        if self.info is not None:
            figures = {k: float(v) for k, v in self.trainer.callback_metrics.items()}
            checkpoint |= header(replace(self.info, figures=figures))

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
            fix=f"lower the learning rate (it is {self.optimiser.learning_rate:g}); "
            "the checkpoints of the epochs before are kept",
        )
