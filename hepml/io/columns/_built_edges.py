"""Edges that no file holds: they are made of the nodes while these are read."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from hepml.io.columns._edges import EdgeColumns


@dataclass(frozen=True)
class BuiltEdges(EdgeColumns):
    """Edges between the nodes of a graph that are made while it is read.

    Parameters
    ----------
    features, label
        Of columns of the nodes, ``sender.part_eta - receiver.part_eta``.
    """

    def _check_period(self, period: Mapping[str, int | float]) -> None:
        """Refuse periods that are none."""
        if not all(
            isinstance(each, int | float) and 0 < each < math.inf for each in period.values()
        ):
            self._refuse("period", "positive numbers", period, "write {phi: 6.283185307179586}")


@dataclass(frozen=True)
class AllPairs(BuiltEdges):
    """An edge from each node of a graph to each other one."""


@dataclass(frozen=True)
class NearestNeighbours(BuiltEdges):
    """Edges to each node from the nearest ones in its graph.

    Parameters
    ----------
    neighbours
        How many; all others, in a graph that has fewer.
    period
        The periods of positions that have one: ``{phi: 6.283185307179586}``.

    Notes
    -----
    Near is what is near in the positions of the nodes (``Collection.positions``), as
    :func:`hepml.ops.nearest_neighbours` finds it.
    """

    neighbours: int
    period: Mapping[str, int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.neighbours:
            self._refuse("neighbours", "one or more", self.neighbours, "16 is usual")
        self._check_period(self.period)


@dataclass(frozen=True)
class NeighboursWithin(BuiltEdges):
    """Edges between the nodes of a graph that are no further apart than a distance.

    Parameters
    ----------
    distance
        The largest distance in the positions of the nodes (``Collection.positions``), in their
        units.
    period
        As in :class:`NearestNeighbours`.
    """

    distance: int | float
    period: Mapping[str, int | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.distance, bool) or not 0 < self.distance < math.inf:
            self._refuse("distance", "a number above 0", self.distance, "0.4 is usual in jets")
        self._check_period(self.period)
