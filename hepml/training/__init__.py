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
    from hepml.training._evaluation import Discrimination, Evaluation, evaluate_probabilities
    from hepml.training._folder import RunFolder
    from hepml.training._metrics import Estimate, RocCurve, accuracy, confusion_matrix, roc_curve
    from hepml.training._pairs import Pair, default_pairs
    from hepml.training._plots import confusion_figure, roc_figure, save_figure, scores_figure
    from hepml.training._task import TaggingTask
    from hepml.training._train import TrainedRun, train

_MODULES = {
    "Checkpoint": "_checkpoint",
    "CheckpointInfo": "_checkpoint",
    "Discrimination": "_evaluation",
    "Estimate": "_metrics",
    "Evaluation": "_evaluation",
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
    "evaluate_probabilities": "_evaluation",
    "load_checkpoint": "_checkpoint",
    "roc_curve": "_metrics",
    "roc_figure": "_plots",
    "save_checkpoint": "_checkpoint",
    "save_figure": "_plots",
    "scores_figure": "_plots",
    "train": "_train",
}

__all__ = [
    "Checkpoint",
    "CheckpointInfo",
    "Discrimination",
    "Estimate",
    "Evaluation",
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
    "evaluate_probabilities",
    "load_checkpoint",
    "roc_curve",
    "roc_figure",
    "save_checkpoint",
    "save_figure",
    "scores_figure",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
