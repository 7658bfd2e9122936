"""Locks that say who holds them."""

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hepml.errors import FileError
from hepml.outputs._endings import undisturbed
from hepml.outputs._free import writing

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]


# The locks of this process: those of the system are between processes.
_held: set[Path] = set()
# What a file system without locks says.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)


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
