"""A run: from a task, its data and options to checkpoints and figures."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule

from hepml.errors import FileError, InputError
from hepml.training.engine._average import MovingAverage
from hepml.training.engine._callbacks import EpochCheckpoints, EpochTable, SeedEachEpoch
from hepml.training.engine._checkpoint import checkpoint_info, read_checkpoint
from hepml.training.engine._curves import write_curves
from hepml.training.engine._folder import RunFolder, first_rank
from hepml.training.engine._learning_rate import (
    learning_rate_curve,
    write_learning_rate_curve,
)
from hepml.training.engine._loggers import check_loggers, run_loggers
from hepml.training.engine._options import RunOptions
from hepml.training.engine._progress import EpochBar
from hepml.training.engine._task import Task
from hepml.training.engine._trainer import fit_from, interruptible, make_trainer, quiet_lightning

# Under what a run keeps the learning rate that was found for it.
_FOUND = "found_learning_rate"
# What Lightning needs to go on, beside the weights.
_STATE = ("epoch", "loops", "optimizer_states", "lr_schedulers", "callbacks")


def fit(
    task: Task,
    data: LightningDataModule,
    options: RunOptions,
    folder: RunFolder,
    *,
    config: Mapping[str, Any],
    opening: Callable[[int], str],
    validates: bool = True,
    compared: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Mapping[str, int | float]:
    """Learn, and give the figures of the best epoch.

    Parameters
    ----------
    task
        What is learned; ``task.info.run`` holds all on which the result depends.
    data
        The batches.
    options
        How it is run.
    folder
        Where it is written.
    config
        What the folder's file of options shall say.
    opening
        The line with which a run begins, given the number of epochs that it has behind it.
    validates
        Whether the data hold anything to validate with.
    compared
        What makes options of one run that mean the same equal to those of another.
    resume, overwrite
        Go on with, or remove, the run in the folder.
    progress
        Show a bar and a line for each epoch, on standard error.

    Raises
    ------
    InputError
        If a run is resumed with other options than it began with, devices are not there, or it
        shall wait for a better epoch and no figure says which is better.
    FileError
        If the folder cannot be written, holds another run, or a checkpoint that cannot go on.
    DataError
        If learning diverges.
    """
    assert task.info is not None
    if task.decides is None or not validates:
        _require_no_figure(task, options)
    check_loggers(options.loggers)
    average = None if options.ema is None else MovingAverage(options.ema)
    checkpoints = EpochCheckpoints(
        folder.best, folder.last, average=average, patience=options.patience
    )
    table = EpochTable(folder.metrics, show=progress)
    callbacks = [
        SeedEachEpoch(options.seed),
        *([average] if average else []),
        table,
        checkpoints,
        *([EpochBar()] if progress else []),
    ]
    with quiet_lightning():
        trainer = make_trainer(options, callbacks, validates=validates)
        with folder.alone(), interruptible(folder):
            last = folder.last if resume and folder.last.exists() else None
            finished = 0 if last is None else _finished_epochs(folder, task.info.run, compared)
            if first_rank():
                if overwrite:
                    folder.remove()
                elif not resume:
                    # Another run may have begun since this one was asked for.
                    folder.check_free()
                # Resumed for more epochs, it is to be resumed with as many again.
                folder.write_config(config)
                if progress:
                    if resume and last is None:
                        _say(f"nothing to resume in {folder.path}: begins anew")
                    _say(opening(finished))
            # Not before: what an earlier run has left in the folder is gone by now.
            trainer.loggers = run_loggers(options.loggers, folder)
            if options.find_learning_rate:
                _search(task, data, options, folder, last, progress=progress)
            for logger in trainer.loggers:
                logger.log_hyperparams(dict(config))
            fit_from(last, finished, trainer, task, data)
            if first_rank():
                names = [figure.name for figure in task.figures]
                best = checkpoints.best.get("epoch")
                write_curves(table.rows, names, None if best is None else int(best), folder.curves)
            if checkpoints.stopped and progress and first_rank():
                _say(f"stopped: no epoch was better than {checkpoints.best['epoch']}")
    return checkpoints.best


def _search(
    task: Task,
    data: LightningDataModule,
    options: RunOptions,
    folder: RunFolder,
    last: Path | None,
    *,
    progress: bool,
) -> None:
    """Give the task the learning rate that it bears, or that with which the run began."""
    assert task.info is not None
    if last is not None:
        found = float(checkpoint_info(last, read_checkpoint(last)).run[_FOUND])
    else:
        curve = learning_rate_curve(task, data, options)
        found = curve.suggestion
        if first_rank():
            write_learning_rate_curve(curve, found, folder.learning_rate)
            if progress:
                _say(
                    f"learning rate {found:g}, from {len(curve.rates)} steps: see "
                    f"{folder.learning_rate}"
                )
    task.optimiser = replace(task.optimiser, learning_rate=found)
    task.info = replace(task.info, run={**task.info.run, _FOUND: found})


def _require_no_figure(task: Task, options: RunOptions) -> None:
    """Refuse what waits for a better figure where none is computed."""
    asking = {
        "patience": options.patience is not None,
        "schedule": task.optimiser.schedule == "plateau",
    }
    for name in (name for name, asks in asking.items() if asks):
        raise InputError(
            name,
            expected="a run that validates, if it waits for a better epoch",
            got="one in which no figure says which epoch is the best",
            fix=f"validate, or leave {name} out",
        )


def _say(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


def _finished_epochs(
    folder: RunFolder,
    run: Mapping[str, Any],
    compared: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> int:
    """How far the run in the folder went, which must have had the same options."""
    content = read_checkpoint(folder.last)
    missing = [name for name in _STATE if name not in content]
    if missing:
        raise FileError(
            f"checkpoint {folder.last}",
            expected="the state of a run, to be resumed",
            got=f"weights without {', '.join(missing)}",
            fix="train again with --overwrite",
        )
    # What a run that is older than an option did.
    before = {
        each.name: list(each.default) if isinstance(each.default, tuple) else each.default
        for each in fields(RunOptions)
    }
    saved = {**before, **checkpoint_info(folder.last, content).run}
    folder.check_same(compared(run), compared(saved), may_grow="epochs")
    if type(content["epoch"]) is not int or content["epoch"] < 0:
        raise FileError(
            f"checkpoint {folder.last}",
            expected="the number of the epoch",
            got=f"{content['epoch']!r:.60}",
            fix="train again with --overwrite",
        )
    return content["epoch"] + 1
