"""Networks by name, hepml's and those of others, and whether one does what a tagger must."""

import inspect
import traceback
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module

import torch
from torch import Tensor, nn

from hepml.data import Graph, ParticleSet, Per, rows_of
from hepml.errors import HepmlError, InputError
from hepml.models._networks import MODELS
from hepml.ops import all_pairs

# A class, or the name under which it can be imported: package.module:Class.
Network = type[nn.Module] | str


def name_of(network: type[nn.Module]) -> str:
    """The name in :data:`hepml.models.MODELS`, or ``package.module:Class`` for any other class."""
    if MODELS.get(network.__name__) is network:
        return network.__name__
    return f"{network.__module__}:{network.__qualname__}"


def is_importable(name: str) -> bool:
    """Whether another process finds the class of this name."""
    module, _, path = name.partition(":")
    return name in MODELS or (bool(path) and module != "__main__" and "<locals>" not in path)


def find_network(network: Network) -> type[nn.Module]:
    """The class of a name; a module that the name names is imported, which executes it.

    Raises
    ------
    InputError
        If there is none of this name, or if it is no :class:`torch.nn.Module`.
    """
    if not isinstance(network, str):
        return network
    if network in MODELS:
        return MODELS[network]
    module, colon, path = network.partition(":")
    if not colon:
        near = get_close_matches(network, MODELS, n=1, cutoff=0.4)
        raise InputError(
            "network",
            expected=f"one of {', '.join(MODELS)}, or package.module:Class for one of your own",
            got=repr(network),
            fix=f"try {near[0]}" if near else "choose one of them",
        )
    try:
        found: object = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    # What a stranger's module raises while it is imported can be anything.
    except Exception as error:
        raise InputError(
            f"network {network!r}",
            expected="package.module:Class, a class that can be imported",
            got=f"{type(error).__name__}: {error}",
            fix="correct the name, or put the folder of the module into PYTHONPATH",
        ) from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise InputError(
            f"network {network!r}",
            expected="a class of torch.nn.Module",
            got=f"{found!r:.80}",
            fix="name the class of the network",
        )
    return found


def takes(network: type[nn.Module], argument: str) -> bool:
    """Whether the constructor of a class has this argument."""
    parameters = inspect.signature(network).parameters.values()
    return any(p.name == argument or p.kind is p.VAR_KEYWORD for p in parameters)


def outputs_of(model: nn.Module, batch: ParticleSet | Graph, per: Per = "set") -> int:
    """The number of outputs that a model gives for each row, seen on some sets or graphs.

    Parameters
    ----------
    model
        The network.
    batch
        Some sets or graphs.
    per
        What has a row: "set", "particle", "node" or "edge".

    Raises
    ------
    InputError
        If it raises anything, or does not give one row of numbers for what has a row.
    """
    name, graph = type(model).__name__, isinstance(batch, Graph)
    try:
        with torch.no_grad():
            logits = model(batch)
    except HepmlError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise InputError(
            f"network {name}",
            expected=f"one that maps a {type(batch).__name__} to logits ({per}s, outputs)",
            got=f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno}) for "
            f"{batch}",
            fix="let it take such a batch"
            + ("" if graph else "; ParticleSet.to_padded is for networks with masks"),
        ) from error
    index = rows_of(batch, per).set_index
    rows = len(batch) if index is None else index.shape[0]
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != rows:
        got = (
            f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        )
        raise InputError(
            f"network {name}",
            expected=f"logits of shape ({per}s, outputs), ({rows}, ...) for {rows} {per}s",
            got=got,
            fix=f"return one row of numbers for each {per}",
        )
    return int(logits.shape[1])


def example_sets(features: int, context: int) -> ParticleSet:
    """Two sets that look like jets, to see what a network makes of them.

    Of particles, and not a few: networks of others pad, or look for nearest neighbours.
    """
    number = torch.arange(56, dtype=torch.float64)
    pt, eta, phi = 100 / (1 + number), 0.4 * number.sin(), 0.4 * (2.4 * number).cos()
    momentum = torch.stack([pt * phi.cos(), pt * phi.sin(), pt * eta.sinh()], 1)
    energy = (momentum.square().sum(1, keepdim=True) + 0.14**2).sqrt()
    return ParticleSet(
        torch.cat([energy, momentum], 1),
        torch.tensor([0, 24, 56]),
        torch.zeros(56, features, dtype=torch.float64),
        context=torch.zeros(2, context, dtype=torch.float64) if context else None,
    )


def example_graphs(
    features: int, context: int, *, edges: int = 0, positions: int = 0, momenta: bool = False
) -> Graph:
    """The sets of :func:`example_sets` as graphs of all pairs, to see what a network makes of them.

    Parameters
    ----------
    features, context, edges, positions
        How many channels nodes, graphs and edges have, and how many coordinates.
    momenta
        Whether the nodes have momenta.
    """
    sets = example_sets(features, context)
    pairs = all_pairs(sets.offsets, sets.p4.shape[0])
    graph = Graph.from_particles(
        sets,
        pairs.senders,
        pairs.receivers,
        sets.p4.new_zeros(len(pairs.senders), edges) if edges else None,
    )
    directions = sets.p4[:, 1 : 1 + positions] / sets.p4[:, :1]
    return replace(
        graph,
        p4=sets.p4 if momenta else None,
        positions=directions if positions else None,
    )


def class_for(name: str, networks: Sequence[Network]) -> type[nn.Module] | None:
    """The class for the network that a checkpoint names, among hepml's and those that are given.

    One class stands for any name that is not hepml's; of several, that of the same name.
    """
    if name in MODELS:
        return MODELS[name]
    found = [find_network(network) for network in networks]
    if len(found) > 1:
        found = [each for each in found if _last(name_of(each)) == _last(name)]
    return found[0] if len(found) == 1 else None


def _last(name: str) -> str:
    """The name of a class without its module."""
    return name.replace(":", ".").rpartition(".")[2]
