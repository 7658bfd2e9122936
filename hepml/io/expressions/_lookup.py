"""Look-up tables: what ``lookup("name", x)`` gives for the numbers of a column."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hepml.errors import InputError
from hepml.io.expressions._arithmetic import is_floating, number
from hepml.io.expressions._conditions import choose

Tables = Mapping[str, Mapping[int | float, int | float]]


def check_tables(tables: Any, what: str) -> dict[str, dict[int | float, int | float]]:
    """A copy of look-up tables by name; what YAML and JSON made text of are numbers again.

    Raises
    ------
    InputError
        If they are no mappings from finite numbers to finite numbers.
    """
    if not isinstance(tables, Mapping) or not all(isinstance(name, str) for name in tables):
        raise _refused(what, f"{tables!r:.200}")
    checked: dict[str, dict[int | float, int | float]] = {}
    for name, table in tables.items():
        if not isinstance(table, Mapping) or not table:
            raise _refused(f"{what}[{name!r}]", f"{table!r:.200}")
        pairs = [(_number(x), _number(y)) for x, y in table.items()]
        wrong = [
            pair for pair, numbers in zip(table.items(), pairs, strict=True) if None in numbers
        ]
        if wrong:
            raise _refused(f"{what}[{name!r}]", f"{dict(wrong[:1])!r:.200}")
        checked[name] = {x: y for x, y in pairs if x is not None and y is not None}
        if len(checked[name]) < len(table):
            raise _refused(f"{what}[{name!r}]", "one number twice")
    return checked


def look_up(table: Mapping[int | float, int | float]) -> Callable[..., Any]:
    """The function that gives the value of a table for numbers, and a default where it has none.

    Without a default that is NaN, as it is for NaN with any default.
    """
    ordered = sorted(table)
    keys, values = np.array(ordered), np.array([table[key] for key in ordered])

    def compute(operand: Any, default: Any = math.nan) -> Any:
        floating = is_floating(operand)
        operand = np.asarray(operand if floating else number(operand))
        # In single precision 0.1 is another number, and a column of it has this one.
        own = keys.astype(operand.dtype) if floating else keys
        place = np.minimum(np.searchsorted(own, operand), len(own) - 1)
        found = own[place] == operand
        value = choose(found, values[place], default) if not found.all() else values[place]
        return np.where(np.isnan(operand), np.nan, value) if floating else value

    return compute


def _number(value: Any) -> int | float | None:
    """A finite number, or the text of one."""
    if isinstance(value, str):
        for kind in (int, float):
            try:
                value = kind(value)
                break
            except ValueError:
                continue
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 2**63 else None


def _refused(what: str, got: str) -> InputError:
    """The error of what is no table of numbers."""
    return InputError(
        what,
        expected="tables from finite numbers to finite numbers, by name",
        got=got,
        fix="write tables: {pid_class: {211: 1, -211: 1, 22: 2}}, and in an expression "
        "lookup('pid_class', part_pid, 0), with a value for all others or without one",
    )
