"""Learning dynamics, from a file of trajectories to a folder with checkpoints."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import nn
from torch.utils.data import DataLoader

from hepml.data import Trajectories
from hepml.errors import FileError, InputError
from hepml.io import read_trajectories
from hepml.models import DYNAMICS, network_arguments
from hepml.solvers import SOLVERS
from hepml.training._checkpoints import load_checkpoint
from hepml.training.engine._checkpoint import CheckpointInfo, read_checkpoint
from hepml.training.engine._folder import RunFolder, first_rank

# What of the origin of trajectories decides about their motion.
_SYSTEM = ("system", "constants")
# States, when the loss of the test trajectories is computed.
_TESTED_TOGETHER = 10_000


class DynamicsFolder(RunFolder):
    """The files that a run of ``hepml dynamics train`` writes."""

    def resume_with(self, network: str) -> str:  # noqa: ARG002
        """What goes on with a run."""
        return f"hepml dynamics train --config {self.config} --resume"


@dataclass(frozen=True)
class LearnedDynamics:
    """A finished run: where its files are, the network of the last epoch, and the best figures."""

    folder: DynamicsFolder
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
    schedule: Literal["constant", "one-cycle"] = "constant",
    precision: Literal["32", "64"] = "32",
    accelerator: str = "auto",
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> LearnedDynamics:
    """Train a network of dynamics; what ``hepml dynamics train`` does.

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
    loss, states, solver, horizon, learning_rate, weight_decay, schedule
        See :class:`DynamicsTask`.
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
    folder = DynamicsFolder(Path(output))
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
        "precision": precision,
        "accelerator": accelerator,
        "seed": seed,
    }
    _check(options)
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
    from hepml.training.tasks._dynamics import DynamicsTask

    task = DynamicsTask(
        model,
        learning,
        testing,
        loss=loss,
        states=states,
        solver=SOLVERS[solver](),
        horizon=horizon,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        schedule=schedule,
        info=info,
    )
    figures = _fit(task, options, folder, resume=resume, overwrite=overwrite, progress=progress)
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
    path = DynamicsFolder(path).best if path.is_dir() else path
    name = read_checkpoint(path)["hepml"].get("model")
    if not isinstance(name, str) or name not in DYNAMICS:
        raise FileError(
            f"checkpoint {path}",
            expected=f"a network of dynamics: {', '.join(DYNAMICS)}",
            got=f"{name!r:.200}",
            fix="pass a checkpoint of `hepml dynamics train`",
        )
    model, _, info = load_checkpoint(path, model=DYNAMICS[name])
    if info.run.get("precision") == "64":
        # Once more: the weights of the first time went through float32.
        model = model.double()
        weights = read_checkpoint(path)["state_dict"]
        prefix = "model."
        model.load_state_dict(
            {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
        )
    return DynamicsCheckpoint(model, info)


def _said(value: Any) -> str:
    """A name, or constants with their values."""
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} = {number}" for name, number in value.items()) or "none"


def _fit(
    task: Any,
    options: Mapping[str, Any],
    folder: DynamicsFolder,
    *,
    resume: bool,
    overwrite: bool,
    progress: bool,
) -> Mapping[str, int | float]:
    """The part that needs Lightning; gives the figures of the best epoch."""
    from hepml.training.engine._callbacks import EpochCheckpoints, EpochTable, SeedEachEpoch
    from hepml.training.engine._fit import _finished_epochs
    from hepml.training.engine._progress import EpochBar
    from hepml.training.engine._trainer import (
        fit_from,
        interruptible,
        make_trainer,
        quiet_lightning,
    )
    from hepml.training.tasks._dynamics import StateBatches

    # The error at noisy states does not tell a good H from a blurred one: then the last is taken.
    figure = "val_loss" if options["states"] == "observed" else "none"
    checkpoints = EpochCheckpoints(folder.best, folder.last, figure=figure, falling=True)
    callbacks = [
        SeedEachEpoch(options["seed"]),
        EpochTable(folder.metrics, show=progress, unit="states"),
        checkpoints,
        *([EpochBar("states")] if progress else []),
    ]
    with quiet_lightning():
        trainer = make_trainer({**options, "devices": 1, "validation": True}, callbacks)
        with folder.alone(), interruptible(folder, options["network"]):
            last = folder.last if resume and folder.last.exists() else None
            known = {**options, "learned_from": task.info.run["learned_from"]}
            finished = 0 if last is None else _finished_epochs(folder, known)
            if overwrite:
                folder.remove()
            elif not resume:
                folder.check_free()
            if last is None:
                folder.write_config({k: v for k, v in options.items() if v is not None})
            if progress:
                parameters = sum(p.numel() for p in task.model.parameters())
                print(
                    f"{options['network']} with {parameters:,} parameters; {task.starts:,} states "
                    f"to learn from, {len(task.test_q):,} to test with",
                    file=sys.stderr,
                    flush=True,
                )
            batches = StateBatches(
                task.starts,
                options["batch_size"],
                options["steps"],
                options["seed"],
                lambda: trainer.current_epoch,
            )
            tests: Any = torch.arange(len(task.test_q)).split(  # type: ignore[no-untyped-call]
                _TESTED_TOGETHER
            )
            fit_from(last, finished, trainer, task, batches, DataLoader(tests, batch_size=None))
    return checkpoints.best


def _check(options: Mapping[str, Any]) -> None:
    """Refuse numbers and names that make no sense, before anything is read."""
    least = {"epochs": 1, "steps": 1, "batch_size": 1, "horizon": 1, "widths": 1, "seed": 0}
    for name, limit in least.items():
        given = options[name]
        if min(given if name == "widths" else [given], default=limit) < limit:
            raise InputError(name, expected=f"at least {limit}", got=str(given), fix="raise it")
    if not 0 < options["learning_rate"] < float("inf") or options["weight_decay"] < 0:
        raise InputError(
            "learning_rate and weight_decay",
            expected="a positive number, and one that is not negative",
            got=f"{options['learning_rate']} and {options['weight_decay']}",
            fix="change them",
        )
    choices = {
        "network": list(DYNAMICS),
        "solver": list(SOLVERS),
        "loss": ["derivatives", "rollout"],
        "states": ["observed", "fitted"],
        "schedule": ["constant", "one-cycle"],
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
