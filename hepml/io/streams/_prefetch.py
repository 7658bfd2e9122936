"""Working ahead: the next chunks are read while the present one is used."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NoReturn, TypeVar

from hepml.errors import HepmlError

Result = TypeVar("Result")

# Two threads: one decompresses, which leaves Python's lock free, while the other assembles.
THREADS = 2


def ahead(
    tasks: Iterable[Callable[[], Result]], waiting: int = THREADS
) -> Generator[Result, None, None]:
    """The results of the tasks in their order; so many are read beforehand and wait."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="hepml-io")
    try:
        pending: deque[Future[Result]] = deque()
        for task in _with_errors(tasks):
            pending.append(pool.submit(task))
            if len(pending) > waiting:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        # Nobody waits for results any more.
        pool.shutdown(cancel_futures=True)


def _with_errors(tasks: Iterable[Callable[[], Result]]) -> Iterator[Callable[[], Result]]:
    """The tasks; if making one fails, a last task that fails, after the results before it."""
    try:
        yield from tasks
    except HepmlError as error:
        yield partial(_fail, error)


def _fail(error: HepmlError) -> NoReturn:
    """Raise an error where a result was expected."""
    raise error
