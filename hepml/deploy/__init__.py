"""Deployment: taggers inside an analysis, over files, and beside each other."""

from hepml.deploy._compare import Result, compare
from hepml.deploy._predict import Prediction, predict
from hepml.deploy._report import comparison_table, write_report
from hepml.deploy._tagger import Tagger

__all__ = [
    "Prediction",
    "Result",
    "Tagger",
    "compare",
    "comparison_table",
    "predict",
    "write_report",
]
