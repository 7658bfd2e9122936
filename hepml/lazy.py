"""Names of a package that are imported when they are first used."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def attach(
    package: str, modules: Mapping[str, str], moved: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions ``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Parameters
    ----------
    package
        Its ``__name__``.
    modules
        The module of each public name, without that of the package.
    moved
        The package, or the whole new name, of names that the package once had.

    Examples
    --------
    >>> get, names = attach("hepml.deploy", {"Tagger": "_tagger"}, {"compare": "hepml.evaluation"})
    >>> get("Tagger").__name__
    'Tagger'
    >>> get("compare")
    Traceback (most recent call last):
    AttributeError: hepml.deploy.compare is now hepml.evaluation.compare
    """

    def get(name: str) -> Any:
        if name in modules:
            value = getattr(import_module(f"{package}.{modules[name]}"), name)
            setattr(sys.modules[package], name, value)
            return value
        if moved and name in moved:
            place = moved[name]
            now = f"{place}.{name}" if find_spec(place) else place
            raise AttributeError(f"{package}.{name} is now {now}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return get, names
