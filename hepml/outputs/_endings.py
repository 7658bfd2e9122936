"""Signals that end a process, so that what it leaves is whole."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What a process group is ended with: by batch systems, by a terminal that closes, by Ctrl-C.
_ENDINGS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)
)
# The signals that came since the outermost `cleaned_up` began.
_came: list[int] = []


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
