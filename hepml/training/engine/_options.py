"""What every run is asked for, whatever it learns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hepml.errors import InputError

PRECISIONS = ("32", "bf16-mixed", "64")
_AT_LEAST = {"epochs": 1, "devices": 1, "seed": 0}


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

    def __post_init__(self) -> None:
        require_at_least({name: getattr(self, name) for name in _AT_LEAST}, _AT_LEAST)
        if self.precision not in PRECISIONS:
            raise InputError(
                "precision",
                expected=f"one of {', '.join(PRECISIONS)}",
                got=repr(self.precision),
                fix="choose one of them",
            )


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
