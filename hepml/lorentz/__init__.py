"""The Lorentz group: metric, coordinates, transformations, irreps, Clebsch-Gordan tensors."""

from hepml.lorentz._clebsch_gordan import clebsch_gordan
from hepml.lorentz._conversions import (
    p4_from_momentum_mass,
    p4_from_pt_eta_phi_energy,
    p4_from_pt_eta_phi_mass,
    p4_from_pt_rapidity_phi_mass,
)
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
from hepml.lorentz._irrep import Irrep
from hepml.lorentz._irreps import Irreps, MulIrrep, SortedIrreps
from hepml.lorentz._metric import mass, mass_squared, minkowski_dot, pair_mass
from hepml.lorentz._representations import generators, representation
from hepml.lorentz._sl2c import lorentz_from_sl2c, sl2c_from_lorentz
from hepml.lorentz._su2 import su2_clebsch_gordan
from hepml.lorentz._transformations import boost, random_lorentz, rest_frame, rotation

__all__ = [
    "Irrep",
    "Irreps",
    "MulIrrep",
    "SortedIrreps",
    "boost",
    "clebsch_gordan",
    "delta_eta",
    "delta_phi",
    "delta_r",
    "delta_rapidity",
    "eta",
    "generators",
    "lorentz_from_sl2c",
    "mass",
    "mass_squared",
    "minkowski_dot",
    "p4_from_momentum_mass",
    "p4_from_pt_eta_phi_energy",
    "p4_from_pt_eta_phi_mass",
    "p4_from_pt_rapidity_phi_mass",
    "pair_mass",
    "phi",
    "pt",
    "random_lorentz",
    "rapidity",
    "representation",
    "rest_frame",
    "rotation",
    "sl2c_from_lorentz",
    "su2_clebsch_gordan",
]
