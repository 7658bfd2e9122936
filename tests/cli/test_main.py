import os
import subprocess
import sys
import time
import warnings
from importlib import import_module
from types import SimpleNamespace

import pytest
from jsonargparse import ArgumentParser

from hepml import __version__
from hepml.cli import COMMANDS, main
from hepml.errors import FileError


def test_the_help_has_one_line_for_each_command(capsys):
    assert main(["--help"]) == main(["-h"]) == main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, (_, summary) in COMMANDS.items():
        assert sum(line.split() == [name, *summary.split()] for line in lines) == 3


def test_the_version_is_the_packages(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hepml {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_parser_and_something_to_run(name, capsys):
    module = import_module(COMMANDS[name][0])
    assert callable(module.run)
    with pytest.raises(SystemExit) as exit:
        main([name, "--help"])
    assert exit.value.code == 0
    assert f"usage: hepml {name}" in capsys.readouterr().out


def test_a_mistyped_command_gets_the_nearest(capsys):
    assert main(["trian"]) == 2
    assert capsys.readouterr().err == "hepml: no command 'trian'; did you mean `hepml train`?\n"
    assert main(["xyz"]) == 2
    assert "choose from generate, inspect, networks, train" in capsys.readouterr().err


@pytest.fixture
def command(monkeypatch):
    """Make `hepml act` do something."""

    def make(act):
        module = SimpleNamespace(make_parser=ArgumentParser, run=lambda _: act())
        monkeypatch.setitem(sys.modules, "acting", module)
        monkeypatch.setitem(COMMANDS, "act", ("acting", "act"))

    return make


def raising(error):
    def act():
        raise error

    return act


def test_an_error_is_one_message_and_no_traceback(command, capsys):
    command(raising(FileError("file 'a.root'", expected="a file", got="nothing", fix="look")))
    assert main(["act"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        "hepml act: file 'a.root': expected a file, got nothing. Fix: look.\n",
    )


def test_a_bug_is_not_hidden(command):
    command(raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(["act"])


def test_ctrl_c_is_one_line(command, capsys):
    command(raising(KeyboardInterrupt()))
    assert main(["act"]) == 130
    assert capsys.readouterr().err == "hepml act: interrupted\n"


def test_a_warning_is_one_line_without_source(command, capsys):
    def act():
        warnings.simplefilter("always")
        warnings.warn("dropped 3 bad sets", UserWarning, stacklevel=1)
        return 0

    command(act)
    shown = warnings.showwarning
    assert main(["act"]) == 0
    assert capsys.readouterr().err == "hepml act: warning: dropped 3 bad sets\n"
    assert warnings.showwarning is shown


def test_the_status_is_that_of_the_command(command):
    command(lambda: 3)
    assert main(["act"]) == 3


@pytest.mark.slow
def test_a_closed_pipe_is_no_error():
    code = "import sys; sys.argv[1:] = ['--help']; import hepml.cli as c\n"
    code += "def act(): print('x' * 10**6, flush=True)\n"
    code += "import types; from jsonargparse import ArgumentParser\n"
    code += "sys.modules['acting'] = types.SimpleNamespace("
    code += "make_parser=ArgumentParser, run=lambda _: act())\n"
    code += "c.COMMANDS['act'] = ('acting', ''); sys.exit(c.main(['act']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 141


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_nobody_who_reads_what_is_printed_at_once_is_no_error(word):
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "hepml.cli", word],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    os.close(read)
    os.close(write)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 141


@pytest.mark.slow
def test_the_help_is_there_at_once():
    start = time.perf_counter()
    help = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "hepml.cli", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    seconds = time.perf_counter() - start
    assert help.stdout.startswith("usage: hepml COMMAND ...")
    imported = {line.split("|")[-1].strip() for line in help.stderr.splitlines()}
    assert not imported & {"torch", "numpy", "lightning", "jsonargparse"}
    # Half a second on a machine that does nothing else.
    assert seconds < 5
