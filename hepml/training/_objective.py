"""What is learned, as the columns and a loss say it: how many outputs, of what."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from hepml.data import Per
from hepml.errors import InputError
from hepml.io import Columns

Loss = Literal["cross-entropy", "mse", "huber", "gaussian"]
# What stands for the classes of the columns among the names of targets.
_LABELS: dict[str, Per] = {
    "label": "set",
    "particle_label": "particle",
    "node_label": "node",
    "edge_label": "edge",
}


@dataclass(frozen=True)
class Objective:
    """What a network predicts.

    Parameters
    ----------
    per
        What it gives a row of outputs for: "set", "particle", "node" or "edge".
    names
        Of the classes, or of the targets.
    loss
        "cross-entropy" of classes; or "mse", "huber", "gaussian" of targets.
    """

    per: Per
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
    """What columns name to be learned: classes before targets, sets before what they hold.

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
    found = _learnable(columns)
    per, names, classes = found[0] if found else ("set", (), True)
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
        Names of the columns' targets, of sets, of particles or nodes, or of edges; expressions of
        sets, as in ``log_pt=log(jet_pt)``, of which a name of a branch needs no other; or "label",
        the classes of sets, "particle_label", "node_label" or "edge_label". Nothing means the
        classes of sets or, where there are none, what the columns name first as targets or as
        classes of what sets hold.

    Raises
    ------
    InputError
        If a name means nothing, or if they are of different things.
    """
    targets = list(targets)
    if not targets:
        found = _learnable(columns)
        per, names, classes = found[0] if found else ("set", (), False)
        return _only(columns, per, () if classes else names, classes=classes)
    if len(targets) == 1 and targets[0] in _LABELS and targets[0] not in columns.targets:
        per = _LABELS[targets[0]]
        _check_label(columns, targets[0], per)
        return _only(columns, per, classes=True)
    for per in columns.levels[1:]:
        if {*targets} <= {*columns.target_names_of(per)} - {*columns.targets}:
            return _only(columns, per, targets)
    chosen = dict(_named(text, columns) for text in targets)
    if len(chosen) < len(targets):
        raise InputError(
            "target", expected="different names", got=", ".join(targets), fix="name each once"
        )
    return _only(columns.replace(targets=chosen), "set", chosen)


def _learnable(columns: Columns) -> list[tuple[Per, tuple[str, ...], bool]]:
    """What columns name to be learned, of what, and whether these are classes."""
    found: list[tuple[Per, tuple[str, ...], bool]] = [
        (per, names, classes)
        for per in columns.levels
        for names, classes in (
            (columns.class_names_of(per), True),
            (columns.target_names_of(per), False),
        )
    ]
    return [each for each in found if each[1]]


def _check_label(columns: Columns, word: str, per: Per) -> None:
    """Refuse the classes of what the columns have none of."""
    known = [name for name, each in _LABELS.items() if each in columns.levels]
    if word not in known:
        raise InputError(
            "target",
            expected=f"{' or '.join(known)}, as the columns have {'' if columns.edges else 'no '}"
            "edges",
            got=repr(word),
            fix="choose one of them"
            if columns.edges
            else "add edges to the columns, such as edges: {way: all pairs}",
        )
    if per != "set" and not columns.class_names_of(per):
        where = "edges" if per == "edge" else "collections"
        raise InputError(
            "target",
            expected=f"columns with a label and classes of the {where}",
            got=f"{word!r}, and no classes of {per}s",
            fix=f"add label: EXPRESSION and classes: [NAME, ...] to the {where}",
        )


def _only(
    columns: Columns, per: Per, targets: Iterable[str] = (), *, classes: bool = False
) -> Columns:
    """The columns with the classes of sets, particles, nodes or edges, or some of their targets."""
    targets = tuple(targets)

    def left(value: Any, own: bool) -> dict[str, Any]:
        gone: dict[str, Any] = {} if own and classes else {"label": None, "classes": ()}
        return gone | {"targets": {n: value.targets[n] for n in targets} if own else {}}

    of_sets = left(columns, per == "set")
    return columns.replace(
        **of_sets | ({"class_files": {}} if "label" in of_sets else {}),
        collections=[
            replace(part, **left(part, per in ("particle", "node"))) for part in columns.collections
        ],
        edges=[replace(each, **left(each, per == "edge")) for each in columns.edges],
    )


def _named(text: str, columns: Columns) -> tuple[str, str]:
    """Name and expression of a target of sets."""
    if text in columns.targets:
        return text, columns.targets[text]
    named = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*=(?!=)(.+)", text, re.DOTALL)
    if named:
        return named[1], named[2].strip()
    if re.fullmatch(r"[A-Za-z_]\w*", text):
        return text, text
    others = [name for per in columns.levels for name in columns.target_names_of(per)]
    raise InputError(
        "target",
        expected="the name of a column, or a name and an expression, as in log_pt=log(jet_pt)",
        got=repr(text),
        fix=f"write NAME={text}" + (f", or choose among {', '.join(others)}" if others else ""),
    )
