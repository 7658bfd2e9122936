"""What every run is asked for, whatever it learns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from hepml.errors import InputError

LOGGERS = ("tensorboard", "mlflow", "wandb")
PRECISIONS = ("32", "bf16-mixed", "64")
_AT_LEAST = {"epochs": 1, "devices": 1, "seed": 0, "patience": 1, "accumulate": 1}


@dataclass(frozen=True)
class RunOptions:
    """How a run is run.

    Parameters
    ----------
    epochs
        How many.
    precision
        "32", "bf16-mixed" (on GPUs) or "64".
    accelerator, devices
        Lightning's: the kind of device ("auto", "cpu", "gpu", ...) and their number.
    seed
        Decides what is random.
    patience
        Stop after so many epochs that were not better than the best; None learns through all.
    clip_gradient
        The largest norm of the gradient of all weights together, to which longer ones are
        shortened; None leaves them.
    accumulate
        How many batches there are to each step of the optimiser.
    ema
        How much stays, at a step, of the exponential moving average of the weights, which is
        validated and saved in their place; None takes no average.
    find_learning_rate
        Whether the learning rate is searched before the run begins.
    loggers
        Where figures go beside ``metrics.csv``: "tensorboard" (if it is installed), "mlflow",
        "wandb".

    Raises
    ------
    InputError
        If one of them makes no sense.
    """

    epochs: int = 10
    precision: Literal["32", "bf16-mixed", "64"] = "32"
    accelerator: str = "auto"
    devices: int = 1
    seed: int = 0
    patience: int | None = None
    clip_gradient: float | None = None
    accumulate: int = 1
    ema: float | None = None
    find_learning_rate: bool = False
    loggers: Sequence[str] = ("tensorboard",)

    @classmethod
    def among(cls, options: Mapping[str, Any]) -> "RunOptions":
        """Those among the options of a task, by their names."""
        return cls(**{e.name: options[e.name] for e in fields(cls) if e.name in options})

    def __post_init__(self) -> None:
        require_at_least({name: getattr(self, name) for name in _AT_LEAST}, _AT_LEAST)
        if self.precision not in PRECISIONS:
            raise InputError(
                "precision",
                expected=f"one of {', '.join(PRECISIONS)}",
                got=repr(self.precision),
                fix="choose one of them",
            )
        if self.find_learning_rate and self.devices > 1:
            # Each would find one of its own.
            raise InputError(
                "learning_rate",
                expected="a number, with several devices",
                got="find",
                fix="search with one device, and give what it finds",
            )
        for name in self.loggers:
            if name not in LOGGERS:
                raise InputError(
                    "loggers",
                    expected=f"names among {', '.join(LOGGERS)}",
                    got=repr(name),
                    fix="choose among them; metrics.csv is always written",
                )
        wrong = {
            "clip_gradient": (0, math.inf, "a positive number"),
            "ema": (0, 1, "a number between 0 and 1, such as 0.999"),
        }
        for name, (low, high, expected) in wrong.items():
            value = getattr(self, name)
            if value is not None and not low < value < high:
                raise InputError(name, expected=expected, got=str(value), fix="change it")


def require_at_least(options: Mapping[str, Any], least: Mapping[str, int]) -> None:
    """Refuse numbers that are too small; None is none.

    Raises
    ------
    InputError
        If there is one.
    """
    for name, limit in least.items():
        value = options[name]
        if value is not None and not value >= limit:
            raise InputError(
                name, expected=f"at least {limit}", got=str(value), fix="give a larger number"
            )
