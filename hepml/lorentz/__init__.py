"""The Lorentz group: metric, coordinates, transformations. Functions of momenta (E, px, py, pz)."""

from hepml.lorentz._coordinates import (
    delta_eta,
    delta_phi,
    delta_r,
    delta_rapidity,
    eta,
    phi,
    pt,
    rapidity,
)
from hepml.lorentz._metric import mass, mass_squared, minkowski_dot
from hepml.lorentz._transformations import boost

__all__ = [
    "boost",
    "delta_eta",
    "delta_phi",
    "delta_r",
    "delta_rapidity",
    "eta",
    "mass",
    "mass_squared",
    "minkowski_dot",
    "phi",
    "pt",
    "rapidity",
]
