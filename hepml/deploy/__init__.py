"""Deployment: taggers inside an analysis, and over files.

The names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from hepml.lazy import attach

if TYPE_CHECKING:
    from hepml.deploy._predict import Prediction, predict
    from hepml.deploy._tagger import Tagger

_MODULES = {
    "Prediction": "_predict",
    "Tagger": "_tagger",
    "predict": "_predict",
}
# Where names are that were here.
_MOVED = {
    "Result": "hepml.evaluation",
    "compare": "hepml.evaluation",
    "comparison_table": "hepml.evaluation",
    "write_report": "hepml.evaluation",
}

__all__ = [
    "Prediction",
    "Tagger",
    "predict",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, _MODULES, _MOVED)
