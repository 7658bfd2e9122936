"""What a run is asked for, checked and completed before anything is written."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from torch import nn

from hepml.data import Graph, ParticleSet
from hepml.errors import FileError, InputError
from hepml.io import PRESETS, Columns, iterate, recognise
from hepml.models import MODELS, NETWORKS, example_graphs, example_sets, outputs_of, takes
from hepml.training._objective import Objective, objective_of, with_target
from hepml.training.engine._options import require_at_least

# Enough jets to see that files, columns and model fit together.
_TRIAL = 8

_AT_LEAST = {
    "batch_size": 1,
    "max_sets": 1,
    "max_validation_sets": 1,
    "workers": 0,
    "shuffle_memory": 1,
}


def check_numbers(options: Mapping[str, Any]) -> None:
    """Refuse numbers of sets, processes or megabytes that are too small.

    Raises
    ------
    InputError
        If there is one.
    """
    require_at_least(options, _AT_LEAST)


def choose_columns(
    columns: Columns | Mapping[str, Any] | str | Path | None,
    features: str | Sequence[str],
    files: Sequence[str],
    context: str | Sequence[str] = "all",
    target: str | Sequence[str] = (),
) -> Columns:
    """The columns that a name, a YAML file, plain values or the first file itself stand for.

    Parameters
    ----------
    columns
        Columns, their plain values, the name of a preset, or a YAML file; None means those of the
        layout that the first file is recognised to have.
    features
        ``"all"``, ``"none"``, or the names of features.
    files
        The files to learn from.
    context
        Likewise, of the numbers of each set.
    target
        What is to be learned, see :func:`with_target`.

    Raises
    ------
    InputError
        If there is no such preset, or nothing to be learned, or no such feature or context.
    FileError
        If the YAML file cannot be read, or if the layout of the first file is not known.
    """
    if columns is None:
        layout = recognise(files[0])
        if layout is None:
            raise FileError(
                f"file {files[0]}",
                expected=f"a known layout ({', '.join(PRESETS)})",
                got="branches of none of them",
                fix="name the branches in columns (a YAML file for --columns); "
                f"`hepml inspect {files[0]}` lists them",
            )
        chosen = layout.columns
    elif isinstance(columns, Columns):
        chosen = columns
    elif isinstance(columns, Mapping):
        chosen = Columns.from_dict(columns)
    else:
        chosen = _columns_named(str(columns))
    chosen = with_target(chosen, [target] if isinstance(target, str) else target)
    objective_of(chosen)
    if features != "all":
        chosen = chosen.with_features(_names(features))
    return chosen if context == "all" else chosen.with_context(_names(context))


def _names(text: str | Sequence[str]) -> Sequence[str]:
    """Names that are given one after the other, or "none"."""
    if not isinstance(text, str):
        return text
    return [] if text == "none" else [name.strip() for name in text.split(",")]


def _columns_named(name: str) -> Columns:
    """The columns of a preset or of a YAML file."""
    if name in PRESETS:
        return PRESETS[name]
    try:
        return Columns.from_yaml(name)
    except FileNotFoundError as error:
        near = get_close_matches(name, PRESETS, n=1)
        raise InputError(
            "columns",
            expected=f"a preset ({', '.join(PRESETS)}) or a YAML file",
            got=repr(name),
            fix=f"try {near[0]}" if near else "check the name",
        ) from error


def complete_arguments(
    network: type[nn.Module],
    arguments: Mapping[str, Any],
    columns: Columns,
    objective: Objective | None = None,
) -> dict[str, Any]:
    """The arguments of a model, with the numbers of outputs and channels of the columns.

    Raises
    ------
    InputError
        If the arguments contradict the columns, or the network takes no sets or graphs like these.

    Warns
    -----
    UserWarning
        If the columns have context and the model has no argument of this name.
    """
    objective = objective or objective_of(columns)
    _check_takes(network, columns)
    names = {
        "outputs": objective.names,
        "features": columns.feature_names,
        "context": columns.context_names,
    }
    if not takes(network, "context"):
        if columns.context_names:
            warnings.warn(
                f"context {', '.join(columns.context_names)} is read, but {network.__name__} takes "
                "no argument context: it is used only if the network looks at particles.context",
                UserWarning,
                stacklevel=3,
            )
        del names["context"]
    if takes(network, "edge_features"):
        names["edge_features"] = columns.edge_feature_names
    sizes = {name: len(each) for name, each in names.items()} | {"outputs": objective.outputs}
    for name, size in sizes.items():
        if arguments.get(name, size) != size:
            raise InputError(
                f"{name} of {network.__name__}",
                expected=f"{size}, the number of {', '.join(names[name]) or f'no {name}'} "
                "in the columns",
                got=repr(arguments[name]),
                fix=f"leave {name} out: the columns decide it",
            )
    if objective.per == "set":
        return {**arguments, **sizes}
    if not takes(network, "per") and network.__name__ in MODELS:
        able = [name for name, each in MODELS.items() if takes(each, "per")]
        raise InputError(
            f"network {network.__name__}",
            expected=f"one that gives a row for each particle: {' or '.join(able)}",
            got="one that gives a row for each set",
            fix=f"choose {able[0]}, or a network of your own",
        )
    return {**arguments, **sizes, **({"per": objective.per} if takes(network, "per") else {})}


def example_batch(columns: Columns) -> ParticleSet | Graph:
    """Two sets, or graphs, with all channels of columns, to see what a network makes of them.

    Parameters
    ----------
    columns
        What the network reads.
    """
    features, context = len(columns.feature_names), len(columns.context_names)
    if not columns.edges:
        return example_sets(features, context)
    first = columns.collections[0]
    return example_graphs(
        features,
        context,
        edges=len(columns.edge_feature_names),
        positions=len(first.positions),
        momenta=bool(first.momentum),
    )


def _check_takes(network: type[nn.Module], columns: Columns) -> None:
    """Refuse sets for a network of graphs, and graphs for one of sets."""
    if MODELS.get(network.__name__) is not network:
        return
    wanted = "graphs" if columns.edges else "sets"
    if NETWORKS[network.__name__].takes != wanted:
        able = [name for name in MODELS if NETWORKS[name].takes == wanted]
        raise InputError(
            f"network {network.__name__}",
            expected=f"one that takes {wanted}, as the columns have "
            f"{'edges' if columns.edges else 'no edges'}: {' or '.join(able)}",
            got=f"one that takes {NETWORKS[network.__name__].takes}",
            fix="choose another, or leave edges out of the columns"
            if columns.edges
            else "choose another, or add edges to the columns: edges: {way: all pairs}",
        )


def build_model(network: type[nn.Module], arguments: Mapping[str, Any]) -> nn.Module:
    """The model.

    Raises
    ------
    InputError
        If it does not take these arguments.
    """
    try:
        return network(**arguments)
    except TypeError as error:
        raise InputError(
            f"arguments of {network.__name__}",
            expected="those of its constructor, with outputs and features among them",
            got=f"{dict(arguments)} ({error})",
            fix=f"see `hepml train {network.__name__} --help`"
            if MODELS.get(network.__name__) is network
            else f"let {network.__name__}.__init__ take them",
        ) from error


def try_model(
    model: nn.Module,
    file: str,
    columns: Columns,
    bad: Literal["error", "drop"],
    objective: Objective | None = None,
) -> None:
    """See that file, columns and model fit together, without changing the model.

    Raises
    ------
    HepmlError
        If the file cannot be read with the columns, the model does not take what they give, or
        does not give as many numbers as it has to.
    """
    with closing(iterate(file, columns, step=_TRIAL, max_sets=_TRIAL, bad=bad)) as chunks:
        jets = next(chunks).particles
    objective = objective or objective_of(columns)
    outputs = outputs_of(model.eval(), jets, objective.per)
    # What Tagger will ask of it when it is loaded: better now than after it has learned.
    outputs_of(model, example_batch(columns).to(jets.dtype), objective.per)
    model.train()
    if outputs != objective.outputs:
        expected = f"an output for each of the {objective.outputs} classes"
        if not objective.classifies:
            expected = f"{objective.outputs} outputs for {', '.join(objective.names)}"
        raise InputError(
            f"network {type(model).__name__}",
            expected=expected,
            got=f"{outputs} outputs",
            fix="let its argument outputs decide how many there are",
        )
