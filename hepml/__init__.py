"""Networks that respect the physics, on ragged sets of particles, from ROOT file to score.

Importing this package costs nothing; each name is imported from the package it belongs to,
as in ``from hepml.data import ParticleSet`` or ``from hepml.models import LorentzNet``.
"""

__version__ = "0.1.0"
