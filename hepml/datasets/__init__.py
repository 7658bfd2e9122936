"""Recipes that make data: jets from Pythia and a detector in numpy.

pythia8mc and fastjet are needed to run them, not to import this package.
"""

from hepml.datasets.dynamics._charges import InteractingCharges, Quadrupole, UniformField
from hepml.datasets.dynamics._system import (
    System,
    follow,
    simulate,
)
from hepml.datasets.dynamics._table import SYSTEMS
from hepml.datasets.dynamics._textbook import MassSpring, Pendulum, ThreeBody, TwoBody
from hepml.datasets.jets._top_tagging import generate_top_tagging

__all__ = [
    "SYSTEMS",
    "InteractingCharges",
    "MassSpring",
    "Pendulum",
    "Quadrupole",
    "System",
    "ThreeBody",
    "TwoBody",
    "UniformField",
    "follow",
    "generate_top_tagging",
    "simulate",
]
