"""Arithmetic on columns: what a user may write where a branch name is expected."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from hepml.errors import InputError
from hepml.io._arithmetic import NotComputable
from hepml.io._syntax import Constant, Name, Step, steps_of

# What names of branches are made of: "Jet/Jet.PT" and "Tower.Edges[4]" are no expressions.
_NAME = re.compile(r"[\w./:#\[\]]+")


class Expression(NamedTuple):
    """A parsed expression: the names of columns in it, and the steps that compute it.

    The steps are those of a stack. Nothing of the text is ever executed, which may come from a
    stranger's checkpoint.
    """

    text: str
    names: tuple[str, ...]
    steps: tuple[Step, ...]


def check_text(text: object, what: str) -> None:
    """Refuse at once what could be neither a column nor an expression, whatever the file holds."""
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            what,
            expected="the name of a column or an expression of columns",
            got=f"{text!r:.200}",
            fix="write text such as 'part_px' or 'log(part_energy)'",
        )
    if not _NAME.fullmatch(text):
        parse(text, ())


def check_name(name: object, what: str) -> None:
    """Refuse what cannot name a feature, a class or a number of each set."""
    if not isinstance(name, str) or not name.strip():
        raise InputError(what, expected="text", got=f"{name!r:.200}", fix="write it in quotes")


def check_texts(mapping: Mapping[str, str], what: str) -> dict[str, str]:
    """A copy of a mapping from names to expressions, each of them checked."""
    if not isinstance(mapping, Mapping):
        raise InputError(
            what,
            expected="a mapping from names to expressions",
            got=f"{mapping!r:.200}",
            fix="write {'name': 'expression'}",
        )
    for name, text in mapping.items():
        check_name(name, f"a name in {what}")
        check_text(text, f"{what}[{name!r}]")
    return dict(mapping)


def parse(text: str, known: Collection[str]) -> Expression:
    """Parse an expression over the known names of columns.

    Raises
    ------
    InputError
        If the text is neither a known name nor arithmetic on names, numbers and functions.
    """
    if text in known:
        return Expression(text, (text,), (Name(text),))
    steps = steps_of(text, known)
    names = dict.fromkeys(step.name for step in steps if isinstance(step, Name))
    return Expression(text, tuple(names), steps)


def evaluate(expression: Expression, operand: Callable[[str], Any]) -> Any:
    """Compute the expression; NaN and infinity are the caller's to find.

    Raises
    ------
    InputError
        If an operation has no meaning for the numbers in the columns.
    """
    stack: list[Any] = []
    with np.errstate(all="ignore"):
        for step in expression.steps:
            if isinstance(step, Name):
                stack.append(operand(step.name))
            elif isinstance(step, Constant):
                stack.append(step.value)
            else:
                arguments = stack[-step.arguments :]
                del stack[-step.arguments :]
                try:
                    stack.append(step.call(*arguments))
                except NotComputable as error:
                    raise InputError(
                        f"expression {expression.text!r}",
                        expected=error.expected,
                        got=error.got,
                        fix=error.fix,
                    ) from error
    return stack[0]
