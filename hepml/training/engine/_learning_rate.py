"""The learning rate that a network bears: losses while it rises from step to step."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer

from hepml.errors import DataError, FileError
from hepml.training.engine._options import RunOptions
from hepml.training.engine._task import Task
from hepml.training.engine._trainer import make_trainer

# From the lowest rate to the highest, in so many steps.
_LOWEST, _HIGHEST, _STEPS = 1e-6, 1.0, 150
# How much of the running mean of the losses stays at a step; a mean so many times as large as the
# least one ends the search.
_STAYS, _DIVERGED = 0.9, 4.0
# So many steps are not looked at: the running mean is that of few losses.
_FIRST = 10
# The loss at a step is that of so many before and after: it is noisy.
_REACH = 5


@dataclass(frozen=True)
class LearningRateCurve:
    """Losses at rising learning rates.

    Parameters
    ----------
    rates
        The learning rate of each step.
    losses
        The running mean of the losses, after each step.
    """

    rates: Sequence[float]
    losses: Sequence[float]

    @property
    def suggestion(self) -> float:
        """Where the loss falls fastest with the logarithm of the learning rate.

        Raises
        ------
        DataError
            If it falls nowhere.
        """
        end = min(range(len(self.losses)), key=self.losses.__getitem__)
        slopes = {
            i: self.losses[i + _REACH] - self.losses[i - _REACH]
            for i in range(_FIRST, min(end, len(self.losses) - _REACH))
        }
        best = min(slopes, key=slopes.__getitem__, default=-1)
        if best < 0 or slopes[best] >= 0:
            raise DataError(
                "learning_rate",
                expected="a loss that falls somewhere while the learning rate rises",
                got=f"none, from {self.rates[0]:.0e} to {self.rates[-1]:.0e}",
                fix="give a number, such as 0.001",
            )
        return float(f"{self.rates[best]:.2g}")


def learning_rate_curve(
    task: Task, data: LightningDataModule, options: RunOptions
) -> LearningRateCurve:
    """Learn for some steps, each with a higher learning rate, and leave the network as it was.

    Parameters
    ----------
    task
        What is learned.
    data
        The batches; the first epoch again and again.
    options
        Precision and device.

    References
    ----------
    L. N. Smith, "Cyclical learning rates for training neural networks", arXiv:1506.01186,
    section 3.3.
    """
    before = {name: value.clone() for name, value in task.state_dict().items()}
    optimiser = task.optimiser
    sweep = _Sweep()
    task.optimiser = replace(optimiser, schedule="constant", learning_rate=_LOWEST)
    options = replace(options, epochs=_STEPS, find_learning_rate=False)
    trainer = make_trainer(options, [sweep], validates=False, steps=_STEPS)
    try:
        trainer.fit(task, data)
    except DataError:
        # So a task says that its losses are no longer finite: the end of the search.
        if not sweep.ended:
            raise
    finally:
        task.optimiser = optimiser
        task.load_state_dict(before)
        task.to("cpu")
        task.forget_losses()
    return LearningRateCurve(sweep.rates, sweep.losses)


class _Sweep(Callback):
    """Raises the learning rate from step to step and writes down the losses."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.ended = False
        self._mean = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Draw the same numbers whatever was drawn before."""
        torch.manual_seed(0)

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        """Raise it."""
        rate = _LOWEST * (_HIGHEST / _LOWEST) ** (trainer.global_step / (_STEPS - 1))
        for group in trainer.optimizers[0].param_groups:
            # What is slower stays so.
            group["lr"] = rate * group.setdefault("of_rate", group["lr"] / _LOWEST)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,  # noqa: ARG002
        outputs: Any,
        *_: Any,
    ) -> None:
        """Note the loss; end where it grows."""
        loss = float(outputs["loss"]) * trainer.accumulate_grad_batches
        self._mean = _STAYS * self._mean + (1 - _STAYS) * loss
        steps = len(self.losses) + 1
        mean = self._mean / (1 - _STAYS**steps)
        if not math.isfinite(mean) or (steps > _FIRST and mean > _DIVERGED * min(self.losses)):
            trainer.should_stop = self.ended = True
            return
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        self.losses.append(mean)


def write_learning_rate_curve(curve: LearningRateCurve, chosen: float, path: Path) -> None:
    """Draw the losses; a picture that cannot be written costs a warning, not the run."""
    from hepml.figures import new_figure, save_figure, style

    with style():
        figure, (axes,) = new_figure(columns=1, width=9.0, height=7.0)
        axes.plot(curve.rates, curve.losses)
        axes.axvline(chosen, color="0.4", linestyle="--", label=f"chosen: {chosen:g}")
        axes.set_xscale("log")
        axes.set_xlabel("Learning rate")
        axes.set_ylabel("Loss, running mean")
        axes.legend()
        try:
            save_figure(figure, path.with_suffix(""), endings=(path.suffix[1:],))
        except (FileError, OSError) as error:
            warnings.warn(f"no picture of the learning rate: {error}", UserWarning, stacklevel=2)
