"""The numbers of the detector: the Delphes 3 ATLAS card, and ATLAS' impact parameters.

Sources: ``cards/delphes_card_ATLAS.tcl`` of Delphes 3 (commit 15772b7) for everything but the
impact parameters, which the card leaves exact; those are from the ATLAS Collaboration, JINST 3
(2008) S08003, table of the expected track-parameter resolutions (as built for Run 1, before the
insertable B layer). The eight numbers quoted from it have not been checked against the printed
page: take them as this project's choice until somebody has. Departures from the card: the HCAL's
coarse forward rows (|eta| > 2.6) are symmetric here, and all candidates are clustered, muons
included.
"""

from hepml.datasets.detector._calorimeter import Calorimeter
from hepml.datasets.detector._detector import Detector
from hepml.datasets.detector._perigee import ImpactResolution
from hepml.datasets.detector._response import Resolution, Steps

_ENDCAP = 1.5
_TRACKER = 2.5

# In the card: ChargedHadronTrackingEfficiency, ElectronTrackingEfficiency, MuonTrackingEfficiency.
_EFFICIENCY = (
    Steps((0.0, _ENDCAP, _TRACKER), (0.1, 1.0), ((0.70, 0.95), (0.60, 0.85))),
    Steps((0.0, _ENDCAP, _TRACKER), (0.1, 1.0, 100.0), ((0.73, 0.95, 0.99), (0.50, 0.83, 0.90))),
    Steps((0.0, _ENDCAP, _TRACKER), (0.1, 1.0), ((0.75, 0.99), (0.70, 0.98))),
)

# ChargedHadronMomentumSmearing, ElectronMomentumSmearing, MuonMomentumSmearing: relative widths
# sqrt(constant^2 + (linear pt)^2).
_MOMENTUM = (
    Resolution(((0.5, 1.3e-3, 0.0, 0.06), (1.5, 1.7e-3, 0.0, 0.10), (2.5, 3.1e-3, 0.0, 0.25))),
    Resolution(((0.5, 1.3e-3, 0.0, 0.03), (1.5, 1.7e-3, 0.0, 0.05), (2.5, 3.1e-3, 0.0, 0.15))),
    Resolution(((0.5, 1.0e-4, 0.0, 0.01), (1.5, 1.5e-4, 0.0, 0.015), (2.5, 3.5e-4, 0.0, 0.025))),
)

_FORWARD = (3.125, 3.3, 3.475, 3.65, 3.825, 4.0, 4.175, 4.35, 4.525, 4.7, 5.0)
_FINE = tuple(0.0174 * i for i in range(-170, 171))

_ECAL = Calorimeter(
    pid=22,
    eta_edges=(*(-eta for eta in reversed(_FORWARD)), *_FINE, *_FORWARD),
    cells_in_phi=(36,) * len(_FORWARD) + (360,) * (len(_FINE) - 1) + (36,) * len(_FORWARD),
    resolution=Resolution(((3.2, 0.0017, 0.101, 0.0), (4.9, 0.035, 0.285, 0.0))),
    energy_min=0.5,
    significance_min=2.0,
    fractions=((11, 1.0), (22, 1.0), (111, 1.0), (310, 0.3), (3122, 0.3)),
    other_fraction=0.0,
)

_COARSE = (2.8, 3.0, 3.2, 3.5, 3.7, 3.9, 4.1, 4.3, 4.5, 4.7, 4.9)
_TENTHS = tuple(i / 10 for i in range(-26, 27))

_HCAL = Calorimeter(
    pid=130,
    eta_edges=(*(-eta for eta in reversed(_COARSE)), *_TENTHS, *_COARSE),
    cells_in_phi=(18,) * len(_COARSE) + (36,) * (len(_TENTHS) - 1) + (18,) * len(_COARSE),
    resolution=Resolution(
        ((1.7, 0.0302, 0.5205, 1.59), (3.2, 0.05, 0.706, 0.0), (4.9, 0.0942, 1.0, 0.0))
    ),
    energy_min=1.0,
    significance_min=2.0,
    fractions=(
        *((code, 0.0) for code in (11, 22, 111, 12, 13, 14, 16)),
        (310, 0.7),
        (3122, 0.7),
    ),
    other_fraction=1.0,
)

ATLAS_CARD = Detector(
    field=2.0,
    radius=1150.0,
    half_length=3510.0,
    tracking_efficiency=_EFFICIENCY,
    momentum_resolution=_MOMENTUM,
    ecal=_ECAL,
    hcal=_HCAL,
)

# The table gives 0.25 < |eta| < 0.50 and 1.50 < |eta| < 1.75; each serves its side of 1.5 here.
IMPACT_RESOLUTION = ImpactResolution(
    ((_ENDCAP, 0.010, 14.0, 0.091, 2.3), (_TRACKER, 0.012, 20.0, 0.071, 3.7))
)
