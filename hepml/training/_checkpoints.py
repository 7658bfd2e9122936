"""Models in checkpoints: written with the arguments that built them, and built again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hepml import __version__
from hepml.errors import FileError, MissingDependencyError
from hepml.io import Columns
from hepml.models import MODELS, Network, class_for, name_of
from hepml.training._building import no_larger_than
from hepml.training.engine._checkpoint import (
    PREFIX,
    CheckpointInfo,
    checkpoint_info,
    checkpoint_weights,
    header,
    in_a_line,
    read_checkpoint,
    write_checkpoint,
)
from hepml.training.engine._folder import RunFolder


class Checkpoint(NamedTuple):
    """A model as it was trained: ``model, columns, info = load_checkpoint(path)``."""

    model: nn.Module
    columns: Columns | None
    info: CheckpointInfo


@dataclass(frozen=True)
class OpenCheckpoint:
    """A checkpoint that was read, whose model is not built yet."""

    path: Path
    info: CheckpointInfo
    weights: Mapping[str, Tensor]

    @classmethod
    def read(cls, path: str | Path) -> "OpenCheckpoint":
        """Read a file, as :func:`load_checkpoint`."""
        content = read_checkpoint(path)
        info = checkpoint_info(path, content)
        return cls(Path(path), info, checkpoint_weights(path, content))

    def build(
        self, networks: Network | Sequence[Network], dtype: torch.dtype = torch.float32
    ) -> nn.Module:
        """The model with its weights in this precision, for inference."""
        built = _build(self.path, self.info, networks, self.weights).to(dtype)
        _fill(self.path, self.info, built, self.weights)
        return built.eval()


def read_info(path: str | Path) -> CheckpointInfo:
    """What a checkpoint, or that of the best epoch in the folder of a run, says of its network.

    Parameters
    ----------
    path
        A checkpoint, or the folder of a run.

    Raises
    ------
    FileError
        If it cannot be read, or is none of hepml's.
    """
    path = Path(path)
    path = RunFolder(path).best if path.is_dir() else path
    return checkpoint_info(path, read_checkpoint(path))


def describe_model(
    model: type[nn.Module], arguments: Mapping[str, Any], columns: Columns | None = None
) -> CheckpointInfo:
    """The entry of a checkpoint for a model of this class."""
    return CheckpointInfo(
        name_of(model), dict(arguments), {} if columns is None else columns.to_dict()
    )


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    *,
    arguments: Mapping[str, Any],
    columns: Columns | None = None,
) -> None:
    """Write a model, however it was trained, as a checkpoint that every command reads.

    Parameters
    ----------
    path
        The file; its folder is made if need be, and an existing file is replaced at once.
    model
        The model.
    arguments
        The arguments that its constructor was called with: plain values.
    columns
        The columns that it reads.

    Raises
    ------
    InputError
        If an argument is not a plain value.
    FileError
        If the file cannot be written.
    """
    info = describe_model(type(model), arguments, columns)
    state = {PREFIX + name: tensor for name, tensor in model.state_dict().items()}
    write_checkpoint(path, {**header(info), "state_dict": state})


def load_checkpoint(
    path: str | Path, *, model: Network | Sequence[Network] | None = None
) -> Checkpoint:
    """Build the model that a checkpoint describes, with its weights, on the CPU and for inference.

    Parameters
    ----------
    path
        A checkpoint of ``hepml train`` or of :func:`save_checkpoint`.
    model
        The class, or its name ``"package.module:Class"``, where it is not one of hepml's: a
        checkpoint itself imports nothing. Of several, the one with the name in the checkpoint.

    Raises
    ------
    FileError
        If the file is missing, damaged, not a checkpoint of hepml, written by a newer hepml, or if
        its model, arguments or weights do not fit together.

    Notes
    -----
    Nothing in the file is executed: it is read with ``torch.load(weights_only=True)``, and the
    model is one of :data:`hepml.models.MODELS` or the class given here. Weights become float32,
    whatever the precision of the training; the model is in evaluation mode.
    """
    opened = OpenCheckpoint.read(path)
    built, info = opened.build(model or ()), opened.info
    try:
        columns = Columns.from_dict(info.columns) if info.columns else None
    # Like all that a file holds, columns may be anything.
    except Exception as error:
        raise FileError(
            f"checkpoint {path}",
            expected="columns of files",
            got=f"{dict(info.columns)!r:.200} ({in_a_line(error)})",
            fix="get the file again, or train again",
        ) from error
    return Checkpoint(built, columns, info)


def _build(
    path: str | Path,
    info: CheckpointInfo,
    networks: Network | Sequence[Network],
    weights: Mapping[str, Tensor],
) -> nn.Module:
    """The model that the header describes, with fresh weights."""
    chosen = class_for(
        info.model, [networks] if isinstance(networks, str | type) else list(networks)
    )
    if chosen is None:
        raise FileError(
            f"checkpoint {path}",
            expected=f"a model among {', '.join(MODELS)}",
            got=f"{info.model!r:.200}, written by hepml {info.version:.60} (this is {__version__})",
            fix="name the class if you trust its code: --network "
            f"{info.model if ':' in info.model else 'package.module:Class'}, or "
            "load_checkpoint(path, model=MyModel); or upgrade hepml",
        )
    try:
        with no_larger_than(weights):
            return chosen(**info.arguments)
    except MissingDependencyError:
        raise
    # A constructor may do anything with arguments that nobody has checked.
    except Exception as error:
        raise FileError(
            f"checkpoint {path}",
            expected=f"arguments that {chosen.__name__} takes, and its weights",
            got=f"{dict(info.arguments)!r:.500} of {info.model} ({in_a_line(error)})",
            fix=_what_fits(info, chosen),
        ) from error


def _fill(
    path: str | Path, info: CheckpointInfo, built: nn.Module, weights: Mapping[str, Tensor]
) -> None:
    """Give the weights to a network that has exactly those."""
    own = built.state_dict()
    wrong = [
        f"{name} of {tensor.dtype}"
        for name, tensor in weights.items()
        if name in own and tensor.dtype.is_floating_point != own[name].dtype.is_floating_point
    ]
    try:
        if wrong:
            raise RuntimeError(", ".join(wrong))
        built.load_state_dict(weights)
    except RuntimeError as error:
        raise FileError(
            f"checkpoint {path}",
            expected=f"the weights of {type(built).__name__} with the arguments "
            f"{dict(info.arguments)!r:.500}",
            got=f"those of {info.model}: {in_a_line(error, 1000)}",
            fix=_what_fits(info, type(built)),
        ) from error


def _what_fits(info: CheckpointInfo, given: type[nn.Module]) -> str:
    """What helps with a checkpoint that does not fit."""
    if name_of(given) != info.model and info.model not in MODELS:
        return f"name the class that it was trained with: --network {info.model}"
    if info.version == __version__:
        return "get the file again, or train again"
    return (
        f"it was written by hepml {info.version:.60}, this is {__version__}: "
        "use that version, or train again"
    )
