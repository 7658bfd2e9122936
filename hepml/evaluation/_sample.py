"""The rows of files that are evaluated, jets or their particles, with what is known of each."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int64
from tqdm.auto import tqdm

from hepml.data import Per, rows_of
from hepml.evaluation._kinematics import Kinematics
from hepml.io import Chunk, Columns, EvenSample, Files, count_entries, iterate

# What tables and figures call what has a row.
NOUNS: Mapping[Per, str] = {"set": "jet", "particle": "particle", "node": "node", "edge": "edge"}


@dataclass(frozen=True, eq=False)
class Sample:
    """Which rows of the files were evaluated, and what they were.

    Parameters
    ----------
    per
        What has a row: "set", "particle", "node" or "edge".
    labels
        The number of the class of each row; None without.
    targets
        The numbers of each row that are to be predicted; None without.
    weights
        Their weights, those of their sets included; None without.
    set_index
        The set, of all that were read, that each row belongs to; None if rows are sets.
    kinematics
        Kinematics of each row; None of those without momenta.
    sets
        The number of sets.
    read
        The number of sets before the cut.
    cut, weights_from
        The expressions that chose and weighted them; None without.
    dropped
        Sets left out because they cannot be used, by reason.
    among
        The number of sets among which they were drawn evenly; None if they are all.
    without
        How many further rows have no target, and were left out.
    """

    per: Per
    labels: Int64[np.ndarray, " rows"] | None
    targets: Float[np.ndarray, "rows targets"] | None
    weights: Float[np.ndarray, " rows"] | None
    set_index: Int64[np.ndarray, " rows"] | None
    kinematics: Kinematics | None
    sets: int
    read: int
    cut: str | None
    weights_from: str | None
    dropped: Mapping[str, int]
    among: int | None = None
    without: int = 0

    def __str__(self) -> str:
        chosen = f"{self.sets:,} jets"
        if self.per != "set":
            chosen = f"{self.rows:,} {NOUNS[self.per]}s of {chosen}"
        if self.among is not None:
            chosen += f", drawn evenly from {self.among:,}"
            chosen += "" if self.cut is None else f" (cut: {self.cut})"
        elif self.cut is not None:
            chosen += f" of {self.read:,} (cut: {self.cut})"
        chosen += ", not weighted" if self.weights_from is None else ""
        chosen += "" if self.weights_from is None else f", weighted by {self.weights_from}"
        if not self.without:
            return chosen
        noun = NOUNS[self.per] + ("" if self.without == 1 else "s")
        return f"{chosen}; {self.without:,} {noun} without a target left out"

    @property
    def rows(self) -> int:
        """How many rows there are."""
        known = self.labels if self.targets is None else self.targets
        return self.sets if known is None else len(known)

    def to_dict(self) -> dict[str, Any]:
        """What was evaluated, in plain values for JSON."""
        return {
            "per": self.per,
            "rows": self.rows,
            "sets": self.sets,
            "cut": self.cut,
            "sets_before_cut": self.read,
            "drawn_from": self.among,
            "weights": self.weights_from,
            "dropped": dict(self.dropped),
            "without_target": self.without,
        }


def said(samples: Sequence[tuple[str, Sample]]) -> list[str]:
    """What was evaluated, in a line; with the name of the network where they differ."""
    lines = dict.fromkeys((name, str(sample)) for name, sample in samples)
    if len({text for _, text in lines}) == 1:
        return [text for _, text in lines][:1]
    return [f"{name}: {text}" for name, text in lines]


def scored(
    score: Callable[[Chunk], Float[np.ndarray, "rows *outputs"]],
    columns: Columns,
    files: Files,
    per: Per,
    *,
    name: str,
    max_sets: int | None = None,
    bad: Literal["error", "drop"] = "error",
    progress: bool = False,
) -> tuple[Float[np.ndarray, "rows *outputs"], Sample, float]:
    """What a function gives for the rows of some files, these rows, and the seconds it took.

    Parameters
    ----------
    score
        The function, of the sets of a range of entries.
    columns, files
        What is read, and where.
    per
        What has a row: "set", "particle", "node" or "edge".
    name
        The name beside the progress bar.
    max_sets
        So many sets only, drawn evenly over the files.
    bad
        What to do with sets that cannot be used.
    progress
        Whether to show a progress bar, on a terminal.

    Notes
    -----
    Rows of which a target is NaN are left out and counted; columns refuse them where they are not
    said to be partial.
    """
    drawn = None if max_sets is None else EvenSample(files, columns, sets=max_sets, bad=bad)
    parts = _Parts(per)
    with tqdm(
        total=sum(count_entries(files, columns)) if drawn is None else drawn.entries,
        desc=name,
        unit="entry",
        unit_scale=True,
        disable=None if progress else True,
        leave=False,
        dynamic_ncols=True,
    ) as bar:
        start = time.perf_counter()
        for chunk in iterate(files, columns, bad=bad) if drawn is None else drawn.chunks():
            values = score(chunk)
            parts.seconds += time.perf_counter() - start
            parts.add(chunk, values)
            bar.update(chunk.stop - chunk.start)
            start = time.perf_counter()
    sample = parts.sample(columns, None if drawn is None else drawn.among)
    return parts.joined("values"), sample, parts.seconds


class _Parts:
    """The rows of the chunks that were scored so far."""

    def __init__(self, per: Per) -> None:
        self.per = per
        self.seconds = 0.0
        self._found: dict[str, list[Any]] = {}
        self._kinematics: list[Kinematics] = []
        self._dropped: Counter[str] = Counter()
        self._sets = self._read = self._without = 0

    def add(self, chunk: Chunk, values: Float[np.ndarray, "rows *outputs"]) -> None:
        """Take the rows of a chunk that have a target, or need none."""
        batch = chunk.particles
        rows = rows_of(batch, self.per)
        known: Bool[np.ndarray, " rows"] | slice = slice(None)
        if rows.targets is not None:
            missing = np.isnan(rows.targets.numpy()).any(1)
            known = ~missing
            self._without += int(missing.sum())
        self._take("values", np.asarray(values)[known])
        for name, each in rows._asdict().items():
            if each is not None:
                values = each.numpy() + (self._sets if name == "set_index" else 0)
                self._take(name, values[known])
        kinematics = Kinematics.of(batch, self.per)
        if kinematics is not None:
            self._kinematics.append(kinematics[known])
        self._dropped.update(chunk.dropped)
        self._sets += len(batch)
        self._read += chunk.total

    def _take(self, name: str, values: Any) -> None:
        self._found.setdefault(name, []).append(values)

    def joined(self, name: str) -> Any:
        """The values of all rows; None if there are none of that name."""
        return np.concatenate(self._found[name]) if name in self._found else None

    def sample(self, columns: Columns, among: int | None) -> Sample:
        """All rows."""
        return Sample(
            self.per,
            self.joined("labels"),
            self.joined("targets"),
            self.joined("weights"),
            self.joined("set_index"),
            Kinematics.joined(self._kinematics) if self._kinematics else None,
            self._sets,
            self._read,
            columns.cut,
            columns.weights,
            dict(self._dropped),
            among,
            self._without,
        )
