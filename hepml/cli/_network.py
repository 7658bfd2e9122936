"""Networks of one's own on the command line: ``--network package.module:Class``."""

import os
import sys
from collections.abc import Sequence

from jsonargparse import ArgumentParser
from torch import nn

from hepml.models import find_network


def add_network_option(parser: ArgumentParser) -> None:
    """The option of commands that load checkpoints."""
    parser.add_argument(
        "--network",
        nargs="+",
        type=str,
        default=[],
        metavar="MODULE:CLASS",
        help="classes of networks that are not hepml's, as in my.nets:ParT; naming one runs the "
        "code of its module, which the name in a checkpoint alone never does",
    )


def named_networks(names: Sequence[str]) -> list[type[nn.Module]]:
    """The classes of these names; modules in the present directory are found, too."""
    if names and not {"", os.getcwd()} & {*sys.path}:
        # Last, so that nothing there hides a module that is installed.
        sys.path.append(os.getcwd())
    return [find_network(name) for name in names]
