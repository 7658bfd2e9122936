"""Of many files, those that are there: jobs fail, and some write no tree."""

import glob
import os
import warnings
from collections.abc import Sequence

from hepml.errors import ColumnError, FileError
from hepml.io.columns._columns import Columns
from hepml.io.formats._files import Files, Location, locate, split
from hepml.io.formats._open import open_table
from hepml.io.streams._read import resolve


def present(files: Files, columns: Columns | str | None = None) -> list[str]:
    """The files that exist and have the tree to be read; the others are counted in a warning.

    Parameters
    ----------
    files
        As in :func:`hepml.io.read`.
    columns
        The columns that are to be read, which name the tree; None recognises the layout of the
        first file that is there.

    Returns
    -------
    list of str
        Names for :func:`hepml.io.read` and whatever else takes files.

    Raises
    ------
    FileError
        If no file is left, or one cannot be read: damage is no absence, nor is a remote file that
        cannot be reached.
    InputError
        If the layout is not recognised.
    """
    given = [files] if isinstance(files, str | os.PathLike) else files
    names = [os.fspath(name) for name in given]
    lacking = [name for name in names if _absent(name)]
    there = [name for name in names if name not in lacking]
    found = locate(there) if there else []
    without: list[str] = []
    tree = None
    if found:
        tree = resolve(columns, found[0]).tree
        without = [str(each) for each in found if _lacks_tree(each, tree)]
    left = [str(each) for each in found if str(each) not in without]
    told = [
        *([f"{len(lacking)} that do not exist ({_some(lacking)})"] if lacking else []),
        *([f"{len(without)} without the tree to read ({_some(without)})"] if without else []),
    ]
    if not left:
        raise FileError(
            "files",
            expected="one that is there, or more",
            got=" and ".join(told) or "none",
            fix="check the names",
        )
    if told:
        total = len(lacking) + len(found)
        warnings.warn(f"skipped, of {total} files, {' and '.join(told)}", UserWarning, stacklevel=2)
    return left


def _absent(name: str) -> bool:
    """Whether a name stands for no local file at all."""
    path = os.path.expanduser(split(name)[0])
    return "://" not in path and not os.path.exists(path) and not glob.glob(path, recursive=True)


def _lacks_tree(location: Location, wanted: str | None) -> bool:
    """Whether the file has no tree of the name that is to be read."""
    if location.tree is None and wanted is None:
        return False
    try:
        open_table(location, wanted).close()
    except ColumnError:
        return True
    return False


def _some(names: Sequence[str]) -> str:
    """The first of some names."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
