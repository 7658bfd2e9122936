"""What the outputs of a network mean: probabilities of classes, or numbers with their widths."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from hepml.data import Per
from hepml.errors import FileError, InputError
from hepml.io import Columns

# What the branches of probabilities are called, and their counter n... after.
SCORE = "score"


@dataclass(frozen=True)
class Probabilities:
    """The probabilities of classes: the softmax of the outputs.

    Parameters
    ----------
    names
        Of the classes.
    per
        What has them: "set", "particle", "node" or "edge".
    """

    names: tuple[str, ...]
    per: Per = "set"

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        return len(self.names)

    @property
    def branches(self) -> list[str]:
        """The names of branches: ``score_`` and the class."""
        return [f"{SCORE}_{name}" for name in letters(self.names)]

    def lists(self, table: Any) -> dict[str, Any]:
        """The columns of a table as lists are written: one record, that shares one counter."""
        fields = letters(self.names)
        return {SCORE: ak.zip({name: table[:, i] for i, name in enumerate(fields)})}

    @property
    def list_types(self) -> dict[str, str]:
        """The types of the lists."""
        fields = ", ".join(f'"{name}": float32' for name in letters(self.names))
        return {SCORE: f"var * {{{fields}}}"}

    def __call__(self, outputs: Float[Tensor, "rows outputs"]) -> Float64[Tensor, "rows names"]:
        """A probability of each class, in float64, in which the purest still differ."""
        return outputs.double().softmax(1)


@dataclass(frozen=True)
class Numbers:
    """Targets in their own units and, of a network that predicts them, their widths.

    Parameters
    ----------
    targets
        Their names.
    centre, scale
        What the network's unit of each target is.
    widths
        Whether the network has outputs for widths.
    per
        What has them: "set", "particle", "node" or "edge".
    """

    targets: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    widths: bool
    per: Per = "set"

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        return len(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the targets, and of their widths after them."""
        return (*self.targets, *(f"{name}_width" for name in self.targets if self.widths))

    @property
    def branches(self) -> list[str]:
        """The names of branches: those of the targets."""
        return letters(self.names)

    def lists(self, table: Any) -> dict[str, Any]:
        """The columns of a table as lists are written: each by itself, under its own name."""
        return {name: table[:, i] for i, name in enumerate(self.branches)}

    @property
    def list_types(self) -> dict[str, str]:
        """The types of the lists."""
        return dict.fromkeys(self.branches, "var * float32")

    def __call__(self, outputs: Float[Tensor, "rows outputs"]) -> Float64[Tensor, "rows names"]:
        """The value of each target and its width, in its units."""
        from hepml.training import value_and_width

        value, width = value_and_width(outputs.double(), len(self.targets))
        centre, scale = (
            torch.tensor(x, dtype=torch.float64, device=outputs.device)
            for x in (self.centre, self.scale)
        )
        values = value * scale + centre
        return values if width is None else torch.cat([values, width * scale], 1)


Answers = Probabilities | Numbers


def answers_of(task: Mapping[str, Any], columns: Columns, path: object) -> Answers:
    """What the outputs of the network in a checkpoint mean.

    Parameters
    ----------
    task, columns
        What the checkpoint says.
    path
        Its name, for errors.

    Raises
    ------
    FileError
        If it contradicts itself.
    """
    per = task.get("per", "set")
    classes, targets = columns.class_names_of(per), columns.target_names_of(per)
    known = per in columns.levels
    if known and task.get("loss", "cross-entropy") == "cross-entropy":
        return Probabilities(classes, per)
    units = [task.get("centre"), task.get("scale")]
    fits = all(
        isinstance(unit, list | tuple)
        and len(unit) == len(targets)
        and all(isinstance(x, int | float) for x in unit)
        for unit in units
    )
    if not known or not fits:
        raise FileError(
            f"checkpoint {path}",
            expected=f"centre and scale of the targets {', '.join(targets)}",
            got=f"{dict(task)!r:.200}",
            fix="get the file again, or train again",
        )
    centre, scale = (tuple(map(float, unit or ())) for unit in units)
    return Numbers(targets, centre, scale, task["loss"] == "gaussian", per)


def letters(names: Sequence[str]) -> list[str]:
    """Names in the letters that ROOT expressions allow.

    Raises
    ------
    InputError
        If two of them become one.
    """
    found = [re.sub(r"\W", "_", name) for name in names]
    if len(set(found)) < len(found):
        raise InputError(
            "class names",
            expected="names that differ in letters, digits or underscores",
            got=", ".join(names),
            fix="rename classes: other characters become underscores in names of branches",
        )
    return found
