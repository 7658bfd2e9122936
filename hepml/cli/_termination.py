"""SIGTERM, which batch systems send, as an end after which nothing unfinished is left."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn


@contextmanager
def cleaned_up() -> Iterator[None]:
    """Let SIGTERM leave the block as an exception does, with the exit status that belongs to it.

    By default it ends the process where it is, and temporary files stay.
    """
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, frame: Any) -> NoReturn:  # noqa: ARG001
    """Leave with the status that a shell gives to a process ended by this signal."""
    raise SystemExit(128 + number)
