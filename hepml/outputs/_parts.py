"""Files and folders with names of their own until they are complete, each held by its writer.

The hold is a lock of the system, which ends with the process, on whatever host it runs: who writes
to the same place next removes what nobody holds any more.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]


def part_of(path: Path) -> Path:
    """A name beside a file that nobody can foresee."""
    return path.with_name(f"{_beginning(path)}{secrets.token_hex(8)}.part")


@contextmanager
def held(part: Path, *, folder: bool = False) -> Iterator[None]:
    """Make an empty part, a new one, and hold it while the block runs."""
    while (descriptor := _made(part, folder=folder)) is None:
        pass
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def remove_abandoned(path: Path) -> None:
    """Remove what killed processes left beside a file or folder that they were writing."""
    beginning = _beginning(path)
    with suppress(OSError):
        for part in path.parent.iterdir():
            rest = part.name.removeprefix(beginning)
            if rest != part.name and re.fullmatch(r"[0-9a-f]{16}\.part", rest):
                _remove(part)


def remove_parts(folder: Path) -> None:
    """Remove what killed processes left in a folder, whatever they were writing."""
    for part in folder.glob(".*.part"):
        _remove(part)


def _beginning(path: Path) -> str:
    """How the names of its parts begin: not longer than a file system allows."""
    return f".{path.name.encode()[:100].decode(errors='ignore')}."


def _made(part: Path, *, folder: bool) -> int | None:
    """A new part that is held; None if somebody took it for abandoned before it was held."""
    if folder:
        part.mkdir()
        if fcntl is None:
            return -1  # Windows opens no folders
        descriptor = os.open(part, os.O_RDONLY)
    else:
        # With the permissions that any new file of the user gets.
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    if fcntl is None:
        return descriptor
    # Not a record lock, which ends when any descriptor of the file is closed. On a file system
    # without locks, nobody removes the part either.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    if _is_still(part, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _remove(part: Path) -> None:
    """Remove a part that nobody holds."""
    if fcntl is None:
        return
    with suppress(OSError):
        # A link is not followed, and a pipe not waited for.
        kind = os.O_RDONLY if part.is_dir() else os.O_RDWR
        descriptor = os.open(part, kind | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_still(part, descriptor):
                return
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _is_still(part: Path, descriptor: int) -> bool:
    """Whether the name is still that of the file which is open."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.lstat(part))
    return False
