"""Graphs in HDF5: flat datasets of all nodes and edges, and where each graph begins."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from hepml.errors import ColumnError, DataError
from hepml.io.formats._hdf5_file import reading
from hepml.io.formats._identity import Identity, check_unchanged, state_of
from hepml.io.formats._table import Column, Table

_NODES, _EDGES, _INDEX = "node_offsets", "edge_offsets", "edge_index"
# Levels beside these two: of the graphs, and not known.
_GRAPH, _OPEN = "graph", "open"
_WORDS = {_NODES: "node", _EDGES: "edge", _GRAPH: "graph"}


class _Place(NamedTuple):
    """Where a column lies: in a dataset, there in a row or column, and what it has a number for."""

    dataset: str
    level: str
    """The offsets of what it is a list of; "graph" if it has a number for each graph."""
    channel: int | None = None
    along: int = 0
    """The axis of the nodes, edges or graphs."""


def graph_groups(file: Any) -> list[str]:
    """The groups of an open file that hold graphs; the file itself is ``/``."""
    found = ["/"] if _is_graphs(file) else []

    def visit(name: str, node: Any) -> None:
        if _is_graphs(node):
            found.append(name)

    file.visititems(visit)
    return found


def _is_graphs(node: Any) -> bool:
    return hasattr(node, "keys") and {_NODES, _EDGES} <= set(node.keys())


class GraphTable(Table):
    """A group with ``node_offsets`` and ``edge_offsets``, (graphs + 1) each, as a table of graphs.

    Every other dataset whose first axis counts the nodes, edges or graphs of all is a column: that
    of a table ``x (nodes, channels)`` is ``x_0``, ``x_1``, ... ``edge_index (2, edges)`` is
    ``edge_index_0`` and ``edge_index_1``. ``node_offsets`` is the number of the first node of each
    graph, for indices that count through: ``edge_index_0 - node_offsets``.

    See :class:`hepml.io.formats._table.Table`.

    Raises
    ------
    DataError
        If the offsets are none.
    """

    def __init__(self, file: Any, path: str, tree: str) -> None:
        self.file, self.tree = path, tree
        self.source = f"{path}:{tree}"
        self._file, self._group = file, file[tree]
        self._offsets = {name: self._bounds(name) for name in (_NODES, _EDGES)}
        nodes, edges = self._offsets.values()
        if len(nodes) != len(edges):
            raise DataError(
                self.source,
                expected=f"{_NODES} and {_EDGES} of equally many graphs",
                got=f"{len(nodes) - 1} and {len(edges) - 1}",
                fix="write both with one number more than there are graphs",
            )
        self.entries = len(nodes) - 1
        self._places = self._columns()
        self.identity = self._identity()

    def names(self) -> Sequence[str]:
        return list(self._places)

    def types(self) -> dict[str, str]:
        """The type of each column."""
        return {
            name: self._group[place.dataset].dtype.name + "[]" * (place.level != _GRAPH)
            for name, place in self._places.items()
        }

    def bounds(self, names: Iterable[str]) -> Sequence[int]:  # noqa: ARG002  alike for all
        return [0, self.entries]

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        with reading(f"{self.source}, entries {start} to {stop}"):
            columns = {name: self._column(self._places[name], start, stop) for name in names}
        check_unchanged(self.source, self.identity, self._identity())
        return columns

    def list_of(self, name: str) -> Hashable | None:
        level = self._places[name].level
        return None if level in (_GRAPH, _OPEN) else level

    def close(self) -> None:
        self._file.close()

    def _column(self, place: _Place, start: int, stop: int) -> Column:
        """The numbers of a range of graphs."""
        if place.level == _OPEN:
            raise self._open(place.dataset)
        if place.dataset == _NODES:
            return Column(self._offsets[_NODES][start:stop])
        if place.level == _GRAPH:
            return Column(self._values(place, start, stop))
        bounds = self._offsets[place.level][start : stop + 1]
        return Column(self._values(place, int(bounds[0]), int(bounds[-1])), bounds - bounds[0])

    def _values(self, place: _Place, first: int, last: int) -> Any:
        """A range of one channel of a dataset."""
        dataset = self._group[place.dataset]
        if place.channel is None:
            return dataset[first:last]
        along = slice(first, last)
        return dataset[(place.channel, along) if place.along else (along, place.channel)]

    def _bounds(self, name: str) -> Any:
        """The bounds of the graphs among nodes or edges."""
        bounds = np.asarray(self._group[name][()])
        right = bounds.ndim == 1 and len(bounds) and bounds.dtype.kind in "iu"
        if not right or bounds[0] != 0 or (np.diff(bounds.astype(np.int64)) < 0).any():
            raise DataError(
                f"{self.source}, dataset {name!r}",
                expected="where each graph begins: whole numbers that never fall, from 0 up to the "
                "number of all",
                got=f"{bounds.dtype} of shape {bounds.shape}, {bounds.reshape(-1)[:5].tolist()}",
                fix="write (graphs + 1) numbers",
            )
        return bounds.astype(np.int64)

    def _columns(self) -> dict[str, _Place]:
        """Every column, by what its dataset has numbers for."""
        sizes = {level: int(bounds[-1]) for level, bounds in self._offsets.items()}
        sizes[_GRAPH] = self.entries
        places = {_NODES: _Place(_NODES, _GRAPH)}
        for name, dataset in self._group.items():
            if name in (_NODES, _EDGES) or getattr(dataset, "ndim", 0) not in (1, 2):
                continue
            if dataset.dtype.kind not in "biuf":
                continue
            if name == _INDEX and dataset.shape == (2, sizes[_EDGES]):
                places |= {f"{name}_{i}": _Place(name, _EDGES, i, 1) for i in range(2)}
                continue
            level = _level(name, dataset.shape[0], sizes)
            if level is not None and dataset.ndim == 1:
                places[name] = _Place(name, level)
            elif level is not None:
                channels = range(dataset.shape[1])
                places |= {f"{name}_{i}": _Place(name, level, i) for i in channels}
        return places

    def _open(self, dataset: str) -> ColumnError:
        """The error of a dataset of which it is not known what it has numbers for."""
        return ColumnError(
            f"{self.source}, dataset {dataset!r}",
            expected=f"a name that begins with {', '.join(_WORDS.values())}, where two of these "
            "are equally many in all",
            got=f"{len(self._group[dataset])} values",
            fix=f"rename it, as in {_WORDS[_NODES]}_{dataset}",
        )

    def _identity(self) -> Identity:
        """The identity of the file as it is now."""
        descriptor = self._file.id.get_vfd_handle() if self._file.driver == "sec2" else None
        return Identity(self.entries, *state_of(descriptor))


def _level(name: str, size: int, sizes: dict[str, int]) -> str | None:
    """What a dataset of this size has numbers for; where two agree, its name says it."""
    levels = [level for level, own in sizes.items() if own == size]
    if len(levels) < 2:
        return levels[0] if levels else None
    named = [each for each in levels if name.lower().startswith(_WORDS[each])]
    return named[0] if named else _OPEN
