"""Containers: one ragged batch of particles flows from the file to the score."""

from typing import TYPE_CHECKING

from hepml.data._concatenate import concatenate
from hepml.data._padded import PaddedParticles
from hepml.data._particle_set import ParticleSet
from hepml.data._places import hardest_places, other_padding, particle_places
from hepml.data._trajectories import Trajectories
from hepml.lazy import attach

if TYPE_CHECKING:
    from hepml.data._awkward import momentum_components

__all__ = [
    "PaddedParticles",
    "ParticleSet",
    "Trajectories",
    "concatenate",
    "hardest_places",
    "momentum_components",
    "other_padding",
    "particle_places",
]

if not TYPE_CHECKING:
    # A batch does not wait for awkward.
    __getattr__, __dir__ = attach(__name__, {"momentum_components": "_awkward"})
