"""Where a command that makes a file puts it: ``-o FILE``, or the last word."""

import sys
import textwrap
from argparse import RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from typing import Any

from jsonargparse import ArgumentParser, DefaultHelpFormatter

_WIDTH = 80
_OUTPUT = ("-o", "--output")


class _Lines(DefaultHelpFormatter, RawDescriptionHelpFormatter):
    """Leaves the lines of description and table as they are."""


class _Making(ArgumentParser):
    """Takes the file to make as an option or as the last word."""

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, **options: Any
    ) -> Any:
        """What the words say."""
        words = sys.argv[1:] if args is None else args
        return super().parse_args(_with_file_last(words), **options)


def making_parser(
    usage: str, description: str, tables: Mapping[str, Mapping[str, str]]
) -> ArgumentParser:
    """A parser whose help ends with tables of names and what they mean.

    Parameters
    ----------
    usage, description
        How the command is called, and what it does.
    tables
        For each heading the names and a line about each.
    """
    lines = [textwrap.fill(description, _WIDTH)]
    width = max((len(name) for table in tables.values() for name in table), default=0)
    for heading, table in tables.items():
        lines += ["", f"{heading}:"]
        lines += [f"  {name:<{width}}  {text}" for name, text in table.items()]
    return _Making(usage=usage, description="\n".join(lines), formatter_class=_Lines)


def add_output(parser: ArgumentParser, what: str) -> None:
    """The file that is made: an option, or the last word.

    Parameters
    ----------
    parser
        That of :func:`making_parser`.
    what
        What is made.
    """
    parser.add_argument("file", metavar="FILE", help="the same without -o")
    parser.add_argument("-o", "--output", type=str | None, default=None, metavar="FILE", help=what)


def _with_file_last(words: Sequence[str]) -> list[str]:
    """The words with what ``-o`` names as the last of them.

    argparse finds an optional word among options only where it follows the word before.
    """
    others: list[str] = []
    files: list[str] = []
    before = ""
    for word in words:
        if before in _OUTPUT:
            files.append(word)
        elif word.startswith("--output="):
            files.append(word.removeprefix("--output="))
        elif word not in _OUTPUT:
            others.append(word)
        before = "" if before in _OUTPUT else word
    return [*others, *files]
