"""How much each class counts in the loss."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from hepml.errors import DataError, InputError

# "balanced", numbers by class, or both as words: ["balanced"], ["top=2", "qcd=1"].
ClassWeights = Literal["balanced"] | Mapping[str, int | float] | Sequence[str]


def class_weight_words(wanted: ClassWeights) -> list[str]:
    """What is asked for, as words of a command."""
    if isinstance(wanted, Mapping):
        return [f"{name}={number}" for name, number in wanted.items()]
    return [wanted] if isinstance(wanted, str) else list(wanted)


def class_weights_of(
    wanted: Sequence[str],
    names: Sequence[str],
    totals: Callable[[], Float[Tensor, " classes"]],
) -> Float[Tensor, " classes"] | None:
    """The factor of the losses of each class, 1 on the average of the sample.

    Parameters
    ----------
    wanted
        "balanced", or a positive number for some classes, as in ``top=2``; others count 1.
    names
        The names of the classes; none, where there are none.
    totals
        Gives the sum N_c of the weights of each class in the sample.

    Returns
    -------
    :
        ``N / (K N_c)`` of K classes if they are balanced; else the given numbers, over their mean.

    Raises
    ------
    InputError
        If there is no such class, or a word is none of these.
    DataError
        If the sample has none of a class that is to be balanced.
    """
    if not wanted:
        return None
    balanced = [*wanted] == ["balanced"]
    given = {} if balanced else dict(map(_number, wanted))
    unknown = [name for name in given if name not in names]
    if unknown or not names:
        raise InputError(
            "class_weights",
            expected=f"classes: {', '.join(names) or 'what is learned has none'}",
            got=", ".join(unknown or wanted),
            fix="name classes of the columns" if names else "leave class_weights out",
        )
    sums = totals()
    if balanced:
        absent = [name for name, total in zip(names, sums.tolist(), strict=True) if not total > 0]
        if absent:
            raise DataError(
                "class_weights",
                expected="every class in the files to learn from, to be balanced",
                got=f"none of {', '.join(absent[:6])}",
                fix="name files that hold them, or leave these classes out of the columns",
            )
        return (sums.sum() / (len(names) * sums)).float()
    weights = torch.tensor([given.get(name, 1.0) for name in names], dtype=torch.float64)
    return (weights * sums.sum() / (weights * sums).sum()).float()


def _number(word: str) -> tuple[str, float]:
    """A class and its number."""
    name, _, text = word.rpartition("=")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf or not name:
        raise InputError(
            "class_weights",
            expected="balanced, or a positive number for classes, as in top=2 qcd=1",
            got=repr(word),
            fix="write NAME=NUMBER for each class; those that are not named count 1",
        )
    return name, number
