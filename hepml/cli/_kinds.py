"""What a command is about, jets or the motion of bodies, told by its words."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from hepml.errors import HepmlError, InputError

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
    module, is_about_motion = _OF_MOTION[command]
    return module if is_about_motion(words) else None


def now(words: Sequence[str]) -> str:
    """The command that does what ``hepml dynamics`` did with these words."""
    if not words or words[0] not in _FORMERLY:
        return f"hepml {' | '.join(_FORMERLY.values())}"
    return shlex.join(["hepml", _FORMERLY[words[0]], *words[1:]])


def is_of_motion(checkpoint: str | Path) -> bool:
    """Whether a checkpoint, or the best one in the folder of a run, holds a network of dynamics."""
    from hepml.models import DYNAMICS
    from hepml.training import read_info

    return read_info(checkpoint).model in DYNAMICS


def _recipe_is_of_motion(words: Sequence[str]) -> bool:
    """Whether a system is named."""
    from hepml.cli._generate import RECIPES
    from hepml.datasets import SYSTEMS

    # The first that is named: a file may have the name of another.
    named = (
        word
        for before, word in zip(["", *words], words, strict=False)
        if before not in ("-o", "--output") and (word in SYSTEMS or word in RECIPES)
    )
    return next(named, "") in SYSTEMS


def _network_is_of_motion(words: Sequence[str]) -> bool:
    """Whether the network that is named is one of dynamics."""
    from hepml.cli._network import network_of
    from hepml.models import DYNAMICS

    return network_of(words) in DYNAMICS


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


# The commands that have other options where they are about motion, and what tells that.
_OF_MOTION: dict[str, tuple[str, Callable[[Sequence[str]], bool]]] = {
    "generate": ("hepml.cli.motion._generate", _recipe_is_of_motion),
    "train": ("hepml.cli.motion._train", _network_is_of_motion),
    "evaluate": ("hepml.cli.motion._evaluate", _checkpoints_are_of_motion),
    "predict": ("hepml.cli.motion._predict", _checkpoints_are_of_motion),
}
