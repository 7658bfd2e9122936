"""Working ahead changes neither the order nor where errors come out."""

import threading
import time
from functools import partial

import pytest

from hepml.errors import DataError, FileError
from hepml.io.streams._prefetch import THREADS, ahead


def slowly(result, seconds=0.0):
    time.sleep(seconds)
    return result


def test_results_come_in_the_order_of_the_tasks():
    seconds = [0.02, 0.0, 0.01, 0.0, 0.0]
    assert list(ahead(partial(slowly, i, s) for i, s in enumerate(seconds))) == [0, 1, 2, 3, 4]
    assert list(ahead([])) == []


def test_no_more_than_a_few_results_wait():
    started = []

    def task(i):
        started.append(i)
        return i

    results = ahead(partial(task, i) for i in range(100))
    next(results)
    time.sleep(0.05)
    assert len(started) <= THREADS + 1
    results.close()
    assert len(started) <= THREADS + 2


def test_tasks_run_at_the_same_time():
    barrier = threading.Barrier(THREADS, timeout=5)
    assert list(ahead([barrier.wait] * THREADS)) != []


def test_an_error_comes_out_in_its_turn():
    def fail():
        raise DataError("entry 3", expected="good", got="bad", fix="none")

    results = ahead([partial(slowly, 1), fail, partial(slowly, 3)])
    assert next(results) == 1
    with pytest.raises(DataError, match="entry 3"):
        next(results)


def test_an_error_in_making_a_task_comes_after_the_results_before_it():
    def tasks():
        yield partial(slowly, 1)
        yield partial(slowly, 2)
        raise FileError("second file", expected="a file", got="none", fix="none")

    results = ahead(tasks())
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(FileError, match="second file"):
        next(results)
