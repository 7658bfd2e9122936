"""The command line: ``hepml COMMAND ...``."""

import os
import sys
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from importlib import import_module

from hepml import __version__
from hepml.cli._kinds import module_of, now
from hepml.errors import HepmlError
from hepml.outputs import Terminated, cleaned_up

# The module of each command and its line in the help; imported only when the command is called, so
# that the help does not wait for torch.
COMMANDS = {
    "generate": (
        "hepml.cli._generate",
        "simulate jets, or bodies in motion, to learn from",
    ),
    "inspect": (
        "hepml.cli._inspect",
        "say what a file holds and which columns a tagger would read",
    ),
    "networks": ("hepml.cli._networks", "the networks that train knows: symmetries, papers"),
    "train": ("hepml.cli._train", "train a network on files"),
    "evaluate": ("hepml.cli._evaluate", "measure what was learned: figures, plots, JSON"),
    "check": ("hepml.cli._check", "measure the symmetries of a trained network: its certificate"),
    "predict": (
        "hepml.cli._predict",
        "write scores beside each jet, or predicted motion",
    ),
}

_INTERRUPTED = 130
_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status.

    Parameters
    ----------
    argv
        The words after ``hepml``; by default those of the process.

    Notes
    -----
    0 is success; 1 an error of :mod:`hepml.errors`, told in one message on standard error; 2 a
    command line that cannot be understood; 130 an interruption by Ctrl-C, 143 and 129 an end by
    SIGTERM and SIGHUP.
    """
    try:
        status = _main(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError:
        # `hepml inspect ... | head`: nobody reads any more, and Python would complain once more
        # when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return status


def _main(words: Sequence[str]) -> int:
    """Run the command that the words name, or say what there is."""
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0
    if words[0] == "--version":
        print(f"hepml {__version__}")
        return 0
    name = words[0]
    if name == "dynamics":
        print(f"hepml: `hepml dynamics` is now `{now(words[1:])}`", file=sys.stderr)
        return 2
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean `hepml {near[0]}`?" if near else f"choose from {', '.join(COMMANDS)}"
        print(f"hepml: no command {name!r}; {hint}", file=sys.stderr)
        return 2
    with cleaned_up():
        return _run(name, words[1:])


def _run(name: str, words: Sequence[str]) -> int:
    """Run a command, and say what ended it."""
    try:
        with warnings.catch_warnings():
            # The text alone: the line of hepml that warns means nothing to a user.
            warnings.showwarning = partial(_show_warning, name)
            module = import_module(module_of(name, words) or COMMANDS[name][0])
            parser = module.make_parser()
            parser.prog = f"hepml {name}"
            status: int = module.run(parser.parse_args(words))
    except HepmlError as error:
        print(f"hepml {name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(f"hepml {name}: {str(error) or 'interrupted'}", file=sys.stderr)
        return _INTERRUPTED
    except Terminated as ended:
        print(f"hepml {name}: {ended.message}", file=sys.stderr)
        return 128 + ended.number
    return status


def _show_warning(command: str, message: Warning | str, *_: object) -> None:
    """One line for a warning."""
    print(f"hepml {command}: warning: {message}", file=sys.stderr)


def _help() -> str:
    """The commands, one line each."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: hepml COMMAND ...",
            "",
            "Networks that respect the physics, from ROOT file to score.",
            "",
            "commands:",
            *lines,
            "",
            "`hepml COMMAND --help` explains a command; `hepml --version` tells the version.",
        ]
    )
