"""Taggers on the same files: what each reaches, and how fast."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from jaxtyping import Int64

from hepml.data import Per
from hepml.deploy import Tagger
from hepml.errors import InputError
from hepml.evaluation import Discriminant, evaluate_probabilities, evaluate_scores
from hepml.evaluation._sample import Sample, scored
from hepml.evaluation._taggers import (
    checked_names,
    columns_for,
    epochs_of,
    origin_of,
    weighted,
)
from hepml.evaluation.classification._result import Result
from hepml.io import Chunk, Columns, Files
from hepml.training import warn_of_training_files


def compare(
    taggers: Tagger | str | os.PathLike[str] | Sequence[Tagger | str | os.PathLike[str]],
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

    Networks that tell classes of particles, nodes or edges are evaluated on those of the jets.

    Parameters
    ----------
    taggers
        Taggers, checkpoints or folders of runs, or one alone; `device` and `batch_size` are for the
        latter. All tell classes of the same: of sets, of particles, ...
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
        different, if no pair has both signal and background in the files, or if taggers tell
        classes of different things.
    FileError, ColumnError, DataError
        If a checkpoint or file cannot be read, or lacks columns.
    """
    alone = (Tagger, str, os.PathLike)
    loaded = [
        tagger
        if isinstance(tagger, Tagger)
        else Tagger.load(Path(tagger), device=device, batch_size=batch_size)
        for tagger in ([taggers] if isinstance(taggers, alone) else taggers)
    ]
    scores = dict(scores or {})
    if not loaded and not scores:
        raise InputError(
            "taggers", expected="one or more", got="none", fix="name a checkpoint (*.ckpt)"
        )
    per = _per(loaded, scores)
    if max_sets is not None and max_sets < 1:
        raise InputError(
            "max_sets", expected="at least 1", got=str(max_sets), fix="leave it out for all jets"
        )
    called = checked_names(names, loaded, scores)
    found: dict[str, Any] = {"pairs": pairs, "replicas": replicas, "seed": seed}
    how: dict[str, Any] = {"max_sets": max_sets, "bad": bad, "progress": progress}
    results = []
    for tagger, name in zip(loaded, called, strict=True):
        read = weighted(columns_for(tagger, columns), weights)
        warn_of_training_files(tagger.run or {}, files, read.tree)
        values, sample, seconds = scored(
            partial(_probabilities, tagger), read, files, per, name=name, **how
        )
        results.append(
            Result(
                name,
                type(tagger.model).__name__,
                sum(p.numel() for p in tagger.model.parameters() if p.requires_grad),
                evaluate_probabilities(
                    values,
                    _labels(sample),
                    tagger.class_names,
                    weights=sample.weights,
                    set_index=sample.set_index,
                    **found,
                ),
                sample.sets / seconds,
                sample,
                probabilities=values,
                origin=origin_of(tagger),
                epochs=epochs_of(tagger),
            )
        )
    for name, expression in scores.items():
        read = weighted(_columns_of_score(loaded, columns, expression), weights)
        values, sample, seconds = scored(_score, read, files, "set", name=name, **how)
        results.append(
            Result(
                name,
                expression,
                None,
                evaluate_scores(
                    values, _labels(sample), read.class_names, weights=sample.weights, **found
                ),
                sample.sets / seconds,
                sample,
                scores=values,
            )
        )
    return results


def _labels(sample: Sample) -> Int64[np.ndarray, " rows"]:
    """The classes of a sample: its columns have some."""
    return cast(np.ndarray, sample.labels)


def _probabilities(tagger: Tagger, chunk: Chunk) -> Any:
    """What a tagger gives for the rows of a chunk."""
    return tagger.probabilities(chunk.particles).numpy()


def _score(chunk: Chunk) -> Any:
    """The number that the file holds for each jet, in all its digits."""
    return np.asarray(chunk.observers["score"][chunk.rows], np.float64)


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


def _per(taggers: Sequence[Tagger], scores: Mapping[str, str]) -> Per:
    """What the taggers tell classes of; scores that files hold are those of sets."""
    for tagger in taggers:
        if not tagger.classifies:
            raise InputError(
                f"tagger {tagger.name}",
                expected="a network that tells classes",
                got=f"one that predicts numbers of {tagger.answers.per}s",
                fix="evaluate_regression measures it",
            )
    found = dict.fromkeys(tagger.answers.per for tagger in taggers)
    if scores:
        found["set"] = None
    if len(found) > 1:
        raise InputError(
            "taggers",
            expected="networks (and scores of files) that tell classes of the same",
            got=f"classes of {' and of '.join(f'{per}s' for per in found)}",
            fix="evaluate them one after the other",
        )
    return next(iter(found))
