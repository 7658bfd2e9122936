"""What can be written where, asked before any work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hepml.errors import FileError, HepmlError


@contextmanager
def writing(what: str, expected: str = "a file that can be written") -> Iterator[None]:
    """Turn what the system says when something cannot be written into one clear error.

    Parameters
    ----------
    what
        The file or folder.
    expected
        What would have been right.

    Raises
    ------
    FileError
        In place of an OSError, such as that of a full disk.

    Examples
    --------
    >>> with writing("output /dev/full"), open("/dev/full", "w") as file:
    ...     _ = file.write("scores")
    Traceback (most recent call last):
    hepml.errors.FileError: output /dev/full: expected a file that can be written, got ...
    """
    try:
        yield
    except HepmlError:
        raise
    except OSError as error:
        raise FileError(
            what, expected=expected, got=str(error), fix="make room or choose another folder"
        ) from error


def require_free(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse, before any work, a file that cannot be written or must not be replaced.

    Raises
    ------
    FileError
        If the path is a folder or a device, or exists and `overwrite` is false, or if its folder
        can be neither made nor written.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise FileError(
            f"output {path}",
            expected="a new file",
            got="a folder" if path.is_dir() else "a device",
            fix="choose another name",
        )
    if os.path.lexists(path) and not overwrite:
        raise FileError(
            f"output {path}",
            expected="a new file",
            got="a file that exists",
            fix="choose another name, or pass overwrite=True (--overwrite)",
        )
    require_folder(path.parent)


def require_free_folder(
    folder: str | os.PathLike[str], main: str, what: str, *, overwrite: bool
) -> None:
    """Refuse, before any work, a folder that cannot be written or holds such a report already.

    Parameters
    ----------
    folder
        The folder.
    main
        The file by which a report is known.
    what
        What the report is, as "an evaluation".
    overwrite
        Whether one that is there may be replaced.

    Raises
    ------
    FileError
        If the folder is a file, can be neither made nor written, or holds the file `main` and
        `overwrite` is false.
    """
    found = Path(folder) / main
    if os.path.lexists(found) and not overwrite:
        raise FileError(
            f"output {folder}",
            expected=f"a folder without {what}",
            got=f"{found}, which exists",
            fix="choose another folder, or pass overwrite=True (--overwrite)",
        )
    require_folder(Path(folder))


def require_folder(folder: Path) -> None:
    """Refuse, before any work, a folder in which no file can be made.

    Raises
    ------
    FileError
        If it is a file, or can be neither made nor written.
    """
    there = next(each for each in (folder, *folder.absolute().parents) if os.path.lexists(each))
    if not there.is_dir():
        raise FileError(
            f"output {folder}",
            expected="a folder",
            got="a file" if there == folder else f"{there}, a file",
            fix="choose another name",
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise FileError(
            f"output {folder}",
            expected="a folder that can be written",
            got=f"no permission for {there}",
            fix="choose another folder",
        )
