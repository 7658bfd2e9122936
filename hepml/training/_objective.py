"""What is learned, as the columns and a loss say it: how many outputs, of what."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from hepml.errors import InputError
from hepml.io import Columns

Loss = Literal["cross-entropy", "mse", "huber", "gaussian"]
# What stands for the classes of the columns among the names of targets.
LABEL, PARTICLE_LABEL = "label", "particle_label"


@dataclass(frozen=True)
class Objective:
    """What a network predicts.

    Parameters
    ----------
    per
        What it gives a row of outputs for: "set" or "particle".
    names
        Of the classes, or of the targets.
    loss
        "cross-entropy" of classes; or "mse", "huber", "gaussian" of targets.
    """

    per: Literal["set", "particle"]
    names: tuple[str, ...]
    loss: Loss

    @property
    def classifies(self) -> bool:
        """Whether the names are those of classes."""
        return self.loss == "cross-entropy"

    @property
    def outputs(self) -> int:
        """How many outputs a network has: with a Gaussian loss a width of each target as well."""
        return 2 * len(self.names) if self.loss == "gaussian" else len(self.names)


def objective_of(columns: Columns, loss: Loss | None = None) -> Objective:
    """What columns name to be learned: classes before targets, sets before particles.

    Parameters
    ----------
    columns
        The columns of :func:`with_target`.
    loss
        That of targets; by default "mse".

    Raises
    ------
    InputError
        If they name nothing, or the loss is one of something else.
    """
    found: list[tuple[Literal["set", "particle"], tuple[str, ...], bool]] = [
        ("set", columns.class_names, True),
        ("set", columns.target_names, False),
        ("particle", columns.particle_class_names, True),
        ("particle", columns.particle_target_names, False),
    ]
    per, names, classes = next((each for each in found if each[1]), found[0])
    if not names:
        raise InputError(
            "columns",
            expected="a label and the names of its classes, or targets",
            got="columns without a label",
            fix="`hepml inspect --columns FILE > columns.yaml`, add label and classes or targets "
            "there, and pass it as --columns; or name a column with --target",
        )
    known: tuple[Loss, ...] = ("cross-entropy",) if classes else ("mse", "huber", "gaussian")
    chosen: Loss = loss or known[0]
    if chosen not in known:
        raise InputError(
            "loss",
            expected=f"{' or '.join(known)}, for {'classes' if classes else 'targets'}",
            got=repr(chosen),
            fix="leave it out, or name a target" if classes else "choose one of them",
        )
    return Objective(per, names, chosen)


def with_target(columns: Columns, targets: Sequence[str]) -> Columns:
    """The columns of what is to be learned, and of nothing else that could be.

    Parameters
    ----------
    columns
        Those of the files.
    targets
        Names of the columns' targets, of sets or of particles; expressions of sets, as in
        ``log_pt=log(jet_pt)``, of which a name of a branch needs no other; or "label", the classes
        of sets, or "particle_label", those of particles. Nothing means the classes of sets or,
        where there are none, what the columns name as targets or as classes of particles.

    Raises
    ------
    InputError
        If a name means nothing, or if they are of different things.
    """
    targets = list(targets) or _default(columns)
    if targets == [LABEL] and LABEL not in columns.targets:
        return _with_parts(columns.replace(targets={}), classes=False)
    bare = columns.replace(label=None, classes=(), class_files={}, targets={})
    if targets == [PARTICLE_LABEL] and PARTICLE_LABEL not in columns.targets:
        if not columns.particle_class_names:
            raise InputError(
                "target",
                expected="columns with a label and classes of each collection",
                got="'particle_label', and no classes of particles",
                fix="add label: EXPRESSION and classes: [NAME, ...] to the collections",
            )
        return _with_parts(bare, classes=True)
    if targets and {*targets} <= {*columns.particle_target_names} - {*columns.targets}:
        return _with_parts(bare, classes=False, targets=targets)
    chosen = dict(_named(text, columns) for text in targets)
    if len(chosen) < len(targets):
        raise InputError(
            "target", expected="different names", got=", ".join(targets), fix="name each once"
        )
    return _with_parts(bare.replace(targets=chosen), classes=False)


def _default(columns: Columns) -> list[str]:
    """What is learned where nobody says what."""
    if columns.class_names:
        return [LABEL]
    if columns.targets:
        return list(columns.targets)
    return [PARTICLE_LABEL] if columns.particle_class_names else list(columns.particle_target_names)


def _with_parts(columns: Columns, *, classes: bool, targets: Sequence[str] = ()) -> Columns:
    """The columns with the classes of particles or without, and some of their targets."""
    gone: dict[str, Any] = {} if classes else {"label": None, "classes": ()}
    parts = [
        replace(part, **gone, targets={name: part.targets[name] for name in targets})
        for part in columns.collections
    ]
    return columns.replace(collections=parts)


def _named(text: str, columns: Columns) -> tuple[str, str]:
    """Name and expression of a target of sets."""
    if text in columns.targets:
        return text, columns.targets[text]
    named = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*=(?!=)(.+)", text, re.DOTALL)
    if named:
        return named[1], named[2].strip()
    if re.fullmatch(r"[A-Za-z_]\w*", text):
        return text, text
    others = (*columns.targets, *columns.particle_target_names)
    raise InputError(
        "target",
        expected="the name of a column, or a name and an expression, as in log_pt=log(jet_pt)",
        got=repr(text),
        fix=f"write NAME={text}" + (f", or choose among {', '.join(others)}" if others else ""),
    )
