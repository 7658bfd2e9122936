"""Options of runs as earlier versions wrote them, and as they are compared with those of today."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

_NAMES = {"max_jets": "max_sets", "max_validation_jets": "max_validation_sets"}


def renamed_options(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Options of :func:`train` under the names that they have now.

    Parameters
    ----------
    plain
        Options by name, such as those of a ``config.yaml``: in 0.1, ``max_sets`` was ``max_jets``.
        What is given under both names stays, for the reader to refuse.
    """
    return {
        name if _NAMES.get(name) in plain else _NAMES.get(name, name): value
        for name, value in plain.items()
    }


def comparable(options: Mapping[str, Any], network: type) -> dict[str, Any]:
    """The options of a run, the arguments of its network with those that were left to defaults.

    A run that was begun in Python, or before the network had an argument, lacks some.
    """
    options, given = renamed_options(options), options.get("model", {})
    if not isinstance(given, Mapping):
        return options
    defaults = {
        name: parameter.default
        for name, parameter in signature(network).parameters.items()
        if parameter.default is not parameter.empty
    }
    return options | {"model": plain_lists({**defaults, **given})}


def plain_lists(value: Any) -> Any:
    """Tuples as lists, as they come back from YAML."""
    if isinstance(value, Mapping):
        return {name: plain_lists(entry) for name, entry in value.items()}
    return [plain_lists(entry) for entry in value] if isinstance(value, list | tuple) else value
