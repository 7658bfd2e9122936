"""Four-momenta out of the coordinates in which files store them."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def fill_p4(p4: Any, coordinates: Mapping[str, Any], unit: float) -> None:
    """Write (E, px, py, pz) in GeV into the rows of a table.

    Parameters
    ----------
    p4
        The table to fill, one row for each particle.
    coordinates
        Arrays under the names (E, px, py, pz), (pt, eta, phi, mass) or (pt, eta, phi, energy).
    unit
        The unit of the file in GeV.
    """
    if "px" in coordinates:
        for i, name in enumerate(("E", "px", "py", "pz")):
            if unit == 1.0:
                p4[:, i] = coordinates[name]
            else:
                np.multiply(coordinates[name], unit, out=p4[:, i], casting="unsafe")
        return
    # Double precision: E and pz must round only once, or light particles get a mass of their own.
    pt, eta, phi = (np.asarray(coordinates[name], np.float64) for name in ("pt", "eta", "phi"))
    pt = pt * unit
    with np.errstate(all="ignore"):
        pz = pt * np.sinh(eta)
        if "energy" in coordinates:
            energy = np.asarray(coordinates["energy"], np.float64) * unit
        else:
            mass = np.asarray(coordinates["mass"], np.float64) * unit
            # vector's convention: a negative mass means that m^2 is negative.
            energy = np.sqrt(np.maximum(pt**2 + pz**2 + np.copysign(mass**2, mass), 0.0))
        p4[:, 0] = energy
        p4[:, 1] = pt * np.cos(phi)
        p4[:, 2] = pt * np.sin(phi)
        p4[:, 3] = pz
