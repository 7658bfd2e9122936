"""ROOT files, and the trees in them."""

import os
from typing import Any

import uproot

from hepml.errors import ColumnError, FileError
from hepml.io.formats._files import Location
from hepml.io.formats._root_source import PlainSource

_MAGIC = b"root"


_TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")


def open_directory(path: str) -> Any:
    """The top directory of a ROOT file."""
    how = {} if "://" in path else {"handler": PlainSource}
    try:
        begins = _beginning(path) if os.path.isfile(path) else _MAGIC
        directory = uproot.open(path, **how) if begins == _MAGIC else None
    except Exception as error:
        # uproot raises whatever its decoding stumbles on: ValueError, KeyError, struct.error, ...
        raise unreadable(path, "a ROOT file", error) from error
    if directory is None:
        raise FileError(
            f"file {path!r}",
            expected=f"a ROOT file, which begins with {_MAGIC!r}",
            got=f"one that begins with {begins!r}" if begins else "an empty file",
            fix="name a ROOT file, or let the job that writes it finish",
        )
    if os.path.isfile(path):
        size, stated = os.path.getsize(path), directory.file.fEND
        if size < stated:
            directory.close()
            raise FileError(
                f"file {path!r}",
                expected=f"{stated} bytes, by its own header",
                got=f"{size}: the file is truncated",
                fix="copy it again, or let the job that writes it finish",
            )
    return directory


def tree_names(directory: Any) -> dict[str, str]:
    """The trees and RNTuples of a file, in any of its directories, and their classes."""
    classes = directory.classnames(recursive=True, cycle=False)
    return {name: kind for name, kind in classes.items() if kind in _TREES}


def choose(directory: Any, location: Location, wanted: str | None) -> str:
    """The name of the tree to read."""
    names = list(tree_names(directory))
    chosen = location.tree or wanted
    if chosen is None and len(names) == 1:
        return names[0]
    if chosen is not None and (chosen := chosen.strip("/")).partition(";")[0] in names:
        all_cycles = directory.classnames(recursive=True)
        cycles = [name for name in all_cycles if name.startswith(chosen.partition(";")[0] + ";")]
        if chosen in cycles or ";" not in chosen:
            return chosen
        names = cycles
    listed = ", ".join(names) or "none"
    fix = f"name one, as in {location.path + ':' + (names[0] if names else 'tree')!r}"
    if not names:
        fix = "choose a file with a TTree or RNTuple"
    raise ColumnError(
        f"file {location.path!r}",
        expected="one tree, or the name of one" if chosen is None else f"a tree {chosen!r}",
        got=f"the trees {listed}" if names else "no tree or RNTuple",
        fix=fix,
    )


def object_of(directory: Any, name: str) -> Any:
    """An object in a file: brackets would take what follows a colon in the name for a branch."""
    *folders, last = name.split("/")
    for folder in folders:
        directory = directory.key(folder).get()
    return directory.key(last).get()


def _beginning(path: str) -> bytes:
    """The first bytes of a file."""
    with open(path, "rb") as file:
        return file.read(len(_MAGIC))


def unreadable(what: str, expected: str, error: Exception) -> FileError:
    """The error of bytes that uproot cannot decode."""
    # uproot's own errors begin with all that was read before, and keep what went wrong apart.
    reason = str(getattr(error, "message", error)).strip().splitlines()
    return FileError(
        what,
        expected=expected,
        got=f"{type(error).__name__}: {reason[0] if reason else 'no reason given'}",
        fix="check the address and the network, or copy the file here"
        if "://" in what
        else "check that it is a ROOT file and complete; copy it again if it was cut off",
    )
