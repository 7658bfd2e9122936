"""Recipes that make data: jets from Pythia and a detector in numpy.

pythia8mc and fastjet are needed to run them, not to import this package.
"""

from hepml.datasets._dynamics_charges import InteractingCharges, Quadrupole, UniformField
from hepml.datasets._dynamics_system import (
    System,
    follow,
    simulate,
)
from hepml.datasets._dynamics_table import SYSTEMS
from hepml.datasets._dynamics_textbook import MassSpring, Pendulum, ThreeBody, TwoBody
from hepml.datasets._top_tagging import generate_top_tagging

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
