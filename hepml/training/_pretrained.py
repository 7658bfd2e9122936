"""Networks that begin with the weights of a checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hepml.errors import FileError, InputError
from hepml.io import Columns
from hepml.models import Network, find_network, name_of, takes
from hepml.training._checkpoints import OpenCheckpoint
from hepml.training._inputs import build_model
from hepml.training._objective import Objective, objective_of
from hepml.training.engine._folder import RunFolder

# What the columns decide.
_SIZES = ("outputs", "features", "context", "edge_features", "per")
# Stands for all layers whose shape does not depend on the number of outputs.
ALL_BUT_HEAD = "all-but-head"


@dataclass(frozen=True)
class Taken:
    """What of a checkpoint a network begins with.

    Parameters
    ----------
    path
        The checkpoint.
    weights
        How many tensors were taken.
    new
        The weights that begin anew.
    """

    path: Path
    weights: int
    new: tuple[str, ...]

    def __str__(self) -> str:
        anew = f"; new: {', '.join(self.new)}" if self.new else ""
        return f"begins with {self.weights} tensors of {self.path}{anew}"


def open_pretrained(path: str | Path) -> OpenCheckpoint:
    """A checkpoint, or that of the best epoch in the folder of a run, to begin with.

    Raises
    ------
    FileError
        As :func:`load_checkpoint`.
    """
    path = Path(path)
    return OpenCheckpoint.read(RunFolder(path).best if path.is_dir() else path)


def network_and_arguments(
    opened: OpenCheckpoint, network: Network | None, model: Mapping[str, Any]
) -> tuple[type[nn.Module], dict[str, Any]]:
    """The network of a checkpoint, with its arguments but for those that the columns decide.

    Parameters
    ----------
    opened
        The checkpoint.
    network
        What was named; a class of one's own has to be.
    model
        Arguments that were given: they go before those of the checkpoint.

    Raises
    ------
    InputError
        If another network was named.
    """
    name = opened.info.model
    if network is None and ":" in name:
        raise InputError(
            "network",
            expected=f"the class of {opened.path}, named: a checkpoint imports nothing",
            got="none",
            fix=f"name it if you trust its code: --network {name}",
        )
    kind = find_network(network or name)
    if name_of(kind) != name and (":" not in name or ":" not in name_of(kind)):
        raise InputError(
            "network",
            expected=f"{name}, the network of {opened.path}",
            got=name_of(kind),
            fix="leave it out, or begin with another checkpoint",
        )
    stored = {k: v for k, v in opened.info.arguments.items() if k not in _SIZES}
    return kind, stored | dict(model)


def take_weights(
    built: nn.Module,
    opened: OpenCheckpoint,
    arguments: Mapping[str, Any],
    columns: Columns,
    objective: Objective,
) -> Taken:
    """Give a network the weights of a checkpoint; its last layer only if the outputs are the same.

    Parameters
    ----------
    built
        The network.
    opened
        The checkpoint.
    arguments
        With which the network was built.
    columns
        What it reads: the features and context of the checkpoint, in their order.
    objective
        What it is to learn.

    Raises
    ------
    InputError
        If it reads other things than the network of the checkpoint, or has other layers.
    FileError
        If what the checkpoint says of its columns is damaged.
    """
    try:
        before = Columns.from_dict(opened.info.columns)
        learned = objective_of(before, opened.info.task.get("loss"))
    except Exception as error:
        raise FileError(
            f"checkpoint {opened.path}",
            expected="the columns with which it was trained",
            got=f"{dict(opened.info.columns)!r:.200}",
            fix="begin with a checkpoint of `hepml train`",
        ) from error
    for what, there, here in (
        ("features", before.feature_names, columns.feature_names),
        ("context", before.context_names, columns.context_names),
        ("edges", before.edge_feature_names, columns.edge_feature_names),
    ):
        if tuple(there) != tuple(here):
            raise InputError(
                what,
                expected=f"{', '.join(there) or 'none'}, as {opened.path} has learned with",
                got=", ".join(here) or "none",
                fix="name the columns of that run"
                + ("" if what == "edges" else f", or choose them with --{what}"),
            )
    own = built.state_dict()
    head = {*head_of(type(built), arguments)} & {*own}
    if learned == objective:
        head = set()
    weights = {name: value for name, value in opened.weights.items() if name not in head}
    wrong = [
        f"{name} {list(value.shape)}, here {list(own[name].shape)}"
        for name, value in weights.items()
        if name in own and own[name].shape != value.shape
    ]
    try:
        if wrong:
            raise RuntimeError(", ".join(wrong[:5]))
        built.load_state_dict(weights | {name: own[name] for name in head})
    except RuntimeError as error:
        raise InputError(
            f"network {type(built).__name__}",
            expected=f"the layers of {opened.path}, whose arguments are "
            f"{dict(opened.info.arguments)!r:.300}",
            got=" ".join(str(error).split())[:500],
            fix="leave the arguments of the network out: they come from the checkpoint",
        ) from error
    return Taken(opened.path, len(weights), tuple(name for name in own if name in head))


def head_of(network: type[nn.Module], arguments: Mapping[str, Any]) -> list[str]:
    """The weights whose shape depends on the number of outputs."""
    if not takes(network, "outputs"):
        return []
    # Weights that are drawn here are drawn from nobody's numbers.
    with torch.random.fork_rng():
        one, other = (
            build_model(network, {**arguments, "outputs": arguments["outputs"] + more}).state_dict()
            for more in (0, 1)
        )
    return [name for name in one if name in other and one[name].shape != other[name].shape]


def frozen_patterns(
    freeze: Sequence[str], network: type[nn.Module], arguments: Mapping[str, Any], built: nn.Module
) -> list[str]:
    """The names of frozen weights, those of ``all-but-head`` among them."""
    found = [pattern for pattern in freeze if pattern != ALL_BUT_HEAD]
    if len(found) < len(freeze):
        head = head_of(network, arguments)
        layers = {name.rpartition(".")[0] for name in head}
        for name, module in built.named_modules():
            inside = any(layer == name or layer.startswith(f"{name}.") for layer in layers)
            if not inside and name:
                if next(module.parameters(recurse=False), None) is not None:
                    found.append(name)
            elif name not in layers:
                prefix = f"{name}." if name else ""
                found += [prefix + own for own, _ in module.named_parameters(recurse=False)]
    return found


def slower_factors(words: Mapping[str, float] | Sequence[str]) -> dict[str, float]:
    """Factors of the learning rate by pattern, also from words as in ``levels.*=0.1``.

    Raises
    ------
    InputError
        If a word is no pattern with a number.
    """
    if isinstance(words, Mapping):
        return {name: float(factor) for name, factor in words.items()}
    found = {}
    for word in words:
        pattern, _, number = word.rpartition("=")
        try:
            found[pattern] = float(number)
        except ValueError:
            pattern = ""
        if not pattern:
            raise InputError(
                "slower",
                expected="names or patterns of layers with a factor, as in levels.*=0.1",
                got=repr(word),
                fix="write PATTERN=FACTOR",
            )
    return found
