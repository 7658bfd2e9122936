"""Taggers on the same files: what each reaches, and how fast."""

import csv
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from hepml.data import ParticleSet
from hepml.deploy import Tagger
from hepml.errors import InputError
from hepml.evaluation import Discriminant, evaluate_probabilities, evaluate_scores
from hepml.evaluation.classification._jets import JetKinematics
from hepml.evaluation.classification._result import Result, Sample
from hepml.io import Chunk, Columns, EvenSample, Files, count_entries, iterate
from hepml.training import RunFolder, warn_of_training_files

# What the weights of the columns give way to, beside an expression.
UNWEIGHTED = "none"


def compare(
    taggers: Sequence[Tagger | str | os.PathLike[str]],
    files: Files,
    *,
    columns: Columns | None = None,
    pairs: Sequence[Discriminant] | None = None,
    names: Sequence[str] = (),
    weights: str | None = None,
    scores: Mapping[str, str] | None = None,
    max_sets: int | None = None,
    bad: Literal["error", "drop"] = "error",
    replicas: int = 100,
    seed: int = 0,
    device: torch.device | str = "auto",
    batch_size: int = 128,
    progress: bool = False,
) -> list[Result]:
    """Evaluate taggers, and scores that the files hold, on the jets of some files.

    Parameters
    ----------
    taggers
        Taggers, checkpoints or folders of runs; `device` and `batch_size` are for the latter.
    files
        As in :func:`hepml.io.read`; they need labels.
    columns
        How to read these files, if not as each tagger was trained. They need the classes of the
        taggers and their features, of which each tagger gets its own.
    pairs
        Which classes to tell from which; by default as :func:`default_discriminants`.
    names
        What tables and figures call the taggers, in their order; by default their networks, with
        the folder of the run where networks repeat.
    weights
        An expression for the weight of each jet in place of that of the columns; ``"none"`` for
        none.
    scores
        Names and expressions of scores of others that the files hold, one number for each jet that
        is larger for signal. They are read with the columns, or with those of the first tagger.
    max_sets
        Evaluate so many jets only, drawn evenly over the files and the places in each file.
    bad
        What to do with jets that cannot be used: "error" raises, "drop" leaves them out.
    replicas, seed
        Of the bootstrap, as in :func:`hepml.evaluation.evaluate_probabilities`.
    progress
        Whether to show a progress bar, on a terminal.

    Raises
    ------
    InputError
        If there is nothing to evaluate, if a tagger has no columns and none are given, if features
        or classes of columns and tagger differ, if names are not as many as taggers or not
        different, or if no pair has both signal and background in the files.
    FileError, ColumnError, DataError
        If a checkpoint or file cannot be read, or lacks columns.
    """
    loaded = [
        tagger
        if isinstance(tagger, Tagger)
        else Tagger.load(Path(tagger), device=device, batch_size=batch_size)
        for tagger in taggers
    ]
    for tagger in loaded:
        _check_classifies_sets(tagger)
    scores = dict(scores or {})
    if not loaded and not scores:
        raise InputError(
            "taggers", expected="one or more", got="none", fix="name a checkpoint (*.ckpt)"
        )
    if max_sets is not None and max_sets < 1:
        raise InputError(
            "max_sets", expected="at least 1", got=str(max_sets), fix="leave it out for all jets"
        )
    called = _checked_names(names, loaded, scores)
    found: dict[str, Any] = {"pairs": pairs, "replicas": replicas, "seed": seed}
    results = []
    for tagger, name in zip(loaded, called, strict=True):
        read = _weighted(_columns_for(tagger, columns), weights)
        warn_of_training_files(tagger.run or {}, files, read.tree)
        values, sample, seconds = _scored(
            partial(_probabilities, tagger), name, read, files, max_sets, bad, progress
        )
        results.append(
            Result(
                name,
                type(tagger.model).__name__,
                sum(p.numel() for p in tagger.model.parameters() if p.requires_grad),
                evaluate_probabilities(
                    values, sample.labels, tagger.class_names, weights=sample.weights, **found
                ),
                len(values) / seconds,
                sample,
                probabilities=values,
                origin=_origin(tagger),
                epochs=_epochs(tagger),
            )
        )
    for name, expression in scores.items():
        read = _columns_of_score(loaded, columns, expression)
        values, sample, seconds = _scored(
            _score, name, _weighted(read, weights), files, max_sets, bad, progress
        )
        results.append(
            Result(
                name,
                expression,
                None,
                evaluate_scores(
                    values, sample.labels, read.class_names, weights=sample.weights, **found
                ),
                len(values) / seconds,
                sample,
                scores=values,
            )
        )
    return results


def _probabilities(tagger: Tagger, chunk: Chunk) -> Any:
    """What a tagger gives for the jets of a chunk."""
    return tagger.probabilities(chunk.particles).numpy()


def _score(chunk: Chunk) -> Any:
    """The number that the file holds for each jet, in all its digits."""
    return np.asarray(chunk.observers["score"][chunk.rows], np.float64)


def _checked_names(
    names: Sequence[str], taggers: Sequence[Tagger], scores: Mapping[str, str]
) -> list[str]:
    """The name of each tagger, none of them twice."""
    if names and len(names) != len(taggers):
        raise InputError(
            "names",
            expected=f"{len(taggers)}, one for each tagger",
            got=f"{len(names)}: {', '.join(names)}",
            fix="give a name for each checkpoint, in their order",
        )
    called = list(names) or _names(taggers)
    twice = [name for name, count in Counter([*called, *scores]).items() if count > 1]
    if twice:
        raise InputError(
            "names",
            expected="different names",
            got=f"{twice[0]!r} for several",
            fix="give other names: --names, or another name of the score",
        )
    return called


def _weighted(columns: Columns, weights: str | None) -> Columns:
    """The columns with the weights asked for."""
    if weights is None:
        return columns
    return columns.replace(weights=None if weights == UNWEIGHTED else weights)


def _columns_of_score(
    taggers: Sequence[Tagger], columns: Columns | None, expression: str
) -> Columns:
    """Columns that read labels and one score."""
    base = columns
    if base is None and taggers:
        base = taggers[0].columns
    if base is None or not base.class_names:
        raise InputError(
            f"score {expression!r}",
            expected="columns with the classes of the jets",
            got="none" if base is None else "columns without classes",
            fix="give columns (--columns), or a tagger whose columns read these files",
        )
    return base.with_features(()).replace(context={}, observers={"score": expression})


def _origin(tagger: Tagger) -> dict[str, Any]:
    """Where a tagger is from."""
    if tagger.checkpoint is None:
        return {}
    training = {k: tagger.run[k] for k in ("seed", "files", "epochs") if k in tagger.run}
    return {"checkpoint": str(tagger.checkpoint), "training": training}


def _epochs(tagger: Tagger) -> dict[str, list[float]]:
    """The table of the epochs of the run that a checkpoint lies in; empty without."""
    if tagger.checkpoint is None:
        return {}
    try:
        with open(RunFolder(tagger.checkpoint.parent.parent).metrics, newline="") as file:
            rows = list(csv.DictReader(file))
        return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else ())}
    except (OSError, ValueError, TypeError, csv.Error):
        # A table that is not there, or was cut short, is no part of what is measured.
        return {}


def _place(checkpoint: Path | None) -> Path:
    """The folder of the run for its best checkpoint, else the checkpoint without its ending."""
    if checkpoint is None:
        return Path()
    run = RunFolder(checkpoint.parent.parent)
    if checkpoint == run.best:
        return run.path
    return checkpoint.with_suffix("") if checkpoint.suffix == ".ckpt" else checkpoint


def _names(taggers: Sequence[Tagger]) -> list[str]:
    """The name of the model, followed by the end of its path where models repeat."""
    count = Counter(tagger.name for tagger in taggers)
    places = [_place(tagger.checkpoint) for tagger in taggers]
    names = []
    for number, (tagger, place) in enumerate(zip(taggers, places, strict=True)):
        if count[tagger.name] == 1:
            names.append(tagger.name)
            continue
        parts = place.parts
        others = [other.parts for i, other in enumerate(places) if i != number]
        end = next(
            (n for n in range(1, len(parts) + 1) if all(o[-n:] != parts[-n:] for o in others)), 0
        )
        where = "/".join(parts[-end:]) if end else str(number + 1)
        names.append(f"{tagger.name} ({where})")
    return names


def _check_classifies_sets(tagger: Tagger) -> None:
    """Refuse networks of which there are no scores of sets."""
    if not tagger.classifies or tagger.answers.per != "set":
        what = "tells classes" if tagger.classifies else "predicts numbers"
        raise InputError(
            f"tagger {tagger.name}",
            expected="a network that tells classes of sets",
            got=f"one that {what} of {tagger.answers.per}s",
            fix="its figures are in metrics.csv of its run; predict writes what it says"
            if tagger.classifies
            else "evaluate_regression measures it",
        )


def _columns_for(tagger: Tagger, columns: Columns | None) -> Columns:
    """The columns to read with, checked against the tagger."""
    columns = tagger.columns if columns is None else columns
    if columns is not None and set(tagger.feature_names) <= set(columns.feature_names):
        columns = columns.with_features(tagger.feature_names)
    if columns is not None and set(tagger.context_names) <= set(columns.context_names):
        columns = columns.with_context(tagger.context_names)
    expected = (tagger.feature_names, tagger.class_names, tagger.context_names)
    found = (
        None
        if columns is None
        else (columns.feature_names, columns.class_names, columns.context_names)
    )
    if columns is None or found != expected:
        raise InputError(
            f"columns for {tagger.name}",
            expected=_described(*expected),
            got="no columns" if found is None else _described(*found),
            fix="give columns with those that the tagger was trained on",
        )
    return columns


def _described(features: Sequence[str], classes: Sequence[str], context: Sequence[str]) -> str:
    """The names of what columns hold, in a line."""
    text = f"features ({', '.join(features)}) and classes ({', '.join(classes)})"
    return text + (f" and context ({', '.join(context)})" if context else "")


def _scored(
    score: Callable[[Chunk], Any],
    name: str,
    columns: Columns,
    files: Files,
    max_sets: int | None,
    bad: Literal["error", "drop"],
    progress: bool,
) -> tuple[Any, Sample, float]:
    """What a function gives for the jets of the files, these jets, and seconds."""
    sample = None if max_sets is None else EvenSample(files, columns, sets=max_sets, bad=bad)
    scores, labels, weights, kinematics = [], [], [], []
    dropped: Counter[str] = Counter()
    read = 0
    seconds = 0.0
    with tqdm(
        total=sum(count_entries(files, columns)) if sample is None else sample.entries,
        desc=name,
        unit="entry",
        unit_scale=True,
        disable=None if progress else True,
        leave=False,
        dynamic_ncols=True,
    ) as bar:
        start = time.perf_counter()
        for chunk in iterate(files, columns, bad=bad) if sample is None else sample.chunks():
            particles: ParticleSet = chunk.particles
            scores.append(score(chunk))
            seconds += time.perf_counter() - start
            # The columns have classes, so there are labels.
            labels.append(cast(Tensor, particles.labels))
            if particles.weights is not None:
                weights.append(particles.weights)
            kinematics.append(JetKinematics.of(particles))
            dropped.update(chunk.dropped)
            read += chunk.total
            bar.update(chunk.stop - chunk.start)
            start = time.perf_counter()
    evaluated = Sample(
        torch.cat(labels).numpy(),
        torch.cat(weights).numpy() if weights else None,
        JetKinematics.joined(kinematics),
        read,
        columns.cut,
        columns.weights,
        dict(dropped),
        None if sample is None else sample.among,
    )
    return np.concatenate(scores), evaluated, seconds
