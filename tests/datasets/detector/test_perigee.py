"""Perigee parameters against a track that is followed step by step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepml.datasets.detector._atlas_card import IMPACT_RESOLUTION
from hepml.datasets.detector._perigee import perigee


def followed(vertex, momentum, charge, field, path):
    """Position and direction after a signed path length: d(direction)/ds from the Lorentz force.

    Runge-Kutta steps of dx/ds = u, du/ds = 0.299792458e-3 q/|p| u x B, in mm, GeV, tesla.
    """
    size = np.linalg.norm(momentum)
    strength = 2.99792458e-4 * charge / size
    magnetic = np.array([0.0, 0.0, field])

    def slope(state):
        return np.concatenate([state[3:], strength * np.cross(state[3:], magnetic)])

    state = np.concatenate([vertex, momentum / size])
    steps = 400
    for _ in range(steps):
        h = path / steps
        k1 = slope(state)
        k2 = slope(state + h / 2 * k1)
        k3 = slope(state + h / 2 * k2)
        k4 = slope(state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state[:3], state[3:]


@pytest.mark.parametrize("charge", [-2, -1, 1])
@pytest.mark.parametrize("field", [2.0, -3.8])
def test_the_perigee_lies_on_the_track_where_it_is_closest_to_the_axis(charge, field):
    rng = np.random.default_rng(5)
    for _ in range(4):
        vertex, momentum = rng.normal(0, 3, 3), rng.normal([0.5, 0.2, 0], 1)
        (d0,), (z0,), (phi0,) = perigee(vertex[None], momentum[None], np.array([charge]), field)
        pt = np.hypot(*momentum[:2])
        turned = (phi0 - np.arctan2(momentum[1], momentum[0]) + np.pi) % (2 * np.pi) - np.pi
        # dphi/ds = -0.3e-3 q B / |p|
        path = -turned * np.linalg.norm(momentum) / (2.99792458e-4 * charge * field)
        position, direction = followed(vertex, momentum, charge, field, path)
        expected = [-d0 * np.sin(phi0), d0 * np.cos(phi0), z0]
        np.testing.assert_allclose(position, expected, atol=1e-8)
        transverse = np.array([np.cos(phi0), np.sin(phi0)])
        np.testing.assert_allclose(direction[:2], transverse * (pt / np.linalg.norm(momentum)))
        # Closest: the transverse position is at right angles to the direction.
        assert position[:2] @ direction[:2] == pytest.approx(0, abs=1e-8)


def test_a_nearly_straight_track_has_the_signs_of_atlas_and_of_cms_dxy():
    vertex = np.array([[0.3, -0.7, 5.0]])
    momentum = np.array([[3e6, 1e6, 2e6]])
    d0, z0, phi0 = perigee(vertex, momentum, np.array([1]), 2.0)
    x, y, z = vertex[0]
    px, py, pz = momentum[0]
    pt = np.hypot(px, py)
    assert d0[0] == pytest.approx((y * px - x * py) / pt, rel=1e-5)
    assert z0[0] == pytest.approx(z - (x * px + y * py) / pt * pz / pt, rel=1e-5)
    assert phi0[0] == pytest.approx(np.arctan2(py, px), rel=1e-5)


@given(st.floats(0.2, 500), st.floats(-3, 3), st.sampled_from([-1, 1]))
def test_a_track_from_the_origin_has_no_impact_parameter(pt, phi, charge):
    momentum = np.array([[pt * np.cos(phi), pt * np.sin(phi), 0.7 * pt]])
    d0, z0, phi0 = perigee(np.zeros((1, 3)), momentum, np.array([charge]), 2.0)
    assert abs(d0[0]) < 1e-9 * pt / 6e-4
    assert abs(z0[0]) < 1e-9 * pt / 6e-4
    assert phi0[0] == pytest.approx(phi, abs=1e-9)


def test_the_uncertainties_fall_to_their_asymptotes():
    momentum = np.array([[14.0, 0, 0], [1e9, 0, 0], [1e6, 0, 1e6 * np.sinh(2.0)]])
    d0, z0 = IMPACT_RESOLUTION(momentum)
    assert d0 == pytest.approx([0.010 * np.sqrt(2), 0.010, 0.012])
    assert z0[1] == pytest.approx(0.091)
    assert z0[2] == pytest.approx(0.071 * np.cosh(2.0))
