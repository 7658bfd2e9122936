"""Results in order, errors and dead workers, with functions that a spawned process can import."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import os, signal, sys, time
from contextlib import closing
from hepml.datasets._workers import in_order

def naps(seconds, report):
    report(1)
    time.sleep(seconds)
    print("a worker has no standard output")
    return round(10 * seconds), os.getpid()

def fails(task, report):
    if task == 2:
        raise ValueError(f"task {task} is bad")
    return task

def dies(task, report):
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    seen = []
"""


def run(body, tmp_path):
    """The standard output of a script that ends with these lines, and its process."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + "".join(f"    {line}\n" for line in body.splitlines()))
    return subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=120, check=False
    )


def test_results_come_in_the_order_of_the_tasks_and_reports_at_once(tmp_path):
    # One worker has nothing left to do long before the other: it must not look dead.
    done = run(
        "results = list(in_order(naps, [1.0, 0.1, 0.2, 0.1, 0.1], workers=2, "
        "progress=seen.append))\n"
        "print([r for r, _ in results], len({p for _, p in results}), sum(seen))",
        tmp_path,
    )
    assert done.stdout == "[10, 1, 2, 1, 1] 2 5\n", done.stderr


def test_no_more_workers_than_tasks_are_started(tmp_path):
    done = run(
        "print(len({p for _, p in in_order(naps, [0.1], workers=8, progress=seen.append)}))\n"
        "print(list(in_order(naps, [], workers=8, progress=seen.append)))",
        tmp_path,
    )
    assert done.stdout == "1\n[]\n", done.stderr


def test_an_exception_is_raised_again_with_the_trace_of_the_worker(tmp_path):
    done = run("print(list(in_order(fails, [1, 2, 3], workers=1, progress=seen.append)))", tmp_path)
    assert done.returncode == 1
    assert "ValueError: task 2 is bad\nIn a worker process:\nTraceback" in done.stderr
    assert "in fails" in done.stderr


def test_a_dead_worker_is_an_error(tmp_path):
    done = run("print(list(in_order(dies, [1, 2], workers=2, progress=seen.append)))", tmp_path)
    assert done.returncode == 1
    assert "expected its result, got its end, with exit code -9" in done.stderr


def test_leaving_early_ends_the_workers(tmp_path):
    done = run(
        "with closing(in_order(naps, [0.1, 60.0], workers=2, progress=seen.append)) as results:\n"
        "    print(next(results)[0])",
        tmp_path,
    )
    assert done.stdout == "1\n"
    assert done.returncode == 0, done.stderr


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        SCRIPT
        + "    for _, pid in in_order(naps, [0.1] * 1000, workers=1, progress=seen.append):\n"
        + "        print(pid, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the worker is still alive after ten seconds")
