"""Independent tasks in several processes, their results in the order of the tasks."""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar, cast

from hepml.errors import HepmlError

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Task, Callable[[int], object]], Result],
    tasks: Sequence[Task],
    *,
    workers: int,
    progress: Callable[[int], object],
) -> Generator[Result, None, None]:
    """Yield ``function(task, report)`` for each task, computed by worker processes.

    Whatever ``function`` reports goes to ``progress``, as it comes. The workers end with the
    iteration, however it ends: close the iterator when leaving it early.

    Raises
    ------
    HepmlError
        If a worker dies. Any exception of ``function`` is raised again here.

    Notes
    -----
    The processes are spawned: a script that calls this needs ``if __name__ == "__main__":``.
    """
    processes: list[BaseProcess] = []
    busy: dict[Connection, BaseProcess] = {}
    todo = iter(enumerate(tasks))
    try:
        for _ in range(min(workers, len(tasks))):
            connection, process = _start(function)
            processes.append(process)
            busy[connection] = process
            connection.send(next(todo))
        early: dict[int, Result] = {}
        for index in range(len(tasks)):
            while index not in early:
                # wait() returns what it was given, but its type says less.
                for connection in cast(list[Connection], wait(list(busy))):
                    message = _received(connection, busy[connection])
                    if isinstance(message, int):
                        progress(message)
                        continue
                    early[message[0]] = message[1]
                    following = next(todo, None)
                    connection.send(following)
                    if following is None:
                        # It ends now, and an ended pipe would look like a dead worker.
                        del busy[connection]
            yield early.pop(index)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _start(function: Callable[..., Any]) -> tuple[Connection, BaseProcess]:
    """A new worker that waits for tasks, and our end of its pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, function), daemon=True)
    # A blocked signal stays blocked in the child: Ctrl-C reaches all processes of the terminal,
    # but only the parent shall act on it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    theirs.close()
    return ours, process


def _work(connection: Connection, function: Callable[..., Any]) -> None:
    """Do tasks until there is no more, or until nobody listens."""
    # FastJet prints its banner to the standard output, where results belong, at its first use.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # When the parent is gone, so is the need for a worker.
    with suppress(BrokenPipeError, ConnectionResetError, EOFError):
        while (item := connection.recv()) is not None:
            index, task = item
            try:
                result = function(task, connection.send)
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:
                connection.send((error, traceback.format_exc()))
                return
            connection.send((index, result))


def _received(connection: Connection, process: BaseProcess) -> Any:
    """The next message of a worker: a number, or (index, result)."""
    try:
        message = connection.recv()
    except EOFError:
        process.join()
        raise HepmlError(
            f"worker process {process.pid}",
            expected="its result",
            got=f"its end, with exit code {process.exitcode}",
            fix="see its messages above; a negative code is the number of a signal (-9: the "
            "machine was out of memory, try fewer workers)",
        ) from None
    if isinstance(message, tuple) and isinstance(message[0], Exception):
        error, trace = message
        error.add_note(f"In a worker process:\n{trace}")
        raise error
    return message
