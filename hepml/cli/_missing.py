"""What to do with files that are not there: ``--missing skip``."""

from typing import Literal

from jsonargparse import ArgumentParser


def add_missing_option(parser: ArgumentParser) -> None:
    """The option of commands that read many files."""
    parser.add_argument(
        "--missing",
        type=Literal["error", "skip"],
        default="error",
        help="what to do with files that do not exist or lack the tree: skip warns and counts them",
    )
