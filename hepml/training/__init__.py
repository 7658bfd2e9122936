"""Training: tasks, their data, runs, and checkpoints that execute nothing.

The names are imported when they are first used: loading a checkpoint does not wait for the training
engine.
"""

from typing import TYPE_CHECKING

from hepml.lazy import attach

if TYPE_CHECKING:
    from hepml.training._checkpoints import (
        Checkpoint,
        describe_model,
        load_checkpoint,
        read_info,
        save_checkpoint,
    )
    from hepml.training._data import ParticleData
    from hepml.training._dynamics_train import LearnedDynamics, load_dynamics, train_dynamics
    from hepml.training._earlier import renamed_options
    from hepml.training._hold_out import warn_of_training_files
    from hepml.training._inputs import choose_columns, example_batch
    from hepml.training._missing_targets import count_without_target, with_missing_targets
    from hepml.training._several import SeveralRuns, train_folds, train_seeds
    from hepml.training._train import TrainedRun, train
    from hepml.training.engine._checkpoint import CheckpointInfo
    from hepml.training.engine._folder import RunFolder, first_rank
    from hepml.training.tasks._classification import TaggingTask
    from hepml.training.tasks._dynamics import DynamicsTask
    from hepml.training.tasks._regression import RegressionTask, value_and_width

_MODULES = {
    "Checkpoint": "_checkpoints",
    "CheckpointInfo": "engine._checkpoint",
    "DynamicsTask": "tasks._dynamics",
    "LearnedDynamics": "_dynamics_train",
    "ParticleData": "_data",
    "RegressionTask": "tasks._regression",
    "RunFolder": "engine._folder",
    "SeveralRuns": "_several",
    "TaggingTask": "tasks._classification",
    "TrainedRun": "_train",
    "choose_columns": "_inputs",
    "count_without_target": "_missing_targets",
    "describe_model": "_checkpoints",
    "example_batch": "_inputs",
    "first_rank": "engine._folder",
    "load_checkpoint": "_checkpoints",
    "load_dynamics": "_dynamics_train",
    "read_info": "_checkpoints",
    "renamed_options": "_earlier",
    "save_checkpoint": "_checkpoints",
    "train": "_train",
    "train_dynamics": "_dynamics_train",
    "train_folds": "_several",
    "train_seeds": "_several",
    "value_and_width": "tasks._regression",
    "with_missing_targets": "_missing_targets",
    "warn_of_training_files": "_hold_out",
}
# Where names are that were here.
_MOVED = {
    "Discrimination": "hepml.evaluation",
    "Dynamics": "hepml.models",
    "DynamicsEvaluation": "hepml.evaluation",
    "Estimate": "hepml.evaluation",
    "Evaluation": "hepml.evaluation",
    "NETWORKS": "hepml.models.DYNAMICS",
    "Pair": "hepml.evaluation.Discriminant",
    "RocCurve": "hepml.evaluation",
    "accuracy": "hepml.evaluation",
    "confusion_figure": "hepml.evaluation",
    "confusion_matrix": "hepml.evaluation",
    "default_pairs": "hepml.evaluation",
    "energy_figure": "hepml.evaluation",
    "error_figure": "hepml.evaluation",
    "evaluate_dynamics": "hepml.evaluation",
    "evaluate_probabilities": "hepml.evaluation",
    "evaluate_scores": "hepml.evaluation",
    "phase_figure": "hepml.evaluation",
    "roc_curve": "hepml.evaluation",
    "roc_figure": "hepml.evaluation",
    "save_figure": "hepml.figures",
    "scores_figure": "hepml.evaluation",
    "trajectories_figure": "hepml.evaluation",
}

__all__ = [
    "Checkpoint",
    "CheckpointInfo",
    "DynamicsTask",
    "LearnedDynamics",
    "ParticleData",
    "RegressionTask",
    "RunFolder",
    "SeveralRuns",
    "TaggingTask",
    "TrainedRun",
    "choose_columns",
    "count_without_target",
    "describe_model",
    "example_batch",
    "first_rank",
    "load_checkpoint",
    "load_dynamics",
    "read_info",
    "renamed_options",
    "save_checkpoint",
    "train",
    "train_dynamics",
    "train_folds",
    "train_seeds",
    "value_and_width",
    "warn_of_training_files",
    "with_missing_targets",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, _MODULES, _MOVED)
