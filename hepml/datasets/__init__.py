"""Recipes that make data: jets from Pythia and a detector in numpy.

pythia8mc and fastjet are needed to run them, not to import this package.
"""

from hepml.datasets._top_tagging import generate_top_tagging

__all__ = ["generate_top_tagging"]
