"""Containers: one ragged batch of particles flows from the file to the score."""

from hepml.data._particle_set import ParticleSet, concatenate

__all__ = ["ParticleSet", "concatenate"]
