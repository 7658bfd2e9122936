"""Training: the learning task, its data, checkpoints that execute nothing, figures and plots.

The names are imported when they are first used: loading a checkpoint does not wait for the training
engine, nor training for the plots.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hepml.training._checkpoint import (
        Checkpoint,
        CheckpointInfo,
        load_checkpoint,
        save_checkpoint,
    )
    from hepml.training._data import ParticleData
    from hepml.training._discrimination import Discrimination
    from hepml.training._dynamics_evaluation import DynamicsEvaluation, evaluate_dynamics
    from hepml.training._dynamics_network import NETWORKS, Dynamics
    from hepml.training._dynamics_plots import (
        energy_figure,
        error_figure,
        phase_figure,
        trajectories_figure,
    )
    from hepml.training._dynamics_task import DynamicsTask
    from hepml.training._dynamics_train import LearnedDynamics, load_dynamics, train_dynamics
    from hepml.training._evaluation import (
        Evaluation,
        evaluate_probabilities,
        evaluate_scores,
    )
    from hepml.training._folder import RunFolder
    from hepml.training._metrics import Estimate, RocCurve, accuracy, confusion_matrix, roc_curve
    from hepml.training._pairs import Pair, default_pairs
    from hepml.training._plots import confusion_figure, roc_figure, save_figure, scores_figure
    from hepml.training._task import TaggingTask
    from hepml.training._train import TrainedRun, train

_MODULES = {
    "Checkpoint": "_checkpoint",
    "CheckpointInfo": "_checkpoint",
    "Discrimination": "_discrimination",
    "Dynamics": "_dynamics_network",
    "DynamicsEvaluation": "_dynamics_evaluation",
    "DynamicsTask": "_dynamics_task",
    "Estimate": "_metrics",
    "Evaluation": "_evaluation",
    "LearnedDynamics": "_dynamics_train",
    "NETWORKS": "_dynamics_network",
    "Pair": "_pairs",
    "ParticleData": "_data",
    "RocCurve": "_metrics",
    "RunFolder": "_folder",
    "TaggingTask": "_task",
    "TrainedRun": "_train",
    "accuracy": "_metrics",
    "confusion_figure": "_plots",
    "confusion_matrix": "_metrics",
    "default_pairs": "_pairs",
    "energy_figure": "_dynamics_plots",
    "error_figure": "_dynamics_plots",
    "evaluate_dynamics": "_dynamics_evaluation",
    "evaluate_probabilities": "_evaluation",
    "evaluate_scores": "_evaluation",
    "load_checkpoint": "_checkpoint",
    "load_dynamics": "_dynamics_train",
    "phase_figure": "_dynamics_plots",
    "roc_curve": "_metrics",
    "roc_figure": "_plots",
    "save_checkpoint": "_checkpoint",
    "save_figure": "_plots",
    "scores_figure": "_plots",
    "train": "_train",
    "train_dynamics": "_dynamics_train",
    "trajectories_figure": "_dynamics_plots",
}

__all__ = [
    "NETWORKS",
    "Checkpoint",
    "CheckpointInfo",
    "Discrimination",
    "Dynamics",
    "DynamicsEvaluation",
    "DynamicsTask",
    "Estimate",
    "Evaluation",
    "LearnedDynamics",
    "Pair",
    "ParticleData",
    "RocCurve",
    "RunFolder",
    "TaggingTask",
    "TrainedRun",
    "accuracy",
    "confusion_figure",
    "confusion_matrix",
    "default_pairs",
    "energy_figure",
    "error_figure",
    "evaluate_dynamics",
    "evaluate_probabilities",
    "evaluate_scores",
    "load_checkpoint",
    "load_dynamics",
    "phase_figure",
    "roc_curve",
    "roc_figure",
    "save_checkpoint",
    "save_figure",
    "scores_figure",
    "train",
    "train_dynamics",
    "trajectories_figure",
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
