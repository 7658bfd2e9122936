"""Evaluation: what networks reach, as numbers with uncertainties, tables and figures.

The names are imported when they are first used: numbers do not wait for the plots.
"""

from typing import TYPE_CHECKING

from hepml.lazy import attach

if TYPE_CHECKING:
    from hepml.evaluation._estimate import Estimate
    from hepml.evaluation.classification._compare import compare
    from hepml.evaluation.classification._discriminants import Discriminant, default_discriminants
    from hepml.evaluation.classification._discrimination import Discrimination
    from hepml.evaluation.classification._evaluation import (
        Evaluation,
        evaluate_probabilities,
        evaluate_scores,
    )
    from hepml.evaluation.classification._experiment import experiment_label
    from hepml.evaluation.classification._metrics import (
        RocCurve,
        accuracy,
        confusion_matrix,
        roc_curve,
    )
    from hepml.evaluation.classification._plots import confusion_figure, roc_figure, scores_figure
    from hepml.evaluation.classification._report import check_report, comparison_table, write_report
    from hepml.evaluation.classification._result import Result
    from hepml.evaluation.dynamics._evaluation import DynamicsEvaluation, evaluate_dynamics
    from hepml.evaluation.dynamics._plots import (
        energy_figure,
        error_figure,
        phase_figure,
        trajectories_figure,
    )
    from hepml.evaluation.regression._evaluation import Regression, evaluate_regression
    from hepml.evaluation.regression._plots import pull_figure, residual_figure, truth_figure
    from hepml.evaluation.regression._report import regression_table, write_regression

_MODULES = {
    "Discriminant": "classification._discriminants",
    "Discrimination": "classification._discrimination",
    "DynamicsEvaluation": "dynamics._evaluation",
    "Estimate": "_estimate",
    "Evaluation": "classification._evaluation",
    "Regression": "regression._evaluation",
    "Result": "classification._result",
    "RocCurve": "classification._metrics",
    "accuracy": "classification._metrics",
    "check_report": "classification._report",
    "compare": "classification._compare",
    "comparison_table": "classification._report",
    "confusion_figure": "classification._plots",
    "confusion_matrix": "classification._metrics",
    "default_discriminants": "classification._discriminants",
    "energy_figure": "dynamics._plots",
    "error_figure": "dynamics._plots",
    "evaluate_dynamics": "dynamics._evaluation",
    "evaluate_probabilities": "classification._evaluation",
    "evaluate_regression": "regression._evaluation",
    "evaluate_scores": "classification._evaluation",
    "experiment_label": "classification._experiment",
    "phase_figure": "dynamics._plots",
    "pull_figure": "regression._plots",
    "regression_table": "regression._report",
    "residual_figure": "regression._plots",
    "roc_curve": "classification._metrics",
    "roc_figure": "classification._plots",
    "scores_figure": "classification._plots",
    "trajectories_figure": "dynamics._plots",
    "truth_figure": "regression._plots",
    "write_regression": "regression._report",
    "write_report": "classification._report",
}

__all__ = [
    "Discriminant",
    "Discrimination",
    "DynamicsEvaluation",
    "Estimate",
    "Evaluation",
    "Regression",
    "Result",
    "RocCurve",
    "accuracy",
    "check_report",
    "compare",
    "comparison_table",
    "confusion_figure",
    "confusion_matrix",
    "default_discriminants",
    "energy_figure",
    "error_figure",
    "evaluate_dynamics",
    "evaluate_probabilities",
    "evaluate_regression",
    "evaluate_scores",
    "experiment_label",
    "phase_figure",
    "pull_figure",
    "regression_table",
    "residual_figure",
    "roc_curve",
    "roc_figure",
    "scores_figure",
    "trajectories_figure",
    "truth_figure",
    "write_regression",
    "write_report",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, _MODULES)
