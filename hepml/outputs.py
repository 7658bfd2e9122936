"""Files and folders that appear when they are complete, and locks that say who holds them."""

import errno
import os
import secrets
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hepml.errors import FileError, HepmlError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

# What a process group is ended with: by batch systems, by a terminal that closes, by Ctrl-C.
_ENDINGS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)
)
# The signals that came since the outermost `cleaned_up` began.
_came: list[int] = []
# The locks of this process: those of the system are between processes.
_held: set[Path] = set()
# What a file system without locks says.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)


class Terminated(SystemExit):
    """The end of a process by SIGTERM or SIGHUP, with the status that a shell gives to it.

    Parameters
    ----------
    number
        The signal.
    message
        What to tell the user.
    """

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(128 + number)
        self.number = number
        self.message = message or f"ended by {signal.Signals(number).name}"


@contextmanager
def cleaned_up() -> Iterator[None]:
    """Let SIGTERM and SIGHUP leave the block as an exception, as Ctrl-C does.

    By default they end the process where it is, and temporary files stay. After the block the
    process ends by the signal, unless :class:`Terminated` was caught in it. A signal that is
    ignored, as under ``nohup``, or that somebody else handles, is left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted
        return
    defaults = {signal.SIGINT: signal.default_int_handler}
    mine = {
        number: default
        for number in _ENDINGS
        if signal.getsignal(number) is (default := defaults.get(number, signal.SIG_DFL))
    }
    owner = os.getpid()

    def leave(number: int, frame: Any) -> None:  # noqa: ARG001
        if os.getpid() != owner:
            # A forked worker has nothing to clean up, and ends as it would have without this.
            signal.signal(number, mine[signal.Signals(number)])
            signal.raise_signal(number)
            return
        _came.append(number)
        raise_again()

    for number in mine:
        signal.signal(number, leave)
    try:
        yield
    except Terminated as ended:
        if ended.number in mine:
            signal.signal(ended.number, signal.SIG_DFL)
            signal.raise_signal(ended.number)
        raise
    finally:
        for number, default in mine.items():
            signal.signal(number, default)
        if mine:
            _came.clear()


def raise_again() -> None:
    """Raise what a signal raised, if one came in :func:`cleaned_up` and the block goes on.

    Python drops an exception that rises in a finaliser or in a hook of a fork; whoever works for
    long asks here from time to time.
    """
    if _came:
        if _came[-1] == signal.SIGINT:
            raise KeyboardInterrupt
        raise Terminated(_came[-1])


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let signals wait until a short block is over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: waiting.append(number))
        for number in _ENDINGS
        if signal.getsignal(number) not in (None, signal.SIG_IGN)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in waiting:
            signal.raise_signal(number)


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
    machine leaves half of it. SIGKILL leaves the unique file, which ends in ``.part``.
    """
    for path in paths:
        require_free(path, overwrite=overwrite)
    parts = [path.with_name(_unique(path.name)) for path in paths]
    names = ", ".join(str(path) for path in paths)
    with writing(f"output {names}"), cleaned_up():
        made = [folder for path in paths for folder in _make_folders(path.parent)]
        try:
            for part in parts:
                _create(part)
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
    with writing(f"output {path}", "a folder that can be written"), cleaned_up():
        # A folder that exists may be a link, or a file system of its own.
        part = (path if path.is_dir() else path.parent) / _unique(path.name)
        made = _make_folders(part.parent)
        try:
            part.mkdir()
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


def remove_parts(folder: Path) -> None:
    """Remove what a killed process left in a folder to which nobody else writes."""
    for part in folder.glob(".*.part"):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, *, what: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock file, which names host and process, while the block runs.

    Parameters
    ----------
    path
        The file; its folder exists. It is removed in the end.
    what
        What the lock is for, as "output runs/a".
    wait
        For how many seconds to wait for another holder.

    Raises
    ------
    FileError
        If another process, or this one, holds it: with its host and number.

    Notes
    -----
    The lock is one of the system, which ends with the process: what a killed one left is taken
    over. On a file system without locks there is none.
    """
    if fcntl is None:
        yield
        return
    path = path.absolute()
    deadline = time.monotonic() + wait
    while path in _held or (descriptor := _taken(path)) is None:
        if time.monotonic() >= deadline:
            raise FileError(
                what,
                expected="to be alone with it",
                got=f"another that writes to it: {_holder(path)}",
                fix="wait for its end, or choose another folder",
            )
        time.sleep(0.05)
    _held.add(path)
    try:
        yield
    finally:
        with undisturbed():
            path.unlink(missing_ok=True)
            os.close(descriptor)
            _held.discard(path)


def _taken(path: Path) -> int | None:
    """The lock file, opened and locked; None if another process holds it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with writing(f"lock {path}"):
        while True:
            descriptor = os.open(path, flags, 0o666)
            try:
                # A record lock: forked workers that outlive this process do not hold it.
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    os.close(descriptor)
                    if error.errno in (errno.EACCES, errno.EAGAIN):
                        return None
                    raise
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    break
            # Its holder has ended and removed it in between.
            os.close(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{socket.gethostname()} {os.getpid()}\n".encode(), 0)
    return descriptor


def _holder(path: Path) -> str:
    """Who holds a lock."""
    if path in _held:
        return f"this process, {os.getpid()}"
    try:
        host, _, number = path.read_text().strip().rpartition(" ")
    except (OSError, UnicodeDecodeError):
        host = number = ""
    return f"process {number} on {host}" if host and number.isdigit() else "another process"


def _unique(name: str) -> str:
    """A name that nobody can foresee, not longer than a file system allows."""
    return f".{name.encode()[:100].decode(errors='ignore')}.{secrets.token_hex(8)}.part"


def _create(part: Path) -> None:
    """An empty file, with the permissions that any new file of the user gets."""
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


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
