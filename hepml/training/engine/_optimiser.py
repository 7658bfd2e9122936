"""How weights are changed: the optimiser, and the learning rate at each step of a run."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from hepml.errors import InputError

_OPTIMISERS: dict[str, type[torch.optim.Adam | torch.optim.AdamW]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


@dataclass(frozen=True)
class Optimiser:
    """An optimiser and its learning rate along a run, as a value.

    Parameters
    ----------
    learning_rate
        The maximum.
    weight_decay
        That of Adam, or of AdamW.
    method
        "adamw" or "adam".
    schedule
        "one-cycle": the learning rate rises along a cosine from 1/25 of its maximum, then falls
        along a cosine to 1/250,000 of it, step by step. "constant": it stays.
    warmup
        The fraction of the steps of one cycle during which the learning rate rises.

    Raises
    ------
    InputError
        If a number or a name makes no sense.

    References
    ----------
    L. N. Smith, N. Topin, "Super-convergence", arXiv:1708.07120.
    I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", arXiv:1711.05101.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    method: Literal["adamw", "adam"] = "adamw"
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    warmup: float = 0.3

    def __post_init__(self) -> None:
        choices = {"method": list(_OPTIMISERS), "schedule": ["one-cycle", "constant"]}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise InputError(
                    name,
                    expected=f"one of {', '.join(allowed)}",
                    got=repr(getattr(self, name)),
                    fix="choose one of them",
                )
        wrong = {
            "learning_rate": (0 < self.learning_rate < math.inf, "a positive number"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "at least 0"),
            "warmup": (0 <= self.warmup < 1, "at least 0 and below 1"),
        }
        for name, (right, expected) in wrong.items():
            if not right:
                raise InputError(
                    name, expected=expected, got=str(getattr(self, name)), fix="change it"
                )

    def configured(self, weights: Iterable[Any], steps: int) -> Mapping[str, Any]:
        """What :meth:`lightning.pytorch.LightningModule.configure_optimizers` returns.

        Parameters
        ----------
        weights
            The weights, or groups of them, as torch's optimisers take them.
        steps
            How many steps the run has.
        """
        optimiser = _OPTIMISERS[self.method](
            list(weights), lr=self.learning_rate, weight_decay=self.weight_decay, fused=True
        )
        if self.schedule == "constant":
            return {"optimizer": optimiser}
        schedule = LambdaLR(optimiser, partial(one_cycle, steps=steps, warmup=self.warmup))
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


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


def take_up(optimiser: Optimizer, schedule: LambdaLR) -> None:
    """Take the learning rate from the schedule: a resumed run may have more steps by now."""
    factor = schedule.lr_lambdas[0](schedule.last_epoch)
    for group, rate in zip(optimiser.param_groups, schedule.base_lrs, strict=True):
        group["lr"] = rate * factor
