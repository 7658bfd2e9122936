"""Track parameters at the point of closest approach to the beam line."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

# pt [GeV] = GEV_PER_TESLA_MM * field [T] * radius [mm]: the speed of light in 1e12 mm/s.
GEV_PER_TESLA_MM = 2.99792458e-4


def radius_of_curvature(
    pt: Float[np.ndarray, " tracks"], charge: Int64[np.ndarray, " tracks"], field: float
) -> Float[np.ndarray, " tracks"]:
    """The radius in mm of the circle on which a charged particle moves, with the charge's sign."""
    return pt / (GEV_PER_TESLA_MM * field * charge)


def perigee(
    vertex: Float[np.ndarray, "tracks 3"],
    momentum: Float[np.ndarray, "tracks 3"],
    charge: Int64[np.ndarray, " tracks"],
    field: float,
) -> tuple[
    Float[np.ndarray, " tracks"], Float[np.ndarray, " tracks"], Float[np.ndarray, " tracks"]
]:
    """d0 and z0 (mm) and the azimuth there (rad) of charged particles relative to the z axis.

    The particle moves on a helix through its vertex; at the point of the helix closest to the z
    axis its azimuth is phi0 and its position is ``(-d0 sin phi0, d0 cos phi0, z0)``.

    Parameters
    ----------
    vertex
        A point of the track in mm.
    momentum
        (px, py, pz) there, in GeV, with pt > 0.
    charge
        In units of the proton's, not 0.
    field
        Along +z, in tesla, not 0.

    Notes
    -----
    The sign of d0 is that of ATLAS, and of CMS' ``dxy = y cos phi - x sin phi``; the branch ``D0``
    of Delphes has the opposite one. Nothing here is signed by the direction of a jet.

    References
    ----------
    T. Cornelissen et al., ATL-SOFT-PUB-2007-003, section 3 (perigee parameters).
    """
    px, py, pz = momentum.T
    pt = np.hypot(px, py)
    phi = np.arctan2(py, px)
    rho = radius_of_curvature(pt, charge, field)
    center_x = vertex[:, 0] + rho * np.sin(phi)
    center_y = vertex[:, 1] - rho * np.cos(phi)
    sign = np.sign(rho)
    phi0 = np.arctan2(sign * center_x, -sign * center_y)
    d0 = rho - sign * np.hypot(center_x, center_y)
    turned = (phi0 - phi + np.pi) % (2 * np.pi) - np.pi
    return d0, vertex[:, 2] - rho * turned * pz / pt, phi0


@dataclass(frozen=True)
class ImpactResolution:
    """Uncertainties of d0 and of z0 sin(theta): ``asymptote * sqrt(1 + (equal_pt / pt)^2)``.

    The rows are (largest |eta|, asymptote of d0 in mm, pt in GeV at which multiple scattering
    contributes as much, the same two numbers for z0 sin(theta)); the last row serves beyond its
    edge too.
    """

    rows: tuple[tuple[float, float, float, float, float], ...]

    def __call__(
        self, momentum: Float[np.ndarray, "tracks 3"]
    ) -> tuple[Float[np.ndarray, " tracks"], Float[np.ndarray, " tracks"]]:
        """The uncertainties of d0 and z0 in mm."""
        pt = np.hypot(momentum[:, 0], momentum[:, 1])
        slope = momentum[:, 2] / pt
        edges, d0, d0_pt, z0, z0_pt = np.array(self.rows).T
        row = np.minimum(np.searchsorted(edges, np.abs(np.arcsinh(slope))), len(edges) - 1)
        # 1 / sin(theta) = cosh(eta) = sqrt(1 + (pz / pt)^2)
        d0_error = d0[row] * np.sqrt(1 + (d0_pt[row] / pt) ** 2)
        z0_error = z0[row] * np.sqrt(1 + (z0_pt[row] / pt) ** 2) * np.sqrt(1 + slope**2)
        return d0_error, z0_error
