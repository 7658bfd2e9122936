"""The task that belongs to what is learned."""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor, nn

from hepml.data import Graph, ParticleSet, rows_of
from hepml.errors import DataError
from hepml.training._objective import Objective
from hepml.training.engine._checkpoint import CheckpointInfo
from hepml.training.engine._optimiser import Optimiser
from hepml.training.engine._task import Task
from hepml.training.tasks._classification import TaggingTask
from hepml.training.tasks._regression import RegressionTask


def make_task(
    objective: Objective,
    model: nn.Module,
    sample: ParticleSet | Graph | None,
    *,
    optimiser: Optimiser,
    mean_weight: float,
    class_weights: Float[Tensor, " classes"] | None,
    info: CheckpointInfo,
    partial: bool = False,
) -> Task:
    """The task of an objective, which the checkpoints describe.

    Parameters
    ----------
    objective
        What is learned.
    model
        The network.
    sample
        Sets to learn from; of their targets centre and scale are taken.
    optimiser, mean_weight, class_weights, info
        Those of the task.
    partial
        Whether particles may lack a target.
    """
    if objective.classifies:
        about = {"per": objective.per, "loss": objective.loss}
        return TaggingTask(
            model,
            len(objective.names),
            per=objective.per,
            optimiser=optimiser,
            mean_weight=mean_weight,
            class_weights=class_weights,
            info=replace(info, task=about),
        )
    assert objective.loss != "cross-entropy"
    assert sample is not None
    task = RegressionTask(
        model,
        objective.names,
        per=objective.per,
        loss=objective.loss,
        optimiser=optimiser,
        mean_weight=mean_weight,
        partial=partial,
        info=info,
    )
    wanted = rows_of(sample, objective.per).targets
    assert wanted is not None
    known = wanted[~wanted.isnan().any(1)]
    if not len(known):
        raise DataError(
            f"targets {', '.join(objective.names)}",
            expected=f"a number for some {objective.per}s",
            got=f"none among {len(wanted):,} that were looked at",
            fix="name other targets, or learn from other files",
        )
    task.standardise.fill(known)
    task.info = replace(
        info,
        task={
            "per": objective.per,
            "loss": objective.loss,
            "centre": task.standardise.centre.tolist(),
            "scale": task.standardise.scale.tolist(),
        },
    )
    return task
