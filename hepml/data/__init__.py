"""Containers: one ragged batch of particles flows from the file to the score."""

from hepml.data._concatenate import concatenate
from hepml.data._padded import PaddedParticles
from hepml.data._particle_set import ParticleSet
from hepml.data._places import hardest_places, other_padding, particle_places
from hepml.data._trajectories import Trajectories

__all__ = [
    "PaddedParticles",
    "ParticleSet",
    "Trajectories",
    "concatenate",
    "hardest_places",
    "other_padding",
    "particle_places",
]
