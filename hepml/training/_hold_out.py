"""Which sets are validated with and not learned from, as cuts on the columns."""

import re
import warnings
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from hepml.errors import InputError
from hepml.io import ENTRY_NUMBER, Columns, Files, fingerprint, locate, same_tree, shared_sets

# Multiples of the golden ratio, without their integer part, are spread evenly, and those of every
# second or every tenth entry as well: no order of the jets in a file can go with them.
_GOLDEN = 0.6180339887498949


def hold_out(columns: Columns, options: Mapping[str, Any]) -> tuple[Columns, Columns]:
    """The columns to learn and to validate with, and a warning where both have the same sets.

    Raises
    ------
    InputError
        If the options exclude each other.
    """
    fraction, cut = options["validation_fraction"], options["validation_cut"]
    if fraction is not None:
        if cut is not None or options["validation"]:
            raise InputError(
                "validation_fraction",
                expected="no validation files and no validation_cut beside it",
                got="both",
                fix="keep one of them",
            )
        if not 0 < fraction < 1:
            raise InputError(
                "validation_fraction",
                expected="a number between 0 and 1",
                got=str(fraction),
                fix="0.1 holds every tenth set out",
            )
        cut = f"{ENTRY_NUMBER} * {_GOLDEN} % 1 < {fraction}"
    if cut is None:
        validated = columns
    else:
        validated = _with_cut(columns, cut)
        if not options["validation"]:
            return _with_cut(columns, f"~({_text(cut)})"), validated
    if options["validation"]:
        _warn_of_shared(columns, validated, options["files"], options["validation"])
    return columns, validated


def validates(options: Mapping[str, Any]) -> bool:
    """Whether anything is validated with."""
    return bool(options["validation"]) or any(
        options.get(name) is not None for name in ("validation_fraction", "validation_cut")
    )


def fingerprints(files: Files) -> dict[str, str]:
    """What the content of each file is called, to recognise it later."""
    return {each.path: fingerprint(each.path) for each in locate(files)}


def trees(files: Files, wanted: str | None) -> dict[str, list[str | None]]:
    """The trees that are read of each file; None is its only one.

    Parameters
    ----------
    wanted
        The tree of the columns.
    """
    found: dict[str, list[str | None]] = {}
    for each in locate(files):
        found.setdefault(each.path, []).append(each.tree or wanted)
    return found


def warn_of_training_files(run: Mapping[str, Any], files: Files, wanted: str | None = None) -> None:
    """Say where a network is measured on files that it has learned from.

    Parameters
    ----------
    run
        What the checkpoint says about the run.
    files
        The files to measure on.
    wanted
        The tree of the columns to measure with.
    """
    # Of a checkpoint that does not say which trees it learned from, any may be one of them.
    learned: dict[str, list[str | None]] = {}
    for path, mark in run.get("fingerprints", {}).items():
        learned.setdefault(mark, []).extend(run.get("trees", {}).get(path, [None]))
    measured = trees(files, wanted)
    known = [
        path
        for path, mark in fingerprints(files).items()
        if any(same_tree(*pair) for pair in product(measured[path], learned.get(mark, ())))
    ]
    if known:
        held = " but for those it held out" if validates({**run, "validation": []}) else ""
        warnings.warn(
            f"{', '.join(known[:3])}{', ...' if len(known) > 3 else ''}: the network has learned "
            f"from the sets of {'this file' if len(known) == 1 else 'these files'}{held}; "
            "measure on others",
            UserWarning,
            stacklevel=3,
        )


def _with_cut(columns: Columns, cut: str) -> Columns:
    """The columns with one more cut."""
    both = [each for each in (columns.cut, cut) if each is not None]
    return columns.replace(cut=" & ".join(f"({_text(each)})" for each in both))


def _text(cut: str) -> str:
    """A cut as a part of an expression, also if it is the name of a column with a slash or so."""
    named = re.fullmatch(r"[\w./:#\[\]]*[/:#\[\]][\w./:#\[\]]*", cut)
    return f"get({cut!r})" if named else cut


def _warn_of_shared(
    columns: Columns, validated: Columns, files: Sequence[str], validation: Sequence[str]
) -> None:
    """Say how many sets are both learned from and validated with."""
    shared = shared_sets(locate(validation), validated, locate(files), columns)
    if shared:
        listed = ", ".join(f"{count:,} of {path}" for path, count in list(shared.items())[:3])
        warnings.warn(
            f"validation: {sum(shared.values()):,} sets are learned from as well ({listed}"
            f"{', ...' if len(shared) > 3 else ''}); leave the validation files out and give a "
            "validation_fraction or a validation_cut, which hold sets out",
            UserWarning,
            stacklevel=4,
        )
