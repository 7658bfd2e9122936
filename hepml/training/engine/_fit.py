"""The part of a run that needs Lightning: from a model and its options to checkpoints."""

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from torch import nn

from hepml.errors import DataError, FileError, InputError
from hepml.io import Columns
from hepml.training._data import ParticleData
from hepml.training._hold_out import hold_out, validates
from hepml.training.engine._callbacks import EpochCheckpoints, EpochTable, SeedEachEpoch
from hepml.training.engine._checkpoint import CheckpointInfo, checkpoint_info, read_checkpoint
from hepml.training.engine._folder import RunFolder, first_rank
from hepml.training.engine._progress import EpochBar
from hepml.training.engine._trainer import fit_from, interruptible, make_trainer, quiet_lightning
from hepml.training.tasks._classification import TaggingTask

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
    mean_weight = data.train_stream.mean_weight
    task = TaggingTask(
        model.double() if options["precision"] == "64" else model,
        len(columns.class_names),
        learning_rate=options["learning_rate"],
        weight_decay=options["weight_decay"],
        warmup=options["warmup"],
        mean_weight=mean_weight,
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
                # Resumed for more epochs, it is to be resumed with as many again.
                asked = {k: v for k, v in options.items() if k not in ("fingerprints", "trees")}
                folder.write_config(asked)
                if progress:
                    opening = _opening(task, columns, data, options, finished)
                    print(opening, file=sys.stderr, flush=True)
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
    # What is carried along for scores is not learned from.
    learned, validated = hold_out(columns.replace(observers={}), options)
    data = ParticleData(
        options["files"],
        (options["validation"] or options["files"]) if validates(options) else None,
        columns=learned,
        validation_columns=validated,
        batch_size=options["batch_size"],
        max_sets=options["max_sets"],
        max_validation_sets=options["max_validation_sets"],
        bad=options["bad"],
        workers=options["workers"],
        seed=options["seed"],
        shuffle_memory=options["shuffle_memory"],
    )
    validation = data.validation_stream
    # Else a whole epoch is learned before it is found.
    if validation is not None and not validation.holds_classes(2):
        cut = validated.cut
        raise DataError(
            "validation",
            expected="jets of at least two classes",
            got="jets of one class" + ("" if cut is None else f" that pass the cut {cut!r}"),
            fix="validate with files or with a cut that hold all classes",
        )
    # A batch is no larger than what there is: else there would be none.
    stream = data.train_stream
    stream.batch_size = max(min(stream.batch_size, stream.sets // devices), 1)
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
    folder.check_same(options, checkpoint_info(folder.last, content).run, may_grow="epochs")
    if type(content["epoch"]) is not int or content["epoch"] < 0:
        raise FileError(
            f"checkpoint {folder.last}",
            expected="the number of the epoch",
            got=f"{content['epoch']!r:.60}",
            fix="train again with --overwrite",
        )
    return content["epoch"] + 1


def _opening(
    task: TaggingTask,
    columns: Columns,
    data: ParticleData,
    options: Mapping[str, Any],
    finished: int,
) -> str:
    """What is going to be trained on what."""
    validated = data.validation_stream.sets if data.validation_stream is not None else 0
    batch, size = data.train_stream.batch_size, sum(p.numel() for p in task.parameters())
    parts = [
        f"{type(task.model).__name__} with {size:,} parameters",
        f"{data.train_stream.sets:,} jets to learn from, {validated:,} to validate with",
        _mixing(data, options["devices"]),
        f"classes {_few(columns.class_names)}",
        f"features {_few(columns.feature_names)}",
        f"context {_few(columns.context_names)}",
    ]
    if batch < options["batch_size"]:
        parts.append(f"batches of {batch:,}, not {options['batch_size']:,}: there are no more jets")
    if find_spec("tensorboard") is None:
        parts.append("TensorBoard is not installed: figures go to metrics.csv alone")
    if finished:
        parts.append(f"resumed after epoch {finished}")
    return "; ".join(parts)


def _mixing(data: ParticleData, devices: int) -> str:
    """How the jets to learn from are shuffled, and what that costs."""
    stream, workers = data.train_stream, max(data.workers, 1)
    readers = workers * devices
    pools = stream.mixing(workers, devices).pools
    sets = stream.sets // (readers * pools)
    if readers == pools == 1:
        text = "all shuffled together"
    else:
        text = f"{sets:,} at a time shuffled" + (f" by each of {readers}" if readers > 1 else "")
        text += f", in {stream.shuffle_memory:g} MB" if pools > 1 else ""
    reads = stream.reads(workers, devices)
    if reads > 1.5:
        text += (
            f" (each part of the files is read {reads:.1f} times: more shuffle_memory or fewer "
            "workers read faster)"
        )
    return text


def _few(names: Sequence[str], most: int = 16) -> str:
    """Names in a line, not all of them if there are many."""
    if len(names) > most:
        return f"{', '.join(names[:3])}, ... ({len(names)})"
    return ", ".join(names) or "none"
