"""Files and folders that appear when they are complete."""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from hepml.outputs._endings import cleaned_up, undisturbed
from hepml.outputs._free import require_folder, require_free, writing
from hepml.outputs._parts import held, part_of, remove_abandoned


@contextmanager
def whole_file(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[Path]:
    """A file that appears when the block ends well; see :func:`whole_files`."""
    with whole_files([Path(path)], overwrite=overwrite) as (part,):
        yield part


@contextmanager
def whole_files(paths: Sequence[Path], *, overwrite: bool = True) -> Iterator[list[Path]]:
    """Files that appear, all of them, when the block ends well, and not at all if it does not.

    Parameters
    ----------
    paths
        The files. Their folders are made if need be.
    overwrite
        Whether files of these names are replaced.

    Yields
    ------
    list of Path
        Where to write them: new files of unique names in the same folders. An exception, SIGTERM,
        SIGHUP or Ctrl-C in the block removes them and leaves files that were there as they were.

    Raises
    ------
    FileError
        If something cannot be written, also in the block; if a path is a folder or a device; or
        if a file exists, at the beginning or at the end, and `overwrite` is false.

    Notes
    -----
    What was written has reached the disk before it gets its name, so that not even a crash of the
    machine leaves half of it. SIGKILL leaves the unique file, which ends in ``.part``, until
    somebody writes to the same path again.
    """
    for path in paths:
        require_free(path, overwrite=overwrite)
    parts = [part_of(path) for path in paths]
    names = ", ".join(str(path) for path in paths)
    with writing(f"output {names}"), cleaned_up(), ExitStack() as holds:
        made = [folder for path in paths for folder in _make_folders(path.parent)]
        try:
            for path, part in zip(paths, parts, strict=True):
                remove_abandoned(path)
                holds.enter_context(held(part))
            yield parts
            for part in parts:
                _to_disk(part)
            with undisturbed():
                _place(parts, paths, overwrite=overwrite)
        except BaseException:
            with undisturbed():
                for part in parts:
                    part.unlink(missing_ok=True)
                _remove_empty(made)
            raise


@contextmanager
def whole_folder(path: str | os.PathLike[str], last: str) -> Iterator[Path]:
    """A folder whose new files appear when the block ends well, and not at all if it does not.

    Parameters
    ----------
    path
        The folder, which may exist: files of other names in it stay.
    last
        The name of the file that stands for the whole. It is replaced after all others.

    Yields
    ------
    Path
        Where to write the files: an empty folder on the same file system.

    Raises
    ------
    FileError
        If something cannot be written, also in the block.
    """
    path = Path(path)
    require_folder(path)
    folder = "a folder that can be written"
    with writing(f"output {path}", folder), cleaned_up(), ExitStack() as holds:
        # A folder that exists may be a link, or a file system of its own.
        beside = path / path.name if path.is_dir() else path
        part = part_of(beside)
        made = _make_folders(part.parent)
        try:
            for each in (path, beside):
                remove_abandoned(each)
            holds.enter_context(held(part, folder=True))
            yield part
            names = sorted((each.name for each in part.iterdir()), key=lambda name: name == last)
            for name in names:
                _to_disk(part / name)
                require_free(path / name, overwrite=True)
            with undisturbed():
                if path.is_dir():
                    for name in names:
                        (part / name).replace(path / name)
                    part.rmdir()
                else:
                    part.rename(path)
        except BaseException:
            with undisturbed():
                shutil.rmtree(part, ignore_errors=True)
                _remove_empty(made)
            raise


def _to_disk(path: Path) -> None:
    """Wait until the content of a file is on the disk, where the system may say that it is full."""
    if path.is_file():
        with open(path, "rb") as file:
            os.fsync(file.fileno())


def _place(parts: Sequence[Path], paths: Sequence[Path], *, overwrite: bool) -> None:
    """Give complete files their names: all, or none of them if one exists now."""
    placed: list[Path] = []
    for part, path in zip(parts, paths, strict=True):
        try:
            if not overwrite:
                # Unlike a renaming, a link never replaces a file that another process made.
                _link(part, path)
                placed.append(path)
        except FileExistsError:
            for each in placed:
                each.unlink(missing_ok=True)
            require_free(path, overwrite=False)
            raise
        if path not in placed:
            part.replace(path)
    for part in parts:
        part.unlink(missing_ok=True)


def _link(part: Path, path: Path) -> None:
    """A second name; a renaming where the file system has no links."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        part.replace(path)


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those around it; gives those that were missing, the innermost first."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders that were made for what failed."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
