"""A particle-flow detector in numpy, of the kind that the Delphes cards describe.

All particles of many events go through it at once, as flat arrays.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from hepml.datasets.detector._calorimeter import Calorimeter, measure
from hepml.datasets.detector._perigee import radius_of_curvature
from hepml.datasets.detector._response import Resolution, Steps, log_normal

HADRON, ELECTRON, MUON = 0, 1, 2


@dataclass(frozen=True)
class Detector:
    """A solenoid with a tracker and two calorimeters.

    Parameters
    ----------
    field
        Along z, in tesla.
    radius, half_length
        Of the surface where particles enter the calorimeters, in mm.
    tracking_efficiency, momentum_resolution
        For charged hadrons, electrons, muons, in this order. The resolution is relative, as a
        function of pt in GeV.
    """

    field: float
    radius: float
    half_length: float
    tracking_efficiency: tuple[Steps, Steps, Steps]
    momentum_resolution: tuple[Resolution, Resolution, Resolution]
    ecal: Calorimeter
    hcal: Calorimeter


@dataclass(frozen=True)
class Particles:
    """Final particles of many events as flat arrays.

    ``event`` never falls; ``p4`` is (E, px, py, pz) in GeV; ``vertex`` is where the particle was
    made, in mm.
    """

    event: Int64[np.ndarray, " particles"]
    pid: Int64[np.ndarray, " particles"]
    charge: Int64[np.ndarray, " particles"]
    p4: Float[np.ndarray, "particles 4"]
    vertex: Float[np.ndarray, "particles 3"]


@dataclass(frozen=True)
class Candidates:
    """What the detector reconstructs: tracks, photons and neutral hadrons, by event.

    ``pid`` is +-11, +-13, +-211, 22 or 130; ``source`` is the row of the particle that made a
    track, -1 for a neutral candidate.
    """

    event: Int64[np.ndarray, " candidates"]
    pid: Int64[np.ndarray, " candidates"]
    charge: Int64[np.ndarray, " candidates"]
    p4: Float[np.ndarray, "candidates 4"]
    source: Int64[np.ndarray, " candidates"]


def particle_flow(particles: Particles, detector: Detector, rng: np.random.Generator) -> Candidates:
    """Reconstruct particle-flow candidates from true particles.

    Tracks are lost and smeared. Each calorimeter sums the energies in its cells, smears the sums,
    and subtracts the tracks that point to a cell: what is left, if it is significant, becomes a
    neutral candidate somewhere in the cell; if not, tracks and cell are averaged by their
    uncertainties and the tracks are rescaled.

    Notes
    -----
    Written after the description of Delphes' ``SimpleCalorimeter`` and never compared with Delphes
    itself. Directions of tracks are exact; particles are taken to come from the origin when they
    are followed to the calorimeter; there is no material, no pile-up and no fake track.

    References
    ----------
    J. de Favereau et al. (Delphes 3), JHEP 02 (2014) 057, arXiv:1307.6346, sections 2 and 3.
    """
    eta, phi = _entry_point(particles, detector)
    tracked = _tracked(particles, detector, rng)
    tracks, resolution = _smeared_tracks(particles, tracked, detector, rng)
    found = []
    for calorimeter in (detector.ecal, detector.hcal):
        fraction = calorimeter.fraction(particles.pid)
        cell = calorimeter.cell(eta, phi)
        hit = (cell >= 0) & (fraction > 0)
        key = particles.event * calorimeter.cells + cell
        pointing = hit[tracked]
        chosen = tracked[pointing]
        neutral, scale = measure(
            calorimeter,
            key[hit],
            (particles.p4[:, 0] * fraction)[hit],
            key[chosen],
            tracks[pointing] * fraction[chosen, None],
            resolution[pointing],
            rng,
        )
        tracks[pointing] *= scale[:, None]
        count = len(neutral.event)
        found.append(
            Candidates(
                neutral.event,
                np.full(count, calorimeter.pid, np.int64),
                np.zeros(count, np.int64),
                neutral.p4,
                np.full(count, -1, np.int64),
            )
        )
    species = np.array([211, 11, 13])[_species(particles.pid[tracked])]
    # The negative lepton has the positive code.
    sign = np.where(species == 211, 1, -1) * particles.charge[tracked]
    found.append(
        Candidates(
            particles.event[tracked],
            sign * species,
            particles.charge[tracked],
            tracks,
            tracked,
        )
    )
    return _merge(found)


def _species(pid: Int64[np.ndarray, " particles"]) -> Int64[np.ndarray, " particles"]:
    """HADRON, ELECTRON or MUON."""
    code = np.abs(pid)
    return np.where(code == 11, ELECTRON, np.where(code == 13, MUON, HADRON))


def _pt_eta(
    p4: Float[np.ndarray, "particles 4"],
) -> tuple[Float[np.ndarray, " particles"], Float[np.ndarray, " particles"]]:
    """Transverse momentum and pseudorapidity; 0 and a huge eta along the beam."""
    pt = np.hypot(p4[:, 1], p4[:, 2])
    return pt, np.arcsinh(p4[:, 3] / np.maximum(pt, 1e-12))


def _entry_point(
    particles: Particles, detector: Detector
) -> tuple[Float[np.ndarray, " particles"], Float[np.ndarray, " particles"]]:
    """Pseudorapidity and azimuth where a helix from the origin leaves the tracker."""
    pt, eta = _pt_eta(particles.p4)
    phi = np.arctan2(particles.p4[:, 2], particles.p4[:, 1])
    charge = particles.charge
    bent = np.flatnonzero((charge != 0) & (pt > 0))
    rho = radius_of_curvature(pt[bent], np.abs(charge[bent]), detector.field)
    # Half of the turning angle, at the barrel or at the endcap, whichever comes first.
    slope = np.abs(particles.p4[bent, 3]) / pt[bent]
    endcap = detector.half_length / (2 * rho * np.maximum(slope, 1e-12))
    chord = detector.radius / (2 * rho)
    half = np.minimum(np.where(chord < 1, np.arcsin(np.minimum(chord, 1)), np.inf), endcap)
    distance = np.maximum(2 * rho * np.abs(np.sin(half)), 1e-12)
    eta[bent] = np.arcsinh(2 * rho * half * slope / distance) * np.sign(particles.p4[bent, 3])
    # After more than half a circle the particle stands on the other side of the chord.
    phi[bent] -= np.sign(charge[bent]) * half
    phi[bent] += np.where(np.sin(half) < 0, np.pi, 0)
    return eta, _wrapped(phi)


def _wrapped(phi: Float[np.ndarray, " particles"]) -> Float[np.ndarray, " particles"]:
    """The same angle between -pi and pi."""
    return (phi + np.pi) % (2 * np.pi) - np.pi


def _tracked(
    particles: Particles, detector: Detector, rng: np.random.Generator
) -> Int64[np.ndarray, " tracks"]:
    """The rows of the particles whose track is found."""
    pt, eta = _pt_eta(particles.p4)
    species = _species(particles.pid)
    efficiency = np.choose(species, [f(eta, pt) for f in detector.tracking_efficiency])
    found: Bool[np.ndarray, " particles"] = rng.random(len(pt)) < efficiency
    return np.flatnonzero(found & (particles.charge != 0))


def _smeared_tracks(
    particles: Particles,
    tracked: Int64[np.ndarray, " tracks"],
    detector: Detector,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "tracks 4"], Float[np.ndarray, " tracks"]]:
    """Momenta with a smeared size, true direction and mass, and their relative resolution."""
    p4 = particles.p4[tracked]
    pt, eta = _pt_eta(p4)
    species = _species(particles.pid[tracked])
    resolution = np.choose(species, [f(eta, pt) for f in detector.momentum_resolution])
    scale = log_normal(pt, resolution * pt, rng) / pt
    momentum_squared = (p4[:, 1:] ** 2).sum(1)
    mass_squared = np.maximum(p4[:, 0] ** 2 - momentum_squared, 0)
    smeared = p4 * scale[:, None]
    smeared[:, 0] = np.sqrt(scale**2 * momentum_squared + mass_squared)
    return smeared, resolution


def _merge(found: list[Candidates]) -> Candidates:
    """All candidates, event after event."""
    columns = [
        np.concatenate([getattr(part, name) for part in found])
        for name in Candidates.__dataclass_fields__
    ]
    order = np.argsort(columns[0], kind="stable")
    return Candidates(*(column[order] for column in columns))
