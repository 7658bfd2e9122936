"""The part of a run that needs Lightning: from a model and its options to checkpoints."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from hepml.errors import FileError, InputError
from hepml.io import Columns
from hepml.training._callbacks import EpochCheckpoints, EpochTable, SeedEachEpoch
from hepml.training._checkpoint import CheckpointInfo, checkpoint_info, read_checkpoint
from hepml.training._data import ParticleData
from hepml.training._folder import RunFolder, first_rank
from hepml.training._progress import EpochBar
from hepml.training._task import TaggingTask
from hepml.training._trainer import fit_from, interruptible, make_trainer, quiet_lightning

# What Lightning needs to go on, beside the weights.
_STATE = ("epoch", "loops", "optimizer_states", "lr_schedulers", "callbacks")


def fit(
    model: nn.Module,
    info: CheckpointInfo,
    columns: Columns,
    folder: RunFolder,
    *,
    resume: bool,
    overwrite: bool,
    progress: bool,
) -> Mapping[str, int | float]:
    """Train a model with the options in `info.run`, and give the figures of the best epoch."""
    options = info.run
    data = _data(options, columns)
    task = TaggingTask(
        model.double() if options["precision"] == "64" else model,
        len(columns.class_names),
        learning_rate=options["learning_rate"],
        weight_decay=options["weight_decay"],
        warmup=options["warmup"],
        info=info,
    )
    checkpoints = EpochCheckpoints(folder.best, folder.last)
    callbacks = [
        SeedEachEpoch(options["seed"]),
        EpochTable(folder.metrics, show=progress),
        checkpoints,
        *([EpochBar()] if progress else []),
    ]
    with quiet_lightning():
        trainer = make_trainer(options, callbacks)
        with folder.alone(), interruptible(folder, options["network"]):
            last = folder.last if resume and folder.last.exists() else None
            finished = 0 if last is None else _finished_epochs(folder, options)
            if first_rank():
                if overwrite:
                    folder.remove()
                elif not resume:
                    # Another run may have begun since this one was asked for.
                    folder.check_free()
                if resume and last is None and progress:
                    text = f"nothing to resume in {folder.path}: begins anew"
                    print(text, file=sys.stderr, flush=True)
                if last is None:
                    folder.write_config(options)
                if progress:
                    print(_opening(task, columns, data, finished), file=sys.stderr, flush=True)
            fit_from(last, finished, trainer, task, data)
    return checkpoints.best


def _data(options: Mapping[str, Any], columns: Columns) -> ParticleData:
    """The files, all of which are opened here, seen to go with the options."""
    devices = options["devices"]
    if devices > 1 and options["bad"] == "drop":
        raise InputError(
            "bad",
            expected="'error' with several devices, which must have equally many batches",
            got=f"'drop' with {devices} devices",
            fix="use one device, or files without bad jets",
        )
    data = ParticleData(
        options["files"],
        options["validation"] or None,
        # What is carried along for scores is not learned from.
        columns=columns.replace(observers={}),
        batch_size=options["batch_size"],
        max_sets=options["max_jets"],
        max_validation_sets=options["max_validation_jets"],
        bad=options["bad"],
        workers=options["workers"],
        seed=options["seed"],
        shuffle_memory=options["shuffle_memory"],
    )
    jets = data.train_stream.sets // devices
    if jets < options["batch_size"]:
        each = "" if devices == 1 else " on each device"
        raise InputError(
            "batch_size",
            expected=f"at most {jets}, the number of jets to learn from{each}",
            got=str(options["batch_size"]),
            fix="lower it, or give more jets",
        )
    return data


def _finished_epochs(folder: RunFolder, options: Mapping[str, Any]) -> int:
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
    folder.check_same(options, checkpoint_info(folder.last, content).run)
    if type(content["epoch"]) is not int or content["epoch"] < 0:
        raise FileError(
            f"checkpoint {folder.last}",
            expected="the number of the epoch",
            got=f"{content['epoch']!r:.60}",
            fix="train again with --overwrite",
        )
    return content["epoch"] + 1


def _opening(task: TaggingTask, columns: Columns, data: ParticleData, finished: int) -> str:
    """What is going to be trained on what."""
    validated = data.validation_stream.sets if data.validation_stream is not None else 0
    return (
        f"{type(task.model).__name__} with {sum(p.numel() for p in task.parameters()):,} "
        f"parameters; {data.train_stream.sets:,} jets to learn from, {validated:,} to validate "
        f"with; {_mixing(data)}; classes {_few(columns.class_names)}; "
        f"features {_few(columns.feature_names)}; context {_few(columns.context_names)}"
        + (f"; resumed after epoch {finished}" if finished else "")
    )


def _mixing(data: ParticleData) -> str:
    """How the jets to learn from are shuffled, and what that costs."""
    stream, workers = data.train_stream, max(data.workers, 1)
    share = stream.sets // (workers * stream.world[1])
    pools = stream.mixing(workers).pools
    text = "all shuffled together" if workers == 1 else f"all of each of {workers} workers shuffled"
    if pools > 1:
        each = "" if workers == 1 else f" by each of {workers} workers"
        text = f"{share // pools:,} at a time{each} shuffled, in {stream.shuffle_memory:g} MB"
    reads = stream.reads(workers)
    if reads > 1.5:
        text += f" (each part of the files is read {reads:.1f} times: "
        text += "a larger shuffle_memory or fewer workers read faster)"
    return text


def _few(names: Sequence[str], most: int = 16) -> str:
    """Names in a line, not all of them if there are many."""
    if len(names) > most:
        return f"{', '.join(names[:3])}, ... ({len(names)})"
    return ", ".join(names) or "none"
