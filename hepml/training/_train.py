"""A training run, from files to a folder with checkpoints."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from hepml.errors import InputError
from hepml.io import SHUFFLE_MEMORY, Columns, Files, locate
from hepml.models import MODELS, find_network, is_importable
from hepml.training._checkpoints import describe_model
from hepml.training._class_weights import (
    ClassWeights,
    class_weight_words,
    class_weights_of,
)
from hepml.training._earlier import comparable, plain_lists
from hepml.training._hold_out import fingerprints, trees, validates
from hepml.training._inputs import (
    build_model,
    check_numbers,
    choose_columns,
    complete_arguments,
    try_model,
)
from hepml.training._missing_targets import (
    MissingTarget,
    count_without_target,
    share_without,
    with_missing_targets,
)
from hepml.training._objective import Loss, objective_of
from hepml.training._pretrained import (
    frozen_patterns,
    network_and_arguments,
    open_pretrained,
    slower_factors,
    take_weights,
)
from hepml.training._standardising import (
    Standardisation,
    check_standardisation,
    sample_of,
    standardise_inputs,
)
from hepml.training.engine._folder import RunFolder, first_rank
from hepml.training.engine._layers import Layers
from hepml.training.engine._optimiser import Method, Optimiser, Schedule
from hepml.training.engine._options import RunOptions


@dataclass(frozen=True)
class TrainedRun:
    """A finished run: where its files are, the network, and the figures that it reached.

    Parameters
    ----------
    folder
        Where its files are.
    columns
        What it read.
    model
        The network, with the weights of the last epoch.
    figures
        Loss and validation figures of the best epoch, and its number under ``epoch``.
    """

    folder: RunFolder
    columns: Columns
    model: nn.Module
    figures: Mapping[str, int | float]


def train(
    network: str | type[nn.Module] | None,
    files: Files,
    *,
    output: str | Path,
    model: Mapping[str, Any] | None = None,
    pretrained: str | Path | None = None,
    freeze: str | Sequence[str] = (),
    slower: Mapping[str, float] | Sequence[str] = (),
    validation: Files = (),
    validation_fraction: float | None = None,
    validation_cut: str | None = None,
    columns: Columns | Mapping[str, Any] | str | Path | None = None,
    features: str | Sequence[str] = "all",
    context: str | Sequence[str] = "all",
    target: str | Sequence[str] = (),
    loss: Loss | None = None,
    missing_target: MissingTarget = "error",
    max_sets: int | None = None,
    max_validation_sets: int | None = None,
    bad: Literal["error", "drop"] = "error",
    standardise: Standardisation = "robust",
    class_weights: ClassWeights = (),
    reweight: str | Sequence[str] = (),
    reweight_to: str = "flat",
    reweight_by: Literal["sampling", "loss"] = "sampling",
    reweight_bins: Sequence[str | int | Sequence[int | float]] = (),
    epochs: int = 10,
    batch_size: int = 128,
    learning_rate: float | Literal["find"] = 1e-3,
    weight_decay: float = 0.01,
    warmup: float = 0.3,
    optimiser: Method = "adamw",
    schedule: Schedule = "one-cycle",
    patience: int | None = None,
    clip_gradient: float | None = None,
    accumulate: int = 1,
    ema: float | None = None,
    loggers: str | Sequence[str] = ("tensorboard",),
    precision: Literal["32", "bf16-mixed", "64"] = "32",
    accelerator: str = "auto",
    devices: int = 1,
    workers: int = 0,
    shuffle_memory: int | float = SHUFFLE_MEMORY,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> TrainedRun:
    """Train a network to tell classes or to predict numbers; what ``hepml train`` does.

    Parameters
    ----------
    network
        A name in :data:`hepml.models.MODELS`, or a class of your own, or its name
        ``"package.module:Class"``, with the keyword arguments `outputs` and `features`, and
        `context` if it reads numbers of each set, that maps a :class:`~hepml.data.ParticleSet` to
        logits. None is that of `pretrained`.
    files, validation
        The files to learn from, and to validate with after each epoch: names, patterns,
        ``file.root:tree``.
    output
        The folder of the run.
    model
        The arguments of the network; `outputs`, `features` and `context` come from the columns.
    pretrained
        A checkpoint, or the folder of a run, whose network, arguments and weights this run begins
        with; where other classes or targets are learned, the layer of the outputs begins anew.
    freeze, slower
        Layers, by name or pattern, whose weights stay as they are, or "all-but-head"; and factors
        of the learning rate of others, ``{"deep_sets.phi": 0.1}``.
    validation_fraction, validation_cut
        Without validation files: validate with this fraction of the entries of `files`, or with the
        sets that pass this expression (``"entry % 5 == 0"``), and do not learn from them.
    columns
        Columns, their plain values, the name of a preset, or a YAML file; by default those of the
        layout that the first file is recognised to have.
    features, context
        ``"all"``, ``"none"``, or names of the columns' features, and of their numbers of each set.
    target, loss
        What is predicted: by default the classes of the columns; names of their targets, or
        expressions with a name, as in ``"log_pt=log(jet_pt)"``; ``"particle_label"``, the classes
        of particles. The loss of targets: "mse" (the default), "huber", or "gaussian".
    missing_target
        Whether a set or particle whose target is NaN is an error or left out, of loss and figures,
        which the start of the run says.
    max_sets, max_validation_sets
        So many sets only, drawn evenly over the files and the places in each file.
    bad
        Whether jets that cannot be (NaN momenta, ...) are an error or dropped.
    standardise
        "robust": features and context are read in units of their spread around their median, from
        a sample of `files`, see :func:`hepml.nn.centre_and_scale`. "none": as they are.
    class_weights
        "balanced": the loss counts all classes alike; or numbers by class, ``{"top": 2}``.
    reweight, reweight_to, reweight_by, reweight_bins
        One expression of sets, or two, in which the sets of each class get a "flat" spectrum or
        that of a class, by "sampling" or in the "loss"; see :func:`hepml.io.reweighting`.
    epochs, batch_size
        How often all jets are seen; how many at a time on each device.
    learning_rate, weight_decay, warmup, optimiser, schedule
        See :class:`Optimiser`. The learning rate "find" is the one at which the loss falls fastest
        while it rises from 1e-6 to 1 within 150 steps, which the network then forgets.
    patience, clip_gradient, accumulate, ema, loggers, precision, accelerator, devices
        See :class:`RunOptions`.
    workers
        Processes that read; 0 reads in the process that learns.
    shuffle_memory
        How many megabytes of jets are held on each device to be shuffled; see
        :class:`~hepml.io.BatchStream`.
    seed
        Decides the first weights, the order of the data and what the network draws.
    resume
        Go on after the last finished epoch of the run in `output`, or begin if there is none. All
        options must be those of the run, but `epochs` may be larger: the learning rate then is that
        of the longer run's cycle at the step reached.
    overwrite
        Remove the run in `output` first.
    progress
        Show a bar and a line for each epoch, on standard error.

    Raises
    ------
    InputError
        If an option makes no sense; also if a run is resumed with other options than it began with.
    FileError
        If a file cannot be read, or if `output` holds a run and neither `resume` nor `overwrite`.
    DataError
        If learning diverges; the checkpoints of the epochs before stay.

    Notes
    -----
    Nothing is written before files, columns and network have been tried together. On the CPU, a run
    that was killed and resumed ends with the same weights, bit for bit, as one that was not.
    """
    if resume and overwrite:
        raise InputError(
            "resume", expected="resume or overwrite", got="both", fix="choose one of them"
        )
    folder = RunFolder(Path(output))
    if first_rank() and not (resume or overwrite):
        folder.check_free()
    paths, validation_paths = _listed(files), _listed(validation)
    locate(paths)
    if validation_paths:
        locate(validation_paths)
    layout = choose_columns(columns, "all", paths, target=target)
    chosen = choose_columns(layout, features, paths, context)
    objective = objective_of(chosen, loss)
    opened = None
    if pretrained is not None:
        goes_on = resume and folder.last.exists()
        opened = open_pretrained(folder.last if goes_on else pretrained)
        kind, given = network_and_arguments(opened, network, model or {})
    elif network is not None:
        kind, given = find_network(network), dict(model or {})
    else:
        raise InputError(
            "network",
            expected=f"one of {', '.join(MODELS)}, or a checkpoint to begin with",
            got="none",
            fix="name a network, or give pretrained",
        )
    arguments = complete_arguments(kind, given, chosen, objective)
    info = describe_model(kind, arguments, chosen)
    learned = with_missing_targets(chosen, missing_target)
    factors = slower_factors(slower)
    options = {
        "network": info.model,
        "model": plain_lists(given),
        "pretrained": None if pretrained is None else str(pretrained),
        "freeze": _texts(freeze),
        "slower": [f"{name}={factor}" for name, factor in factors.items()],
        "files": paths,
        "validation": validation_paths,
        "validation_fraction": validation_fraction,
        "validation_cut": validation_cut,
        "output": str(output),
        "columns": layout.to_dict(),
        "features": _joined(features),
        "context": _joined(context),
        "target": _texts(target),
        "loss": loss,
        "missing_target": missing_target,
        "max_sets": max_sets,
        "max_validation_sets": max_validation_sets,
        "bad": bad,
        "standardise": standardise,
        "class_weights": class_weight_words(class_weights),
        "reweight": _texts(reweight),
        "reweight_to": reweight_to,
        "reweight_by": reweight_by,
        "reweight_bins": [*map(_bins_word, reweight_bins)],
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "warmup": warmup,
        "optimiser": optimiser,
        "schedule": schedule,
        "patience": patience,
        "clip_gradient": clip_gradient,
        "accumulate": accumulate,
        "ema": ema,
        "loggers": _texts(loggers),
        "precision": precision,
        "accelerator": accelerator,
        "devices": devices,
        "workers": workers,
        "shuffle_memory": shuffle_memory,
        "seed": seed,
    }
    check_numbers(options)
    check_standardisation(standardise)
    searches = learning_rate == "find"
    run_options = RunOptions.among(options | {"find_learning_rate": searches})
    rate = 1e-3 if learning_rate == "find" else learning_rate
    changing = Optimiser(rate, weight_decay, optimiser, schedule, warmup)
    torch.manual_seed(seed)
    built = build_model(kind, info.arguments)
    taken = None
    if opened is not None:
        taken = take_weights(built, opened, info.arguments, chosen, objective)
    layers = Layers(frozen_patterns(options["freeze"], kind, info.arguments, built), factors)
    layers.freeze(built)
    for path in [*paths[:1], *validation_paths[:1]]:
        try_model(built, path, learned, bad, objective)

    # Lightning takes longer to import than a mistyped name to be found.
    from hepml.training._data import open_data
    from hepml.training._opening import opening
    from hepml.training._tasks import make_task
    from hepml.training.engine._fit import fit

    known = {"fingerprints": fingerprints(paths), "trees": trees(paths, chosen.tree)}
    data = open_data(options, learned)
    # A run that goes on finds centre and scale in its checkpoint.
    begins = standardise == "robust" and opened is None
    begins = begins and not (resume and folder.last.exists())
    sample = None
    if begins or not objective.classifies:
        sample = sample_of(paths, data.train_stream.columns)
    standardised = standardise_inputs(built, sample) if begins and sample is not None else 0
    weights = class_weights_of(
        options["class_weights"],
        objective.names if objective.classifies else (),
        data.train_stream.class_totals,
    )
    task = make_task(
        objective,
        built.double() if precision == "64" else built,
        sample,
        optimiser=changing,
        mean_weight=data.train_stream.mean_weight,
        class_weights=weights,
        info=replace(info, run=options | known),
        partial=learned.partial_targets,
    )
    task.layers = layers
    figures = fit(
        task,
        data,
        run_options,
        replace(folder, again=_again(info.model, folder)),
        config=options,
        opening=lambda finished: opening(
            built,
            chosen,
            data,
            batch_size=batch_size,
            devices=devices,
            finished=finished,
            standardised=standardised,
            taken=taken,
            without=count_without_target(chosen, learned, paths),
            share=0.0 if sample is None else share_without(sample, objective.per),
            per=objective.per,
        ),
        validates=validates(options),
        compared=partial(comparable, network=kind),
        resume=resume,
        overwrite=overwrite,
        progress=progress,
    )
    return TrainedRun(folder, chosen, built, figures)


def _again(network: str, folder: RunFolder) -> str:
    """What goes on with a run: a class that no other process finds is not named in a command."""
    if is_importable(network):
        return folder.again
    name = network.rpartition(":")[2].rpartition(".")[2]
    return f"train({name}, ..., output={str(folder.path)!r}, resume=True)"


def _listed(files: Files) -> list[str]:
    """One name or several as a list of text."""
    return [os.fspath(f) for f in ([files] if isinstance(files, str | os.PathLike) else files)]


def _texts(names: str | Sequence[str]) -> list[str]:
    """One name or several as a list."""
    return [names] if isinstance(names, str) else list(names)


def _joined(names: str | Sequence[str]) -> str:
    """Names in a line, as the command line takes them."""
    return names if isinstance(names, str) else ",".join(names) or "none"


def _bins_word(bins: str | int | Sequence[int | float]) -> str:
    """A number of bins, or their edges, as the command line takes them."""
    return str(bins) if isinstance(bins, str | int) else ",".join(map(str, bins))
