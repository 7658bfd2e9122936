"""Dataclasses to and from plain values, for checkpoints and YAML."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from hepml.errors import InputError


def plain_of(value: Any) -> Any:
    """Dataclasses and mappings as dictionaries, tuples as lists; what is empty is left out."""
    if is_dataclass(value):
        entries = [(f, plain_of(getattr(value, f.name))) for f in fields(value)]
        # What is not so by default need not be said.
        said = [(f, each) for f, each in entries if each is not False or f.default is not False]
        return {f.name: each for f, each in said if each not in (None, {}, [])}
    if isinstance(value, Mapping):
        return {name: plain_of(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain_of(each) for each in value]
    return value


# Columns of 188 classes have about a thousand values.
_VALUES = 100_000


def check_size(value: Any, what: str) -> None:
    """Refuse values that hold themselves, or so many of each other that nothing could go through.

    Raises
    ------
    InputError
        If there are more than 100,000, those that are shared counted each time.
    """
    waiting = [value]
    for _ in range(_VALUES):
        if not waiting:
            return
        last = waiting.pop()
        if isinstance(last, Mapping):
            waiting.extend(last.values())
        elif isinstance(last, list | tuple):
            waiting.extend(last)
    raise InputError(
        what,
        expected=f"at most {_VALUES:,} values",
        got="more, or values that hold themselves",
        fix="write the columns with Columns.to_dict, or leave out what refers to itself",
    )


def numbers_as_text(value: Any) -> Any:
    """What YAML reads as numbers was meant as expressions."""
    if isinstance(value, Mapping):
        return {name: numbers_as_text(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [numbers_as_text(each) for each in value]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(value) if number else value


def known_keys(kind: type[Any], plain: Any) -> Mapping[str, Any]:
    """The mapping itself, if all of its keys are parameters."""
    names = [f.name for f in fields(kind)]
    if not isinstance(plain, Mapping) or not set(plain) <= set(names):
        raise InputError(
            kind.__name__,
            expected=f"a mapping with keys among {', '.join(names)}",
            got=f"{list(plain) if isinstance(plain, Mapping) else plain!r:.200}",
            fix="remove or rename the other keys",
        )
    return plain
