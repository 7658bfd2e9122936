"""How weights are changed: the optimiser, and the learning rate at each step of a run."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from hepml.errors import InputError
from hepml.training.engine._lookahead import LookaheadRAdam

Method = Literal["adamw", "adam", "sgd", "radam-lookahead"]
Schedule = Literal["one-cycle", "cosine", "constant", "plateau"]

_OPTIMISERS: dict[str, Callable[..., Optimizer]] = {
    "adamw": partial(torch.optim.AdamW, fused=True),
    "adam": partial(torch.optim.Adam, fused=True),
    "sgd": partial(torch.optim.SGD, momentum=0.9, fused=True),
    "radam-lookahead": LookaheadRAdam,
}
# Epochs without a better figure, and what the learning rate is multiplied by after one more.
_WAITED, _FACTOR = 3, 0.3


@dataclass(frozen=True)
class Optimiser:
    """An optimiser and its learning rate along a run, as a value.

    Parameters
    ----------
    learning_rate
        The maximum.
    weight_decay
        Decoupled from the gradient with AdamW and RAdam; a part of it with Adam and SGD.
    method
        "adamw", "adam", "sgd" (with a momentum of 0.9), or "radam-lookahead" (RAdam whose weights
        are drawn half of the way back after every six steps).
    schedule
        "one-cycle": the learning rate rises along a cosine from 1/25 of its maximum, then falls
        along a cosine to 1/250,000 of it, step by step. "cosine": it rises along a line from
        nearly zero, then falls along a cosine to zero. "constant": it stays. "plateau": it is
        multiplied by 0.3 whenever the figure that decides which epoch is the best was not better
        for more than 3 epochs.
    warmup
        The fraction of the steps of one cycle or cosine during which the learning rate rises.

    Raises
    ------
    InputError
        If a number or a name makes no sense.

    References
    ----------
    L. N. Smith, N. Topin, "Super-convergence", arXiv:1708.07120.
    I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", arXiv:1711.05101; "SGDR",
    arXiv:1608.03983, equation 5, for the cosine.
    M. Zhang et al., "Lookahead optimizer", arXiv:1907.08610.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    method: Method = "adamw"
    schedule: Schedule = "one-cycle"
    warmup: float = 0.3

    def __post_init__(self) -> None:
        choices = {"method": get_args(Method), "schedule": get_args(Schedule)}
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

    def configured(
        self, weights: Iterable[Any], steps: int, decides: str = "val_loss", *, rising: bool = False
    ) -> Mapping[str, Any]:
        """What :meth:`lightning.pytorch.LightningModule.configure_optimizers` returns.

        Parameters
        ----------
        weights
            The weights, or groups of them, as torch's optimisers take them.
        steps
            How many steps the run has.
        decides, rising
            The figure that a plateau is one of, and whether more of it is better.
        """
        optimiser = _OPTIMISERS[self.method](
            list(weights), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        if self.schedule == "constant":
            return {"optimizer": optimiser}
        if self.schedule == "plateau":
            plateau = ReduceLROnPlateau(optimiser, "max" if rising else "min", _FACTOR, _WAITED)
            return {
                "optimizer": optimiser,
                "lr_scheduler": {"scheduler": plateau, "monitor": decides},
            }
        factor = one_cycle if self.schedule == "one-cycle" else cosine
        schedule = LambdaLR(optimiser, partial(factor, steps=steps, warmup=self.warmup))
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


def cosine(step: int, *, steps: int, warmup: float) -> float:
    """The learning rate at a step of the run, as a fraction of its maximum: a line, then a cosine.

    The first step has a positive rate, and so has the last.
    """
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (math.floor(rise) + 1)
    return _along_cosine(1.0, 0.0, (step - rise) / max(steps - rise, 1.0))


def _along_cosine(start: float, end: float, x: float) -> float:
    """From start (x = 0) to end (x = 1) along half a period of the cosine."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * min(x, 1.0)))


def take_up(optimiser: Optimizer, schedule: LambdaLR) -> None:
    """Take the learning rate from the schedule: a resumed run may have more steps by now."""
    factor = schedule.lr_lambdas[0](schedule.last_epoch)
    for group, rate in zip(optimiser.param_groups, schedule.base_lrs, strict=True):
        group["lr"] = rate * factor
