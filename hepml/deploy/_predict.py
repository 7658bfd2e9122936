"""Scores of all jets of many files, entry beside entry, in ROOT files."""

import json
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from tqdm.auto import tqdm

from hepml import __version__
from hepml.deploy._answers import SCORE, Answers, letters
from hepml.deploy._arrays import reading_columns
from hepml.deploy._lists import checked_lists, list_types, lists_of, sets_among
from hepml.deploy._tagger import Tagger
from hepml.errors import DataError, FileError, InputError
from hepml.io import Chunk, Columns, Files, Location, count_entries, iterate, locate, observer_types
from hepml.outputs import require_free, whole_file

# The object beside the tree that says where the scores are from.
_ABOUT = "about"


@dataclass(frozen=True)
class Prediction:
    """What was written into one file.

    Parameters
    ----------
    path
        The file.
    entries
        The number of entries, that of the input.
    sets
        The number of jets with a score.
    bad
        The jets that could not be scored, by reason: their scores are NaN.
    nan
        The number of further jets for which the network gave NaN: it is damaged, or computes what
        is not defined.
    """

    path: Path
    entries: int
    sets: int
    bad: dict[str, int]
    nan: int = 0


def predict(
    tagger: Tagger | str | os.PathLike[str],
    files: Files,
    output: str | os.PathLike[str],
    *,
    observers: Mapping[str, str] | Sequence[str] = (),
    tree: str = "scores",
    overwrite: bool = False,
    step: int = 8192,
    progress: bool = False,
) -> list[Prediction]:
    """Write the scores of all jets of some files, entry by entry, so that they can be a friend.

    The tree has a branch ``score_<class>`` (float32) for each class; where an entry of the input
    holds several jets, these are jagged, with their number in ``nscore``. A network that predicts
    numbers gives branches with the names of its targets and, if it predicts widths, of these:
    ``jet_mass`` and ``jet_mass_width``. Of a network for particles or nodes they are jagged, with
    those that the columns keep, in the order in which they are read, collection after collection;
    of one for edges, in the order in which the file has these, way after way, and beside them
    ``edge_sender`` and ``edge_receiver``, the numbers of their nodes among those that are kept. Of
    a set that cannot be used the list is empty.

    Parameters
    ----------
    tagger
        The tagger, its checkpoint or the folder of its run; its columns say how to read the files.
        Neither their cut on jets nor their labels are used: every jet gets a score.
    files
        As in :func:`hepml.io.read`.
    output
        A name that ends in ``.root``: one file with the entries of all input files, one after the
        other. Any other name: a folder with one file for each input file, of the same name.
    observers
        Names of further branches and what they hold of each jet, as expressions of the input's
        columns; or names of columns to be copied; beside the observers of the tagger's columns.
        Whole numbers stay whole numbers. Where entries hold several jets, a column with one number
        for each entry is repeated for all of them.
    tree
        The name of the tree.
    overwrite
        Whether files of these names may be replaced.
    step
        About how many entries are in memory at a time.
    progress
        Whether to show a progress bar, on a terminal.

    Raises
    ------
    DataError
        If no input file has entries.
    FileError
        If an input file cannot be read, an output file exists, is an input file, or cannot be
        written. Nothing unfinished is left.
    InputError
        If the tagger has no columns, or if names of classes, observers or files collide;
        also if `tree` is no name of a tree.
    ColumnError
        If a file lacks columns.

    Notes
    -----
    All input files are opened before the first jet is scored, so that one that cannot be read is
    found at once. Files without entries, as a skim may leave, add nothing to one output and get an
    output without entries in a folder; one warning names the first of them.

    Jets that cannot be used (NaN or infinite momenta, lists of unequal lengths, ...) get NaN in
    every branch and are counted. The name of the model, the version and the numbers of entries of
    the input files are in the object ``about`` beside the tree, as JSON.

    In ROOT: ``events->AddFriend("scores", "OUT.root")``, then ``events->Draw("score_top")``.
    """
    tagger = tagger if isinstance(tagger, Tagger) else Tagger.load(Path(tagger))
    columns = reading_columns(tagger.columns)
    _check_tree(tree)
    answers = tagger.answers
    names = [*answers.branches, *checked_lists(answers, columns)]
    if not isinstance(observers, Mapping):
        observers = {name: name for name in observers}
    observers = {**columns.observers, **observers}
    _check_observers(observers, names)
    columns = columns.replace(observers=observers)
    locations = locate(files)
    targets = _targets(locations, Path(output))
    _check_targets(locations, targets, overwrite)
    counts = count_entries(files, columns)
    stated = observer_types(files, columns)
    _warn_of_empty([location for location, n in zip(locations, counts, strict=True) if not n])
    written = []
    with tqdm(
        total=sum(counts),
        unit="entry",
        unit_scale=True,
        disable=None if progress else True,
        dynamic_ncols=True,
    ) as bar:
        for path, inputs in targets.items():
            about = {
                "hepml": __version__,
                "model": tagger.name,
                "classes" if tagger.classifies else "targets": dict(
                    zip(letters(answers.names), answers.names, strict=True)
                ),
                "input": [[str(locations[i]), counts[i]] for i in inputs],
            }
            full = [str(locations[i]) for i in inputs if counts[i]]
            with whole_file(path, overwrite=overwrite) as part, uproot.recreate(part) as file:
                out = file.mktree(tree, _types(answers, columns, stated))
                chunks = iterate(full, columns, step=step, bad="drop") if full else ()
                written.append(_write(out, tagger, chunks, path, stated, bar))
                file[_ABOUT] = json.dumps(about)
    return written


def _warn_of_empty(files: Sequence[Location]) -> None:
    """One line that names input files without entries, which have nothing to be scored."""
    if files:
        others = f" and {len(files) - 1} more" if len(files) > 1 else ""
        warnings.warn(f"no entries in {files[0]}{others}: no scores", UserWarning, stacklevel=3)


def _types(
    answers: Answers, columns: Columns, observers: Mapping[str, np.dtype[Any]]
) -> dict[str, Any]:
    """The types of the branches: jagged where an entry holds several jets, or particles."""
    if answers.per != "set":
        return {**list_types(answers), **observers}
    if columns.collections[0].index is None:
        return {**{name: np.dtype(np.float32) for name in answers.branches}, **observers}
    jagged = {name: f"var * {dtype.name}" for name, dtype in observers.items()}
    return {**answers.list_types, **jagged}


def _as_stated(name: str, values: Any, dtype: np.dtype[Any], chunk: Chunk) -> Any:
    """The values of an observer in the type of its branch, that of the first file."""
    cast = values.astype(dtype)
    if values.dtype != dtype and not np.array_equal(cast, values, equal_nan=dtype.kind == "f"):
        raise DataError(
            f"{chunk.file}, observer {name!r}",
            expected=f"numbers that {dtype} holds, the type in the first file",
            got=f"{values.dtype} with others",
            fix="convert it in the expression, as in 'name * 1.0', or predict into a folder",
        )
    return cast


def _check_observers(observers: Mapping[str, str], names: Sequence[str]) -> None:
    """Refuse names that are none of branches, or taken."""
    taken = {*names, *(f"n{name}" for name in names), SCORE, f"n{SCORE}"}
    counters = {f"n{name}" for name in observers}
    for name in observers:
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name in taken | counters:
            raise InputError(
                f"observer {name!r}",
                expected="letters, digits and underscores, and no name of another branch",
                got=f"one beside {', '.join(sorted(taken | counters))}",
                fix="give it another name: {'pt': 'Jet.pt'}, or --observers pt=Jet.pt",
            )


def _write(
    out: Any,
    tagger: Tagger,
    chunks: Iterable[Chunk],
    path: Path,
    stated: Mapping[str, np.dtype[Any]],
    bar: Any,
) -> Prediction:
    """Score the chunks and append their entries to the tree."""
    entries = sets = nan = 0
    bad: Counter[str] = Counter()
    for chunk in chunks:
        answers, particles = tagger.answers, chunk.particles
        found = tagger.values(particles).numpy().astype(np.float32)
        missing, counts = np.isnan(found).any(1), particles.counts.numpy()
        missing = sets_among(answers, missing, chunk)
        nan += int((missing & ((counts > 0) | (tagger.empty is None))).sum())
        observers = {k: _as_stated(k, v, stated[k], chunk) for k, v in chunk.observers.items()}
        branches: dict[str, Any]
        if answers.per != "set":
            branches = {**lists_of(answers, found, chunk), **observers}
        else:
            table = np.full((chunk.total, len(answers.names)), np.nan, np.float32)
            table[chunk.rows] = found
            if chunk.sets_per_entry is None:
                branches = {name: table[:, i] for i, name in enumerate(answers.branches)}
                branches |= observers
            else:
                lists = {**answers.lists(table), **observers}
                branches = {k: ak.unflatten(v, chunk.sets_per_entry) for k, v in lists.items()}
        out.extend(branches)
        entries += chunk.stop - chunk.start
        sets += len(chunk.particles)
        bad.update(chunk.dropped)
        bar.update(chunk.stop - chunk.start)
    return Prediction(path, entries, sets, dict(bad), nan)


def _check_tree(name: str) -> None:
    """Refuse what is no name of a tree, or that of what lies beside it."""
    if not re.fullmatch(r"[^\s/:;]([^/:;]*[^\s/:;])?", name) or name == _ABOUT:
        raise InputError(
            "tree",
            expected=f"a name without /, : and ;, other than {_ABOUT!r}, which lies beside it",
            got=repr(name),
            fix="scores is the default",
        )


def _targets(locations: Sequence[Location], output: Path) -> dict[Path, list[int]]:
    """The output files, and the numbers of the input files that go into each."""
    if output.suffix == ".root":
        return {output: list(range(len(locations)))}
    targets: dict[Path, list[int]] = {}
    for number, location in enumerate(locations):
        path = output / f"{Path(location.path).stem}.root"
        if path in targets:
            raise InputError(
                "files",
                expected="files with different names, for a folder of scores",
                got=f"{locations[targets[path][0]]} and {location}",
                fix="predict them in two runs, or into one file whose name ends in .root",
            )
        targets[path] = [number]
    return targets


def _check_targets(locations: Sequence[Location], targets: Iterable[Path], overwrite: bool) -> None:
    """Refuse to replace input files at all, and other files unless it is wanted."""
    inputs = {os.path.realpath(location.path) for location in locations}
    for path in targets:
        if os.path.realpath(path) in inputs:
            raise FileError(
                f"output {path}",
                expected="another file than those that are read",
                got="an input file",
                fix="choose another name or folder",
            )
        require_free(path, overwrite=overwrite)
