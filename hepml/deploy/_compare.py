"""Taggers on the same files: what each reaches, and how fast."""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from tqdm.auto import tqdm

from hepml.data import ParticleSet
from hepml.deploy._tagger import Tagger
from hepml.errors import InputError
from hepml.io import Columns, Files, count_entries, iterate
from hepml.training import Evaluation, Pair, evaluate_probabilities
from hepml.training._folder import RunFolder


@dataclass(frozen=True, eq=False)
class Result:
    """What a tagger reached on some files.

    Parameters
    ----------
    name
        The name in tables and figures, different for each tagger that is compared.
    model
        The class of the model.
    parameters
        The number of its parameters that training adjusts.
    evaluation
        Accuracy, AUC, background rejections.
    sets_per_second
        Jets per second from the file to the score: reading, converting and the network together.
    dropped
        Jets left out because they cannot be used, by reason.
    probabilities, labels, weights
        The scores from which all of this was computed.
    """

    name: str
    model: str
    parameters: int
    evaluation: Evaluation
    sets_per_second: float
    dropped: Mapping[str, int]
    probabilities: Float[np.ndarray, "sets classes"]
    labels: Int64[np.ndarray, " sets"]
    weights: Float[np.ndarray, " sets"] | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without scores."""
        return {
            "model": self.model,
            "parameters": self.parameters,
            "sets_per_second": self.sets_per_second,
            "dropped": dict(self.dropped),
            **self.evaluation.to_dict(),
        }


def compare(
    taggers: Sequence[Tagger | str | os.PathLike[str]],
    files: Files,
    *,
    columns: Columns | None = None,
    pairs: Sequence[Pair] | None = None,
    max_sets: int | None = None,
    bad: Literal["error", "drop"] = "error",
    replicas: int = 100,
    seed: int = 0,
    device: torch.device | str = "auto",
    batch_size: int = 128,
    progress: bool = False,
) -> list[Result]:
    """Evaluate taggers on the jets of some files.

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
        Which classes to tell from which; by default as :func:`hepml.training.default_pairs`.
    max_sets
        Evaluate the first jets of the files only.
    bad
        What to do with jets that cannot be used: "error" raises, "drop" leaves them out.
    replicas, seed
        Of the bootstrap, as in :func:`hepml.training.evaluate_probabilities`.
    progress
        Whether to show a progress bar, on a terminal.

    Raises
    ------
    InputError
        If there is no tagger, if a tagger has no columns and none are given, if features or classes
        of columns and tagger differ, or if no pair has both signal and background in the files.
    FileError, ColumnError, DataError
        If a checkpoint or file cannot be read, or lacks columns.
    """
    loaded = [
        tagger
        if isinstance(tagger, Tagger)
        else Tagger.load(Path(tagger), device=device, batch_size=batch_size)
        for tagger in taggers
    ]
    if not loaded:
        raise InputError(
            "taggers", expected="one or more", got="none", fix="name a checkpoint (*.ckpt)"
        )
    if max_sets is not None and max_sets < 1:
        raise InputError(
            "max_sets", expected="at least 1", got=str(max_sets), fix="leave it out for all jets"
        )
    places = [Path() if isinstance(tagger, Tagger) else _place(Path(tagger)) for tagger in taggers]
    results = []
    for tagger, name in zip(loaded, _names(loaded, places), strict=True):
        read = _columns_for(tagger, columns)
        scores, labels, weights, seconds, dropped = _score(
            tagger, name, read, files, max_sets, bad, progress
        )
        results.append(
            Result(
                name,
                type(tagger.model).__name__,
                sum(p.numel() for p in tagger.model.parameters() if p.requires_grad),
                evaluate_probabilities(
                    scores,
                    labels,
                    tagger.class_names,
                    weights=weights,
                    pairs=pairs,
                    replicas=replicas,
                    seed=seed,
                ),
                len(labels) / seconds,
                dropped,
                scores,
                labels,
                weights,
            )
        )
    return results


def _place(checkpoint: Path) -> Path:
    """The folder of the run for its best checkpoint, else the checkpoint without its ending."""
    run = RunFolder(checkpoint.parent.parent)
    if checkpoint == run.best:
        return run.path
    return checkpoint.with_suffix("") if checkpoint.suffix == ".ckpt" else checkpoint


def _names(taggers: Sequence[Tagger], places: Sequence[Path]) -> list[str]:
    """The name of the model, followed by the end of its path where models repeat."""
    count = Counter(tagger.name for tagger in taggers)
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


def _score(
    tagger: Tagger,
    name: str,
    columns: Columns,
    files: Files,
    max_sets: int | None,
    bad: Literal["error", "drop"],
    progress: bool,
) -> tuple[Any, Any, Any, float, dict[str, int]]:
    """Probabilities, labels and weights of the jets of the files, seconds, and what was dropped."""
    scores, labels, weights = [], [], []
    dropped: Counter[str] = Counter()
    start = time.perf_counter()
    with tqdm(
        total=sum(count_entries(files, columns)),
        desc=name,
        unit="entry",
        unit_scale=True,
        disable=None if progress else True,
        leave=False,
        dynamic_ncols=True,
    ) as bar:
        for chunk in iterate(files, columns, bad=bad, max_sets=max_sets):
            particles: ParticleSet = chunk.particles
            scores.append(tagger.probabilities(particles).numpy())
            # The columns have classes, so there are labels.
            labels.append(cast(Tensor, particles.labels))
            if particles.weights is not None:
                weights.append(particles.weights)
            dropped.update(chunk.dropped)
            bar.update(chunk.stop - chunk.start)
    seconds = time.perf_counter() - start
    return (
        np.concatenate(scores),
        torch.cat(labels).numpy(),
        torch.cat(weights).numpy() if weights else None,
        seconds,
        dict(dropped),
    )
