"""Answers for particles, nodes or edges as a list in each entry of a file."""

from typing import Any

import awkward as ak
import numpy as np

from hepml.data import Graph, rows_of
from hepml.deploy._answers import Answers
from hepml.errors import InputError
from hepml.io import Chunk, Columns

# Which nodes an edge joins, beside what is said of it: branches edge_sender and edge_receiver.
_EDGE, _ENDS = "edge", ("sender", "receiver")


def checked_lists(answers: Answers, columns: Columns) -> list[str]:
    """The names of branches that are written beside the answers.

    Raises
    ------
    InputError
        If entries hold several sets, or a target has the name of one of these.
    """
    if answers.per == "set":
        return []
    if columns.collections[0].index is not None:
        raise InputError(
            "tagger",
            expected=f"one set in each entry, for a network with outputs for each {answers.per}",
            got=f"several jets in an entry: their {answers.per}s would be lists of lists",
            fix="predict files of jets",
        )
    if answers.per != "edge":
        return []
    names = [_EDGE, *(f"{_EDGE}_{end}" for end in _ENDS)]
    if taken := {*names, f"n{_EDGE}"} & {*answers.branches}:
        raise InputError(
            "targets",
            expected=f"other names than {', '.join(names)}, which say what an edge joins",
            got=", ".join(sorted(taken)),
            fix="train with another name: --target NAME=EXPRESSION, or in the columns",
        )
    return names


def list_types(answers: Answers) -> dict[str, str]:
    """The types of the lists."""
    if answers.per != "edge":
        return answers.list_types
    ends = ", ".join(f'"{end}": int32' for end in _ENDS)
    return {**answers.list_types, _EDGE: f"var * {{{ends}}}"}


def lists_of(answers: Answers, found: Any, chunk: Chunk) -> dict[str, Any]:
    """The rows of the sets of a chunk as lists of its entries; of those that have none, empty ones.

    Nodes and particles stay in the order in which they are read; edges come in that of the file.
    """
    batch, per = chunk.particles, answers.per
    in_entries = np.zeros(chunk.total, np.int64)
    if per != "edge":
        in_entries[chunk.rows] = batch.counts.numpy()
        flat = answers.lists(found)
    else:
        assert isinstance(batch, Graph)
        in_entries[chunk.rows] = batch.edge_counts.numpy()
        graph = batch.edge_index.numpy()
        order = np.lexsort((chunk.edge_order, graph))
        first = batch.node_offsets.numpy()[graph]
        numbers = (batch.senders.numpy() - first, batch.receivers.numpy() - first)
        ends = [number[order].astype(np.int32) for number in numbers]
        flat = {
            **answers.lists(found[order]),
            _EDGE: ak.zip(dict(zip(_ENDS, ends, strict=True))),
        }
    return {name: ak.unflatten(values, in_entries) for name, values in flat.items()}


def sets_among(answers: Answers, rows: Any, chunk: Chunk) -> Any:
    """The sets of a chunk that hold some of these rows, a mask of its rows."""
    index = rows_of(chunk.particles, answers.per).set_index
    if index is None:
        return rows
    return np.bincount(index.numpy()[rows], minlength=len(chunk.particles)) > 0
