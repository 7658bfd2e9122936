"""Arithmetic on columns: what a user may write where a branch name is expected."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hepml.errors import InputError
from hepml.io.expressions._arithmetic import NotComputable
from hepml.io.expressions._steps import Constant, Expression, Name, Reduce
from hepml.io.expressions._syntax import parse

# What names of branches are made of: "Jet/Jet.PT" and "Tower.Edges[4]" are no expressions.
_NAME = re.compile(r"[\w./:#\[\]]+")


def is_name(text: str) -> bool:
    """Whether a text looks like the name of a branch and no expression."""
    return _NAME.fullmatch(text) is not None


def check_text(text: object, what: str) -> None:
    """Refuse at once what could be neither a column nor an expression, whatever the file holds."""
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            what,
            expected="the name of a column or an expression of columns",
            got=f"{text!r:.200}",
            fix="write text such as 'part_px' or 'log(part_energy)'",
        )
    if not is_name(text):
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


def _no_sets(reduction: Reduce) -> Any:
    """Where there are no sets there is nothing to reduce over."""
    raise NotComputable(
        "an expression of each thing by itself",
        f"a reduction of {reduction.argument.text!r} over the particles of a set",
        "use reductions in features, momenta, cuts, labels, weights and context",
    )


def evaluate(
    expression: Expression,
    operand: Callable[[str], Any],
    reduced: Callable[[Reduce], Any] = _no_sets,
) -> Any:
    """Compute the expression; NaN and infinity are the caller's to find.

    Parameters
    ----------
    operand
        The numbers of a column.
    reduced
        The result of a reduction for each thing that the expression is computed of.

    Raises
    ------
    InputError
        If an operation has no meaning for the numbers in the columns.
    """
    stack: list[Any] = []
    try:
        with np.errstate(all="ignore"):
            for step in expression.steps:
                if isinstance(step, Name):
                    stack.append(operand(step.name))
                elif isinstance(step, Constant):
                    stack.append(step.value)
                elif isinstance(step, Reduce):
                    stack.append(reduced(step))
                else:
                    # No name keeps the operands, whose memory the next step can have.
                    stack[-step.arguments :] = [step.call(*stack[-step.arguments :])]
    except NotComputable as error:
        raise InputError(
            f"expression {expression.text!r}",
            expected=error.expected,
            got=error.got,
            fix=error.fix,
        ) from error
    return stack[0]
