"""Edges that are made of the nodes of a chunk: all pairs, the nearest, those within a distance."""

from typing import Any

import numpy as np
import torch

from hepml.io.chunks._assemble import Particles
from hepml.io.chunks._binding import Bound
from hepml.io.columns._built_edges import AllPairs, NearestNeighbours, NeighboursWithin
from hepml.io.columns._edges import EdgeColumns
from hepml.ops import all_pairs, nearest_neighbours, neighbours_within


def built(bound: Bound, edges: EdgeColumns, particles: Particles) -> Any:
    """Senders and receivers (2, edges) of edges of this way, among the nodes of the batch."""
    offsets = torch.from_numpy(particles.offsets)
    # Graphs with positions that are not finite are bad: their edges go with them.
    positions = torch.from_numpy(np.nan_to_num(particles.positions, posinf=0.0, neginf=0.0))
    names = [*bound.columns.collections[0].positions]
    if isinstance(edges, NearestNeighbours):
        period = [edges.period.get(name) for name in names]
        found = nearest_neighbours(positions, offsets, edges.neighbours, period=period)
    elif isinstance(edges, NeighboursWithin):
        period = [edges.period.get(name) for name in names]
        found = neighbours_within(positions, offsets, edges.distance, period=period)
    else:
        assert isinstance(edges, AllPairs)
        found = all_pairs(offsets, len(positions))
    return np.stack([found.senders.numpy(), found.receivers.numpy()])
