"""Containers: ragged batches of particles and of graphs flow from the file to the score."""

from typing import TYPE_CHECKING

from hepml.data._concatenate import concatenate
from hepml.data._declarations import Level, bounds_of, per, places_of
from hepml.data._graph import Graph
from hepml.data._padded import PaddedParticles
from hepml.data._particle_set import ParticleSet
from hepml.data._phase_space import PhaseSpace
from hepml.data._places import hardest_places, other_padding, particle_places
from hepml.data._ragged import Ragged
from hepml.data._rows import Per, Rows, rows_of
from hepml.data._trajectories import Trajectories
from hepml.lazy import attach

if TYPE_CHECKING:
    from hepml.data._awkward import momentum_components

__all__ = [
    "Graph",
    "Level",
    "PaddedParticles",
    "ParticleSet",
    "Per",
    "PhaseSpace",
    "Ragged",
    "Rows",
    "Trajectories",
    "bounds_of",
    "concatenate",
    "hardest_places",
    "momentum_components",
    "other_padding",
    "particle_places",
    "per",
    "places_of",
    "rows_of",
]

if not TYPE_CHECKING:
    # A batch does not wait for awkward.
    __getattr__, __dir__ = attach(__name__, {"momentum_components": "_awkward"})
