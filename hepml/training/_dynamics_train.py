"""Learning dynamics, from a file of trajectories to a folder with checkpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from hepml.data import Trajectories
from hepml.errors import FileError, InputError
from hepml.io import read_trajectories
from hepml.models import DYNAMICS, network_arguments
from hepml.solvers import SOLVERS
from hepml.training._checkpoints import OpenCheckpoint
from hepml.training.engine._checkpoint import CheckpointInfo
from hepml.training.engine._folder import RunFolder, first_rank
from hepml.training.engine._optimiser import Method, Optimiser, Schedule
from hepml.training.engine._options import RunOptions, require_at_least

# What of the origin of trajectories decides about their motion.
_SYSTEM = ("system", "constants")
_AGAIN = "hepml train --config {config} --resume"
# The part of one cycle in which the learning rate rises.
_WARMUP = 0.1


@dataclass(frozen=True)
class LearnedDynamics:
    """A finished run: where its files are, the network of the last epoch, and the best figures."""

    folder: RunFolder
    model: nn.Module
    figures: Mapping[str, int | float]


class DynamicsCheckpoint(NamedTuple):
    """A network of dynamics as it was trained, and what its checkpoint says."""

    model: nn.Module
    info: CheckpointInfo

    def require_system(self, trajectories: Trajectories) -> None:
        """Refuse trajectories of another system than the one that the network has learned.

        Raises
        ------
        InputError
            If both are known, and name or constants differ.
        """
        learned, about = self.info.run.get("learned_from") or {}, trajectories.about
        for name in _SYSTEM:
            if name in learned and name in about and learned[name] != about[name]:
                raise InputError(
                    "trajectories",
                    expected=f"the {name} that the network has learned, {_said(learned[name])}",
                    got=_said(about[name]),
                    fix="train a network on such trajectories, or generate those of its system",
                )


def train_dynamics(
    network: str,
    trajectories: str | Path | Trajectories,
    *,
    output: str | Path,
    widths: Sequence[int] = (),
    activation: Literal["tanh", "softplus", "silu"] | None = None,
    loss: Literal["derivatives", "rollout"] = "derivatives",
    states: Literal["observed", "fitted"] = "observed",
    solver: str = "rk4",
    horizon: int = 5,
    epochs: int = 10,
    steps: int = 200,
    batch_size: int = 200,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    schedule: Schedule = "constant",
    optimiser: Method = "adam",
    patience: int | None = None,
    clip_gradient: float | None = None,
    accumulate: int = 1,
    ema: float | None = None,
    precision: Literal["32", "64"] = "32",
    accelerator: str = "auto",
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> LearnedDynamics:
    """Train a network of dynamics; what ``hepml train`` does with its name.

    Parameters
    ----------
    network
        A name in :data:`DYNAMICS`.
    trajectories
        A file of :func:`hepml.io.write_trajectories`, or what is in one. The last of them are kept
        for testing.
    output
        The folder of the run.
    widths, activation
        Of the network; its own if left out.
    loss, states, solver, horizon
        See :class:`DynamicsTask`.
    learning_rate, weight_decay, schedule
        Those of the optimiser: see :class:`Optimiser`; cycles rise during a tenth of the steps.
    optimiser
        "adam", "adamw", "sgd" or "radam-lookahead".
    patience, clip_gradient, accumulate, ema
        See :class:`RunOptions`.
    epochs, steps, batch_size
        How many epochs, each of how many batches of how many states. A batch that could hold all
        states holds each of them once.
    precision
        "32" or "64".
    accelerator
        Lightning's: "auto", "cpu", "gpu", ...
    seed
        Decides the first weights and the batches.
    resume, overwrite
        Go on with, or remove, the run in `output`.
    progress
        Show a bar and a line for each epoch, on standard error.

    Raises
    ------
    InputError
        If an option makes no sense, or a run is resumed with other options than it began with.
    FileError
        If the file cannot be read, or if `output` holds a run.
    DataError
        If learning diverges; the checkpoints of the epochs before stay.
    """
    if resume and overwrite:
        raise InputError(
            "resume", expected="resume or overwrite", got="both", fix="choose one of them"
        )
    folder = RunFolder(Path(output), _AGAIN)
    if first_rank() and not (resume or overwrite):
        folder.check_free()
    options = {
        "network": network,
        "trajectories": None if isinstance(trajectories, Trajectories) else str(trajectories),
        "output": str(output),
        "widths": list(widths),
        "activation": activation,
        "loss": loss,
        "states": states,
        "solver": solver,
        "horizon": horizon,
        "epochs": epochs,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "optimiser": optimiser,
        "patience": patience,
        "clip_gradient": clip_gradient,
        "accumulate": accumulate,
        "ema": ema,
        "precision": precision,
        "accelerator": accelerator,
        "seed": seed,
    }
    _check(options)
    run_options = RunOptions.among(options)
    changing = Optimiser(learning_rate, weight_decay, optimiser, schedule, _WARMUP)
    data = (
        trajectories if isinstance(trajectories, Trajectories) else read_trajectories(trajectories)
    )
    data = data.to(dtype=torch.float64 if precision == "64" else torch.float32)
    learning, testing = data.split()
    bodies, space = data.q.shape[2:]
    arguments = network_arguments(network, bodies, space, widths, activation)
    torch.manual_seed(seed)
    model = DYNAMICS[network](**arguments).to(data.q.dtype)
    learned_from = {name: data.about[name] for name in _SYSTEM if name in data.about}
    info = CheckpointInfo(network, arguments, run={**options, "learned_from": learned_from})

    # Lightning takes longer to import than a mistyped name to be found.
    from hepml.training.engine._fit import fit
    from hepml.training.tasks._dynamics import DynamicsTask, StateData

    task = DynamicsTask(
        model,
        learning,
        testing,
        loss=loss,
        states=states,
        solver=SOLVERS[solver](),
        horizon=horizon,
        optimiser=changing,
        info=info,
    )
    tested = len(task.test_q)
    parameters = sum(p.numel() for p in model.parameters())
    figures = fit(
        task,
        StateData(task.starts, tested, batch_size=batch_size, steps=steps, seed=seed),
        run_options,
        folder,
        config={name: value for name, value in options.items() if value is not None},
        opening=lambda finished: (
            f"{network} with {parameters:,} parameters; {task.starts:,} states to learn from, "
            f"{tested:,} to test with" + (f"; resumed after epoch {finished}" if finished else "")
        ),
        resume=resume,
        overwrite=overwrite,
        progress=progress,
    )
    return LearnedDynamics(folder, model, figures)


def load_dynamics(path: str | Path) -> DynamicsCheckpoint:
    """The network of a checkpoint, or of the best epoch in the folder of a run.

    Raises
    ------
    FileError
        As :func:`load_checkpoint`; also if its network is none of dynamics.

    Notes
    -----
    Nothing in the file is executed. Weights are float32, or float64 where it was trained so.
    """
    path = Path(path)
    path = RunFolder(path).best if path.is_dir() else path
    opened = OpenCheckpoint.read(path)
    name = opened.info.model
    if name not in DYNAMICS:
        raise FileError(
            f"checkpoint {path}",
            expected=f"a network of dynamics: {', '.join(DYNAMICS)}",
            got=f"{name!r:.200}",
            fix="pass a checkpoint of `hepml train` with one of these",
        )
    dtype = torch.float64 if opened.info.run.get("precision") == "64" else torch.float32
    model, info = opened.build(DYNAMICS[name], dtype), opened.info
    return DynamicsCheckpoint(model, info)


def _said(value: Any) -> str:
    """A name, or constants with their values."""
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} = {number}" for name, number in value.items()) or "none"


def _check(options: Mapping[str, Any]) -> None:
    """Refuse numbers and names that make no sense, before anything is read."""
    least = {"steps": 1, "batch_size": 1, "horizon": 1, "widths": 1}
    narrowest = min(options["widths"], default=None)
    require_at_least({**options, "widths": narrowest}, least)
    choices = {
        "network": list(DYNAMICS),
        "solver": list(SOLVERS),
        "loss": ["derivatives", "rollout"],
        "states": ["observed", "fitted"],
        "precision": ["32", "64"],
    }
    for name, allowed in choices.items():
        if options[name] not in allowed:
            raise InputError(
                name,
                expected=f"one of {', '.join(allowed)}",
                got=repr(options[name]),
                fix="choose one of them",
            )
