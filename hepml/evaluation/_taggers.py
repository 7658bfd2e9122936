"""Taggers beside each other: what they are called, where they are from, how they read files."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hepml.deploy import Tagger
from hepml.errors import InputError
from hepml.io import Columns
from hepml.training import RunFolder

# What the weights of the columns give way to, beside an expression.
UNWEIGHTED = "none"


def checked_names(
    names: Sequence[str], taggers: Sequence[Tagger], others: Iterable[str] = ()
) -> list[str]:
    """The name of each tagger, none of them twice, nor among those of others."""
    if names and len(names) != len(taggers):
        raise InputError(
            "names",
            expected=f"{len(taggers)}, one for each tagger",
            got=f"{len(names)}: {', '.join(names)}",
            fix="give a name for each checkpoint, in their order",
        )
    called = list(names) or _names(taggers)
    twice = [name for name, count in Counter([*called, *others]).items() if count > 1]
    if twice:
        raise InputError(
            "names",
            expected="different names",
            got=f"{twice[0]!r} for several",
            fix="give other names: --names, or another name of the score",
        )
    return called


def weighted(columns: Columns, weights: str | None) -> Columns:
    """The columns with the weights asked for."""
    if weights is None:
        return columns
    return columns.replace(weights=None if weights == UNWEIGHTED else weights)


def origin_of(tagger: Tagger) -> dict[str, Any]:
    """Where a tagger is from."""
    if tagger.checkpoint is None:
        return {}
    training = {k: tagger.run[k] for k in ("seed", "files", "epochs") if k in tagger.run}
    return {"checkpoint": str(tagger.checkpoint), "training": training}


def epochs_of(tagger: Tagger) -> dict[str, list[float]]:
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


def columns_for(tagger: Tagger, columns: Columns | None) -> Columns:
    """The columns to read with, checked against the tagger; targets that they lack are its own."""
    own, per = tagger.columns, tagger.answers.per
    columns = own if columns is None else columns
    if columns is not None and set(tagger.feature_names) <= set(columns.feature_names):
        columns = columns.with_features(tagger.feature_names)
    if columns is not None and set(tagger.context_names) <= set(columns.context_names):
        columns = columns.with_context(tagger.context_names)
    expected = (tagger.feature_names, tagger.class_names, tagger.context_names)
    found = None
    if columns is not None:
        classes = columns.class_names_of(per) if tagger.classifies else ()
        found = (columns.feature_names, classes, columns.context_names)
    if columns is None or found != expected:
        raise InputError(
            f"columns for {tagger.name}",
            expected=_described(*expected),
            got="no columns" if found is None else _described(*found),
            fix="give columns with those that the tagger was trained on",
        )
    if not tagger.classifies and own is not None:
        names = own.target_names_of(per)
        if per == "set" and not set(names) <= set(columns.target_names):
            columns = columns.replace(targets=own.targets)
        if columns.target_names_of(per) != names:
            raise InputError(
                f"columns for {tagger.name}",
                expected=f"the targets {', '.join(names)} of each {per}",
                got=", ".join(columns.target_names_of(per)) or "none",
                fix="give columns with those that the network was trained on",
            )
    return columns


def _described(features: Sequence[str], classes: Sequence[str], context: Sequence[str]) -> str:
    """The names of what columns hold, in a line."""
    text = f"features ({', '.join(features)})"
    text += f" and classes ({', '.join(classes)})" if classes else ""
    return text + (f" and context ({', '.join(context)})" if context else "")


def file_names(texts: Sequence[str]) -> list[str]:
    """Texts without what a shell or a file system would trip over, no two of them the same."""
    names: list[str] = []
    for text in texts:
        plain = "".join(c if c.isalnum() or c in "-+." else "_" for c in text).strip("_")
        name, number = plain, 1
        # Some file systems take capitals for small letters.
        while name.lower() in {each.lower() for each in names}:
            number += 1
            name = f"{plain}_{number}"
        names.append(name)
    return names
