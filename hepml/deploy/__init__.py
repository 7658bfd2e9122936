"""Deployment: taggers inside an analysis, over files, and beside each other.

The names are imported when they are first used: a tagger inside an analysis does not wait for the
plots.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hepml.deploy._compare import compare
    from hepml.deploy._predict import Prediction, predict
    from hepml.deploy._report import comparison_table, write_report
    from hepml.deploy._result import Result
    from hepml.deploy._tagger import Tagger

_MODULES = {
    "Prediction": "_predict",
    "Result": "_result",
    "Tagger": "_tagger",
    "compare": "_compare",
    "comparison_table": "_report",
    "predict": "_predict",
    "write_report": "_report",
}

__all__ = [
    "Prediction",
    "Result",
    "Tagger",
    "compare",
    "comparison_table",
    "predict",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
