"""Files appear when they are complete, signals leave nothing, and locks say who holds them."""

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from hepml.errors import FileError, InputError
from hepml.outputs import (
    Terminated,
    _locks,
    _parts,
    cleaned_up,
    locked,
    raise_again,
    remove_parts,
    require_free,
    require_free_folder,
    undisturbed,
    whole_file,
    whole_files,
    whole_folder,
    writing,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_cannot_be_written_is_one_clear_error():
    message = r"output x: expected a folder, got .*No space left.* Fix: make room or choose"
    with pytest.raises(FileError, match=message) as raised, writing("output x", "a folder"):
        raise OSError(28, "No space left on device")
    assert isinstance(raised.value.__cause__, OSError)
    with pytest.raises(InputError, match=r"^other$"), writing("output x"):
        raise InputError("other")
    with pytest.raises(KeyError), writing("output x"):
        raise KeyError("no error of writing")


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "a" / "b" / "scores.root"
    with whole_file(path, overwrite=False) as part:
        assert part.parent == path.parent
        part.write_text("new")
        assert not path.exists()
    assert names(path.parent) == ["scores.root"]
    assert path.read_text() == "new"
    assert path.stat().st_mode == (tmp_path / "a").stat().st_mode & 0o666 | 0o100000


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_what_was_there(tmp_path, error):
    old = tmp_path / "old.root"
    old.write_text("old")

    def fail():
        with whole_files([old, tmp_path / "new" / "x.root"]) as parts:
            for part in parts:
                part.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert old.read_text() == "old"
    assert names(tmp_path) == ["old.root"]


def test_two_writers_of_one_file_never_share_a_name(tmp_path):
    path = tmp_path / "scores.root"
    with whole_file(path) as first, whole_file(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert names(tmp_path) == ["scores.root"]


def test_a_file_that_another_wrote_meanwhile_is_not_replaced(tmp_path):
    mine, its = tmp_path / "a.root", tmp_path / "b.root"

    def write():
        with whole_files([mine, its], overwrite=False) as parts:
            for part in parts:
                part.write_text("mine")
            its.write_text("its")

    with pytest.raises(FileError, match=r"b\.root: expected a new file, got a file that exists"):
        write()
    assert its.read_text() == "its"
    assert names(tmp_path) == ["b.root"]


def test_without_links_a_file_that_another_wrote_is_not_replaced_either(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "a.root"
    with whole_file(path, overwrite=False) as part:
        part.write_text("mine")
    assert path.read_text() == "mine"
    path.unlink()
    with pytest.raises(FileError, match="exists"), whole_file(path, overwrite=False) as part:
        path.write_text("its")
    assert path.read_text() == "its"
    assert names(tmp_path) == ["a.root"]


def test_no_write_follows_a_link(tmp_path):
    treasure = tmp_path / "treasure"
    treasure.write_text("mine")
    path = tmp_path / "out" / "scores.root"
    path.parent.mkdir()
    path.symlink_to(treasure)
    with pytest.raises(FileError, match="exists"):
        require_free(path, overwrite=False)
    with whole_file(path) as part:
        part.write_text("scores")
    assert treasure.read_text() == "mine"
    assert not path.is_symlink()


def test_a_planted_name_is_not_opened(tmp_path, monkeypatch):
    treasure = tmp_path / "treasure"
    treasure.write_text("mine")
    monkeypatch.setattr(_parts.secrets, "token_hex", lambda _: "foreseen")
    (tmp_path / ".scores.root.foreseen.part").symlink_to(treasure)
    with pytest.raises(FileError, match="File exists"), whole_file(tmp_path / "scores.root"):
        pass
    assert treasure.read_text() == "mine"


def test_long_names_fit(tmp_path):
    path = tmp_path / ("ä" * 125 + ".root")
    with whole_file(path) as part:
        part.write_text("")
    assert path.exists()


def test_what_cannot_be_written_is_refused_at_the_start(tmp_path):
    old = tmp_path / "old.root"
    old.write_text("old")
    os.mkfifo(tmp_path / "pipe")
    require_free(old, overwrite=True)
    require_free(tmp_path / "a" / "b.root", overwrite=False)
    for path, overwrite, message in (
        (old, False, r"a new file, got a file that exists\. Fix: .* overwrite=True \(--overwrite"),
        (tmp_path, True, "a new file, got a folder"),
        (tmp_path / "pipe", True, "a new file, got a device"),
        (old / "b.root", True, f"output {old}: expected a folder, got a file"),
        (old / "a" / "b.root", True, f"a: expected a folder, got {old}, a file"),
    ):
        with pytest.raises(FileError, match=message):
            require_free(path, overwrite=overwrite)
    (tmp_path / "metrics.json").write_text("{}")
    require_free_folder(tmp_path, "metrics.json", "an evaluation", overwrite=True)
    with pytest.raises(FileError, match=r"a folder without an evaluation, got .*metrics\.json"):
        require_free_folder(tmp_path, "metrics.json", "an evaluation", overwrite=False)
    with pytest.raises(FileError, match="a folder, got a file"):
        require_free_folder(old, "metrics.json", "an evaluation", overwrite=True)


def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    with pytest.raises(FileError, match="a folder that can be written, got no permission"):
        require_free(tmp_path / "a" / "x.root", overwrite=False)


@pytest.fixture
def small_disk():
    """A disk that is full after 1000 bytes of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_one_error_and_the_old_file_stays(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text("old")

    def write():
        with whole_file(path) as part:
            part.write_text("new" * 1000)

    with pytest.raises(FileError, match=r"metrics\.json: .*File too large"):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["metrics.json"]


def write_report(folder, number, size=1):
    with whole_folder(folder, "metrics.json") as part:
        (part / "metrics.json").write_text(f"report {number}")
        (part / "roc.png").write_text("x" * size)


def test_a_folder_appears_at_once_and_keeps_what_is_not_of_the_report(tmp_path):
    folder = tmp_path / "a" / "report"
    with whole_folder(folder, "metrics.json") as part:
        (part / "metrics.json").write_text("report 1")
        assert not folder.exists()
    (folder / "notes.txt").write_text("mine")
    write_report(folder, 2)
    assert names(folder) == ["metrics.json", "notes.txt", "roc.png"]
    assert (folder / "metrics.json").read_text() == "report 2"
    assert names(folder.parent) == ["report"]


@pytest.mark.usefixtures("small_disk")
def test_a_report_on_a_full_disk_leaves_the_old_one(tmp_path):
    folder = tmp_path / "report"
    write_report(folder, 1)
    with pytest.raises(FileError, match=r"report: expected a folder that can be written"):
        write_report(folder, 2, size=2000)
    assert names(folder) == ["metrics.json", "roc.png"]
    assert (folder / "metrics.json").read_text() == "report 1"
    with pytest.raises(FileError):
        write_report(tmp_path / "a" / "new", 2, size=2000)
    assert names(tmp_path) == ["report"]


def test_a_folder_in_the_place_of_a_file_leaves_the_old_report(tmp_path):
    write_report(tmp_path, 1)
    (tmp_path / "roc.png").unlink()
    (tmp_path / "roc.png").mkdir()
    with pytest.raises(FileError, match=r"roc\.png: expected a new file, got a folder"):
        write_report(tmp_path, 2)
    assert (tmp_path / "metrics.json").read_text() == "report 1"
    assert names(tmp_path) == ["metrics.json", "roc.png"]


def test_a_folder_may_be_a_link_to_another_disk(tmp_path):
    (tmp_path / "big").mkdir()
    (tmp_path / "report").symlink_to(tmp_path / "big")
    write_report(tmp_path / "report", 1)
    assert names(tmp_path / "big") == ["metrics.json", "roc.png"]
    assert names(tmp_path) == ["big", "report"]


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    (tmp_path / ".a.root.0123.part").write_text("")
    (tmp_path / ".report.0123.part").mkdir()
    (tmp_path / "my.part").write_text("")
    remove_parts(tmp_path)
    assert names(tmp_path) == ["my.part"]


# Writes a file, tells when it has begun, and waits.
WRITES = """
import sys, time
from hepml.outputs import whole_file
with whole_file(sys.argv[1]) as part:
    part.write_text("half")
    print("begun", flush=True)
    time.sleep(60)
"""


# Writes a report, tells when it has begun, and waits.
REPORTS = """
import sys, time
from hepml.outputs import whole_folder
with whole_folder(sys.argv[1], "metrics.json") as part:
    (part / "metrics.json").write_text("half")
    print("begun", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("program", [WRITES, REPORTS], ids=["file", "folder"])
def test_the_next_writer_removes_what_a_killed_one_left_and_nothing_that_is_held(tmp_path, program):
    path = tmp_path / "x.root"

    def write():
        if program is REPORTS:
            write_report(path, 1)
        else:
            with whole_file(path) as part:
                part.write_text("new")

    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout.readline() == b"begun\n"
    (held,) = names(tmp_path)
    write()
    remove_parts(tmp_path)
    assert names(tmp_path) == [held, "x.root"]
    process.kill()
    process.communicate(timeout=30)
    # Of another target whose name begins in the same way, and one that is planted.
    other, planted = (tmp_path / f".x.root.{n}0123456789abcdef.part" for n in ("y.", ""))
    other.write_text("")
    planted.symlink_to(path)
    write()
    assert names(tmp_path) == sorted([other.name, planted.name, "x.root"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_process_as_ever_and_leaves_no_part(tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(tmp_path / "x.root")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout.readline() == b"begun\n"
    assert len(names(tmp_path)) == 1
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == -number
    assert names(tmp_path) == []


def test_a_signal_is_an_exception_in_the_block_and_afterwards_what_it_was():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]

    def caught():
        with cleaned_up():
            try:
                signal.raise_signal(signal.SIGHUP)
            except Terminated as ended:
                return ended

    ended = caught()
    assert (ended.code, ended.message) == (129, "ended by SIGHUP")
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cleaned_up():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_a_signal_that_python_dropped_is_raised_again(number, error, monkeypatch):
    class Dropping:
        def __del__(self):
            signal.raise_signal(number)

    dropped = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: dropped.append(found.exc_type))

    def asked():
        with cleaned_up():
            Dropping()
            with pytest.raises(error):
                raise_again()

    asked()
    assert dropped == [error]
    raise_again()


def test_a_signal_waits_until_a_short_block_is_over():
    steps = []

    def work():
        with undisturbed():
            signal.raise_signal(signal.SIGINT)
            steps.append("finished")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert steps == ["finished"]


def test_other_threads_write_as_well(tmp_path):
    def write():
        with whole_file(tmp_path / "x") as part:
            part.write_text("")

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert names(tmp_path) == ["x"]


HOLDS = """
import os, sys, time
from pathlib import Path
from hepml.outputs import locked
with locked(Path(sys.argv[1]), what="test"):
    if sys.argv[2] == "fork" and os.fork() == 0:
        time.sleep(60)
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("fork", ["fork", "alone"])
def test_a_lock_says_who_holds_it_and_ends_with_its_process(tmp_path, fork):
    path = tmp_path / ".lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path), fork],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout.readline() == b"held\n"
    who = f"process {process.pid} on {socket.gethostname()}"
    with (
        pytest.raises(FileError, match=f"output a: .* writes to it: {who}"),
        locked(path, what="output a"),
    ):
        pass
    process.kill()
    process.wait()
    assert path.exists()
    with locked(path, what="output a"):
        assert path.read_text() == f"{socket.gethostname()} {os.getpid()}\n"
    assert names(tmp_path) == []
    os.killpg(process.pid, signal.SIGKILL) if fork == "fork" else None
    process.stdout.close()


def test_a_lock_is_waited_for_also_in_one_process(tmp_path):
    path, order = tmp_path / ".lock", []

    def hold():
        with locked(path, what="x"):
            held.set()
            time.sleep(0.1)
            order.append("first")

    held = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    with pytest.raises(FileError, match=f"this process, {os.getpid()}"), locked(path, what="x"):
        pass
    with locked(path, what="x", wait=10.0):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_does_not_follow_a_link(tmp_path):
    treasure = tmp_path / "treasure"
    treasure.write_text("mine")
    (tmp_path / ".lock").symlink_to(treasure)
    with pytest.raises(FileError, match=r"lock .*\.lock"), locked(tmp_path / ".lock", what="x"):
        pass
    assert treasure.read_text() == "mine"


def test_without_locks_of_the_file_system_work_goes_on(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(_locks.fcntl, "lockf", no_locks)
    with locked(tmp_path / ".lock", what="x"):
        assert names(tmp_path) == [".lock"]
    assert names(tmp_path) == []
