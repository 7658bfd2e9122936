"""The detector as a whole: conservation, means, widths, and the way to the calorimeter."""

from dataclasses import replace

import numpy as np
import pytest

from hepml.datasets.detector._atlas_card import ATLAS_CARD
from hepml.datasets.detector._detector import Particles, _entry_point, particle_flow
from hepml.datasets.detector._response import Resolution, Steps

MASSES = {11: 0.000511, 13: 0.10566, 22: 0.0, 130: 0.4976, 211: 0.13957, 310: 0.4976, 2112: 0.9396}
CHARGES = {11: -1, 13: -1, 211: 1}
PERFECT = Resolution(((5.0, 0.0, 0.0, 0.0),))


def ideal(**tracking):
    """The detector without losses, widths and thresholds."""
    return replace(
        ATLAS_CARD,
        tracking_efficiency=(Steps((0.0, 2.5), (0.0,), ((tracking.get("efficiency", 1.0),),)),) * 3,
        momentum_resolution=(PERFECT,) * 3,
        ecal=replace(ATLAS_CARD.ecal, resolution=PERFECT, energy_min=0.0),
        hcal=replace(ATLAS_CARD.hcal, resolution=PERFECT, energy_min=0.0),
    )


def shot(pid, pt, eta, phi=0.3, events=None):
    """One particle for each pt, each in an event of its own unless said otherwise."""
    pt, eta, phi, pid = np.broadcast_arrays(np.atleast_1d(pt), eta, phi, pid)
    code = np.abs(pid)
    mass = np.array([MASSES[int(c)] for c in code])
    charge = np.array([CHARGES.get(int(c), 0) for c in code], np.int64) * np.sign(pid)
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=1)
    energy = np.sqrt((momentum**2).sum(1) + mass**2)
    return Particles(
        np.arange(len(pt)) if events is None else np.asarray(events, np.int64),
        pid.astype(np.int64),
        charge,
        np.column_stack([energy, momentum]),
        np.zeros((len(pt), 3)),
    )


def mixed(count=4000, seed=3):
    """Particles of all visible kinds in 40 events."""
    rng = np.random.default_rng(seed)
    pid = rng.choice([11, -11, 22, 130, 211, -211, 310, 2112], count)
    events = np.sort(rng.integers(0, 40, count))
    pt = 0.5 + rng.exponential(5, count)
    return shot(pid, pt, rng.uniform(-2.4, 2.4, count), rng.uniform(-3.1, 3.1, count), events)


@pytest.mark.parametrize("efficiency", [0.0, 0.5, 1.0])
def test_an_ideal_detector_conserves_the_energy_of_each_event(efficiency):
    particles = mixed()
    found = particle_flow(particles, ideal(efficiency=efficiency), np.random.default_rng(1))
    true = np.bincount(particles.event, particles.p4[:, 0])
    np.testing.assert_allclose(np.bincount(found.event, found.p4[:, 0]), true, rtol=1e-9)


def test_an_ideal_tracker_gives_the_true_momenta():
    particles = mixed()
    found = particle_flow(particles, ideal(), np.random.default_rng(1))
    track = found.source >= 0
    assert track.sum() == (particles.charge != 0).sum()
    np.testing.assert_allclose(found.p4[track], particles.p4[found.source[track]], rtol=1e-9)
    np.testing.assert_array_equal(found.charge[track], particles.charge[found.source[track]])
    np.testing.assert_array_equal(found.pid[track], particles.pid[found.source[track]])


def test_the_order_of_candidates_is_by_event():
    found = particle_flow(mixed(), ATLAS_CARD, np.random.default_rng(1))
    assert (np.diff(found.event) >= 0).all()
    assert set(np.unique(found.pid)) == {-211, -11, 11, 22, 130, 211}
    assert (found.charge[found.source < 0] == 0).all()


@pytest.mark.parametrize(
    ("pid", "fractions"),
    [(22, (1, 0)), (11, (1, 0)), (130, (0, 1)), (310, (0.3, 0.7)), (13, (0, 0)), (12, (0, 0))],
)
def test_where_particles_leave_their_energy(pid, fractions):
    codes = np.array([pid, -pid])
    for calorimeter, expected in zip((ATLAS_CARD.ecal, ATLAS_CARD.hcal), fractions, strict=True):
        assert calorimeter.fraction(codes).tolist() == [expected, expected]


def test_a_muon_is_a_track_and_nothing_else():
    found = particle_flow(shot([13, -13], 40.0, 0.4), ATLAS_CARD, np.random.default_rng(2))
    assert set(found.pid.tolist()) <= {13, -13}
    assert (found.charge == -np.sign(found.pid)).all()


@pytest.mark.parametrize(
    ("pid", "pt", "eta", "efficiency"),
    [(211, 5.0, 0.5, 0.95), (211, 0.5, -2.0, 0.60), (11, 150.0, 1.0, 0.99), (13, 5.0, 2.1, 0.98)],
)
def test_the_tracking_efficiency_is_that_of_the_card(pid, pt, eta, efficiency):
    count = 20_000
    found = particle_flow(shot(np.full(count, pid), pt, eta), ATLAS_CARD, np.random.default_rng(3))
    tracks = (found.source >= 0).sum()
    spread = np.sqrt(efficiency * (1 - efficiency) / count)
    assert tracks / count == pytest.approx(efficiency, abs=5 * spread)


@pytest.mark.parametrize(
    ("pid", "pt", "eta", "width"),
    [
        (13, 40.0, 0.2, np.hypot(0.01, 1e-4 * 40)),
        (13, 300.0, 2.0, np.hypot(0.025, 3.5e-4 * 300)),
        # A charged hadron so soft that the calorimeter's weight is nil.
        (211, 1.5, 0.2, np.hypot(0.06, 1.3e-3 * 1.5)),
    ],
)
def test_the_momentum_resolution_is_that_of_the_card(pid, pt, eta, width):
    count = 20_000
    detector = replace(ATLAS_CARD, hcal=replace(ATLAS_CARD.hcal, fractions=((13, 0.0), (211, 0.0))))
    found = particle_flow(shot(np.full(count, pid), pt, eta), detector, np.random.default_rng(4))
    track = found.source >= 0
    ratio = np.hypot(found.p4[track, 1], found.p4[track, 2]) / pt
    assert ratio.std() == pytest.approx(width, rel=5 / np.sqrt(2 * track.sum()))
    assert ratio.mean() == pytest.approx(1, abs=5 * width / np.sqrt(track.sum()))


@pytest.mark.parametrize(
    ("pid", "energy", "width"),
    [
        (22, 100.0, np.sqrt((0.0017 * 100) ** 2 + 0.101**2 * 100)),
        (130, 100.0, np.sqrt((0.0302 * 100) ** 2 + 0.5205**2 * 100 + 1.59**2)),
    ],
)
def test_the_energy_resolution_is_that_of_the_card(pid, energy, width):
    count = 20_000
    eta = 0.7
    pt = np.sqrt(energy**2 - MASSES[pid] ** 2) / np.cosh(eta)
    found = particle_flow(shot(np.full(count, pid), pt, eta), ATLAS_CARD, np.random.default_rng(5))
    assert len(found.pid) == count
    assert found.p4[:, 0].std() == pytest.approx(width, rel=5 / np.sqrt(2 * count))
    assert found.p4[:, 0].mean() == pytest.approx(energy, abs=5 * width / np.sqrt(count))


@pytest.mark.parametrize("pt", [0.2, 0.34, 0.5, 3.0, 400.0])
@pytest.mark.parametrize("eta", [-0.3, 1.7, 2.3])
@pytest.mark.parametrize("pid", [211, -211])
def test_particles_are_followed_to_the_calorimeter(pt, eta, pid):
    particles = shot(pid, pt, eta, phi=2.9)
    ((found_eta,), (found_phi,)) = _entry_point(particles, ATLAS_CARD)
    # The helix in small steps until it leaves the cylinder.
    turn = -2.99792458e-4 * ATLAS_CARD.field * np.sign(pid) / pt  # rad per mm
    step = 0.05
    s = np.arange(0, ATLAS_CARD.half_length / abs(np.sinh(eta)) + 1, step) + step / 2
    x = np.cumsum(np.cos(2.9 + turn * s)) * step
    y = np.cumsum(np.sin(2.9 + turn * s)) * step
    z = np.sinh(eta) * (s + step / 2)
    out = np.argmax((np.hypot(x, y) > ATLAS_CARD.radius) | (np.abs(z) > ATLAS_CARD.half_length))
    distance = np.hypot(x[out], y[out])
    assert found_eta == pytest.approx(np.arcsinh(z[out] / distance), abs=2e-3)
    turned = (found_phi - np.arctan2(y[out], x[out]) + np.pi) % (2 * np.pi) - np.pi
    assert turned == pytest.approx(0, abs=2e-3)


def test_neutral_particles_fly_straight():
    particles = shot([22, 130], [1.0, 30.0], [0.4, -2.2], phi=-1.0)
    eta, phi = _entry_point(particles, ATLAS_CARD)
    np.testing.assert_allclose(eta, [0.4, -2.2], rtol=1e-12)
    np.testing.assert_allclose(phi, -1.0, rtol=1e-12)


def test_an_event_without_particles_gives_no_candidates():
    nothing = shot(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0))
    assert len(particle_flow(nothing, ATLAS_CARD, np.random.default_rng(1)).pid) == 0
