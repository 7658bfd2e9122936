"""The progress bar of a run."""

import sys
from collections.abc import Sized
from math import isfinite
from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from tqdm.auto import tqdm

from hepml.training.engine._task import Task


class EpochBar(Callback):
    """A bar for each epoch and each validation, on terminals and in notebooks only.

    A log file gets the lines of :class:`~hepml.training.engine._callbacks.EpochTable` instead.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._jets = 0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Open the bar of the epoch."""
        self._jets = 0
        self._open(trainer, "", trainer.num_training_batches)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ARG002
        batch: Sized,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """One batch further."""
        self._jets += len(batch) * trainer.world_size
        if self._bar is None or self._bar.disable:
            return
        task = cast(Task, pl_module)
        elapsed = self._bar.format_dict["elapsed"]
        figures = [f"{self._jets / elapsed:.0f} {task.unit}/s" if elapsed else ""]
        figures += [f"loss {task.recent_loss:#.3g}"] if isfinite(task.recent_loss) else []
        decides = task.decides.name if task.decides else ""
        if decides in trainer.callback_metrics:
            reached = float(trainer.callback_metrics[decides])
            figures += [f"{decides.replace('_', ' ')} {reached:#.4g}"]
        self._bar.set_postfix_str(", ".join(figures), refresh=False)
        self._bar.update()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Open the bar of the validation."""
        self._open(trainer, " validation", sum(trainer.num_val_batches))

    def on_validation_batch_end(self, *_: Any) -> None:
        """One batch further."""
        if self._bar is not None:
            self._bar.update()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Remove the bar."""
        self._close()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Remove the bar."""
        self._close()

    def on_exception(self, *_: Any) -> None:
        """Remove the bar before an error is printed."""
        self._close()

    def _open(self, trainer: Trainer, what: str, total: int | float) -> None:
        """Replace the bar."""
        self._close()
        if trainer.is_global_zero:
            self._bar = tqdm(
                desc=f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}{what}",
                total=None if total == float("inf") else int(total),
                unit="batch",
                file=sys.stderr,
                disable=None,
                leave=False,
                dynamic_ncols=True,
            )

    def _close(self) -> None:
        """Remove the bar, if there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
