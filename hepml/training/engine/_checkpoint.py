"""Checkpoints: what a tagger is, in a file that holds tensors and plain values alone.

A checkpoint is a dictionary written by ``torch.save``. Its entry ``"hepml"`` says which model with
which arguments reads which columns; ``"state_dict"`` holds the weights. Checkpoints for resuming
hold Lightning's states of optimiser and loop as well.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hepml import __version__
from hepml.errors import FileError, InputError
from hepml.outputs import whole_file
from hepml.training.engine._safe_load import load_plain

# Raised when an older hepml could no longer read what a newer one writes.
FORMAT = 1

_HEADER = "hepml"
# Lightning stores the weights of the task, whose attribute is the model.
PREFIX = "model."


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says about its model, beside the weights.

    Parameters
    ----------
    model
        The name in :data:`hepml.models.MODELS`, or ``package.module:Class`` for a class of the
        user's own.
    arguments
        The arguments of its constructor.
    columns
        What :meth:`hepml.io.Columns.to_dict` gave: the columns that the model reads; empty if
        none were given.
    run
        The options of the training run.
    task
        What the outputs of the model mean: for what it gives a row, the loss it learned with, and
        centre and scale of its targets. Empty in what hepml 0.1 wrote: classes of sets.
    figures
        Loss and validation figures at the epoch of the checkpoint.
    version
        The version of hepml that wrote it.
    """

    model: str
    arguments: Mapping[str, Any]
    columns: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, int | float] = field(default_factory=dict)
    task: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__

    def __post_init__(self) -> None:
        for name in ("arguments", "columns", "run", "figures", "task"):
            _require_plain(getattr(self, name), name)


def header(info: CheckpointInfo) -> dict[str, Any]:
    """The entry that makes a dictionary a checkpoint of hepml."""
    return {_HEADER: {"format": FORMAT, **asdict(info)}}


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The dictionary in a checkpoint, on the CPU, without executing anything in it.

    Raises
    ------
    FileError
        If the file is missing, damaged, or not a checkpoint that this version can read.
    """
    path = Path(path)
    if not path.is_file():
        raise _missing(path)
    try:
        content = load_plain(path)
    # A damaged or hostile pickle can raise anything at all; none of it is a fault of the program.
    except Exception as error:
        raise FileError(
            f"checkpoint {path}",
            expected="tensors and plain values, as hepml writes them",
            got="a file that is truncated, is no checkpoint, or asks to execute code, which was "
            f"refused ({in_a_line(error)})",
            fix="get the file again, or train again",
        ) from error
    found = content.get(_HEADER) if isinstance(content, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        raise FileError(
            f"checkpoint {path}",
            expected=f"an entry {_HEADER!r} that names the model",
            got=f"entries {', '.join(map(repr, content)):.200}"
            if isinstance(content, dict)
            else type(content).__name__,
            fix="pass a checkpoint of `hepml train`, or write one with "
            "hepml.training.save_checkpoint; LorentzNet.from_published reads its authors' files",
        )
    if found["format"] > FORMAT:
        raise FileError(
            f"checkpoint {path}",
            expected=f"format {FORMAT} or older, which hepml {__version__} reads",
            got=f"format {found['format']}, written by hepml {found.get('version')!s:.60}",
            fix="use that version of hepml or a newer one",
        )
    checked: dict[str, Any] = content
    return checked


def write_checkpoint(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint, complete or not at all.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    try:
        # A file rather than its name, which torch would write into it.
        with whole_file(path) as part, open(part, "wb") as file:
            torch.save(dict(content), file)
    # So torch reports a full disk.
    except RuntimeError as error:
        raise FileError(
            f"checkpoint {path}",
            expected="a file that can be written",
            got=str(error),
            fix="make room or choose another folder",
        ) from error


def checkpoint_info(path: str | Path, content: Mapping[str, Any]) -> CheckpointInfo:
    """What :func:`read_checkpoint` gave says about the model.

    Raises
    ------
    FileError
        If entries are missing or of other types.
    """
    found = {"task": {}} | content[_HEADER]
    names = {f.name for f in fields(CheckpointInfo)}
    mappings = names - {"model", "version"}
    if (
        not names <= set(found)
        or not all(isinstance(found[name], str) for name in ("model", "version"))
        or not all(isinstance(found[name], dict) for name in mappings)
        or not all(isinstance(key, str) for name in mappings for key in found[name])
        or not all(isinstance(value, int | float) for value in found["figures"].values())
    ):
        raise FileError(
            f"checkpoint {path}",
            expected=f"the entries {', '.join(sorted(names))}, with names in them",
            got=", ".join(f"{name} ({type(found[name]).__name__})" for name in list(found)[:20]),
            fix="get the file again, or train again",
        )
    try:
        return CheckpointInfo(**{name: found[name] for name in names})
    except InputError as error:
        raise FileError(
            f"checkpoint {path}",
            expected="plain values beside the weights",
            got=str(error),
            fix="get the file again, or train again",
        ) from error


def checkpoint_weights(path: str | Path, content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of the model in what :func:`read_checkpoint` gave.

    Raises
    ------
    FileError
        If they are no tensors with names.
    """
    found = content.get("state_dict")
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()
    ):
        raise FileError(
            f"checkpoint {path}",
            expected="weights: tensors with names",
            got=f"{found!r:.200}",
            fix="get the file again, or train again",
        )
    return {
        name.removeprefix(PREFIX): tensor
        for name, tensor in found.items()
        if name.startswith(PREFIX)
    }


def in_a_line(error: Exception, most: int = 200) -> str:
    """What an error says, in a line that is not too long; its kind, if it says nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def _missing(path: Path) -> FileError:
    """What to say where there is no file: a folder, or a name with a near one beside it."""
    if path.is_dir():
        inside = sorted(path.rglob("*.ckpt"))
        got, fix = "a folder", f"pass {inside[0]}" if inside else "pass the file itself"
    else:
        names = [p.name for p in path.parent.glob("*.ckpt")] if path.parent.is_dir() else []
        near = get_close_matches(path.name, names, n=1, cutoff=0.0)
        got, fix = "no such file", f"try {path.parent / near[0]}" if near else "check the name"
    return FileError(f"checkpoint {path}", expected="a file", got=got, fix=fix)


def _require_plain(value: Any, name: str) -> None:
    """Refuse what does not survive a checkpoint that executes nothing, or YAML."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            _require_plain(entry, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for entry in value:
            _require_plain(entry, name)
    elif value is not None and type(value) not in (bool, int, float, str):
        raise InputError(
            name,
            expected="numbers, text, truth values, lists or dictionaries of them",
            got=f"{type(value).__name__} {value!r:.60}",
            fix="give the model a name or a number to make the object from",
        )
