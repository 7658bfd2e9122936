"""The exponential moving average of the weights, which is validated and kept instead of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hepml.training.engine._task import Task


class MovingAverage(Callback):
    """The average of the weights over the last steps, in the place of the weights where it counts.

    After each step of the optimiser ``average = decay average + (1 - decay) weights``; the first
    average are the weights after the first step. It is validated, and is what the network holds
    when the run has ended.

    Parameters
    ----------
    decay
        How much of the average stays at a step; it spans about ``1 / (1 - decay)`` steps.

    Notes
    -----
    Buffers, such as the statistics of a batch norm, are not averaged: they are those of the
    network. Lightning's own callback leaves the average out of checkpoints without the state of
    the optimiser.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._average: AveragedModel | None = None
        self._restored: dict[str, Any] = {}
        self._step = 0

    def state_dict(self) -> dict[str, Any]:
        """The average, from which a resumed run goes on."""
        return {} if self._average is None else dict(self._average.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the average until the network is on its device."""
        self._restored = state_dict

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with no average, or with the restored one."""
        self._step = trainer.global_step
        self._average = AveragedModel(
            cast(Task, pl_module).model,
            multi_avg_fn=get_ema_multi_avg_fn(self.decay),  # type: ignore[no-untyped-call]
        )
        if trainer.current_epoch:
            self._average.load_state_dict(self._restored)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Take in the weights, if there was a step."""
        if trainer.global_step != self._step:
            self._step = trainer.global_step
            assert self._average is not None
            self._average.update_parameters(cast(Task, pl_module).model)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Validate the average."""
        self._exchange(cast(Task, pl_module))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Go on with the weights."""
        self._exchange(cast(Task, pl_module))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Leave the average in the network."""
        self._exchange(cast(Task, pl_module))

    @contextmanager
    def in_place(self, task: Task) -> Iterator[None]:
        """Let the network hold the average in a block."""
        self._exchange(task)
        try:
            yield
        finally:
            self._exchange(task)

    def _exchange(self, task: Task) -> None:
        """Let weights and average change places."""
        assert self._average is not None
        with torch.no_grad():
            pairs = zip(task.model.parameters(), self._average.module.parameters(), strict=True)
            for weight, average in pairs:
                kept = weight.clone()
                weight.copy_(average)
                average.copy_(kept)
