"""What a command is about, jets or the motion of bodies, told by its words."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hepml.errors import HepmlError, InputError

# The commands that have other options where they are about motion.
_OF_MOTION = {
    "generate": "hepml.cli.motion._generate",
    "train": "hepml.cli.motion._train",
    "evaluate": "hepml.cli.motion._evaluate",
    "predict": "hepml.cli.motion._predict",
}
# What the commands of `hepml dynamics` are now.
_FORMERLY = {"generate": "generate", "train": "train", "evaluate": "evaluate", "rollout": "predict"}


def module_of(command: str, words: Sequence[str]) -> str | None:
    """The module of a command on motion; None if the words are about something else.

    Raises
    ------
    InputError
        If they name networks of both kinds.
    """
    if command not in _OF_MOTION or not words:
        return None
    about = {
        "generate": _recipe_is_of_motion,
        "train": _network_is_of_motion,
        "evaluate": _checkpoints_are_of_motion,
        "predict": _checkpoints_are_of_motion,
    }
    return _OF_MOTION[command] if about[command](words) else None


def now(words: Sequence[str]) -> str:
    """The command that does what ``hepml dynamics`` did with these words."""
    if not words or words[0] not in _FORMERLY:
        return f"hepml {' | '.join(_FORMERLY.values())}"
    return shlex.join(["hepml", _FORMERLY[words[0]], *words[1:]])


def is_of_motion(checkpoint: str | Path) -> bool:
    """Whether a checkpoint, or the best one in the folder of a run, holds a network of dynamics."""
    from hepml.models import DYNAMICS
    from hepml.training import network_in

    return network_in(checkpoint) in DYNAMICS


def _recipe_is_of_motion(words: Sequence[str]) -> bool:
    """Whether a system is named."""
    from hepml.cli._generate import RECIPES
    from hepml.datasets import SYSTEMS

    # The first that is named: a file may have the name of another.
    return next((word for word in words if word in SYSTEMS or word in RECIPES), "") in SYSTEMS


def _network_is_of_motion(words: Sequence[str]) -> bool:
    """Whether the first word, the option or the configuration file names a network of dynamics."""
    from hepml.models import DYNAMICS

    if words[0] in DYNAMICS:
        return True
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option == "--network":
            return (value if equals else following) in DYNAMICS
        if option == "--config":
            return _configured(value if equals else following) in DYNAMICS
    return False


def _configured(path: str) -> Any:
    """The network that a configuration file names, if it is one."""
    try:
        plain = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None  # the parser reads the file again and says what is wrong with it
    network = plain.get("network") if isinstance(plain, dict) else None
    return network if isinstance(network, str) else None


def _checkpoints_are_of_motion(words: Sequence[str]) -> bool:
    """Whether the checkpoints and runs among the words are of networks of dynamics."""
    found: dict[bool, str] = {}
    for before, word in zip(["", *words], words, strict=False):
        path = Path(word)
        if before in ("-o", "--output"):
            continue
        if path.suffix != ".ckpt" and not (path / "checkpoints").is_dir():
            continue
        try:
            found[is_of_motion(path)] = word
        except HepmlError:
            continue  # the command says what is wrong with it
    if len(found) > 1:
        raise InputError(
            "checkpoints",
            expected="networks of one kind",
            got=f"{found[True]} of motion and {found[False]} of jets",
            fix="evaluate them one after the other",
        )
    return True in found
