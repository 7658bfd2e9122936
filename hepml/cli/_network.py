"""The network on the command line: by its name, or one's own as ``--network module:Class``."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser
from torch import nn

from hepml.models import NETWORKS, find_network


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


def network_of(words: Sequence[str]) -> str | None:
    """The network that the words of ``hepml train`` name: first of all, as an option, or in a file.

    The first word is none unless it is one of hepml's.
    """
    if words and words[0] in NETWORKS:
        return words[0]
    given = given_options(words)
    if "--network" in given or "--config" not in given:
        return given.get("--network")
    try:
        plain = yaml.safe_load(Path(given["--config"]).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None  # the parser reads the file again and says what is wrong with it
    network = plain.get("network") if isinstance(plain, dict) else None
    return network if isinstance(network, str) else None


def given_options(words: Sequence[str]) -> dict[str, str]:
    """The options among the words that decide about others."""
    found: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        option = "--pretrained" if option == "--from" else option
        if option in ("--network", "--config", "--output", "--pretrained"):
            found[option] = value if equals else following
        elif option.startswith("-o"):
            found["--output"] = word[2:] or following
    return found
