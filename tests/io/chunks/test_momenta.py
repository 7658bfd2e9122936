"""Momenta from all coordinates: vector is the oracle."""

import numpy as np
import pytest
import vector
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hepml.io.chunks._momenta import fill_p4


def from_coordinates(unit=1.0, dtype=np.float64, **coordinates):
    p4 = np.full((len(next(iter(coordinates.values()))), 4), np.nan, dtype)
    fill_p4(p4, coordinates, unit)
    return p4


def oracle(**coordinates):
    v = vector.array(coordinates)
    return np.stack([v.E, v.px, v.py, v.pz], axis=1)


def column(low, high):
    return arrays.arrays(np.float64, 5, elements=st.floats(low, high))


@given(column(0, 1e4), column(-5, 5), column(-3.2, 3.2), column(0, 200))
def test_polar_coordinates_agree_with_vector(pt, eta, phi, mass):
    expected = oracle(pt=pt, eta=eta, phi=phi, mass=mass)
    np.testing.assert_allclose(
        from_coordinates(pt=pt, eta=eta, phi=phi, mass=mass), expected, rtol=1e-12, atol=1e-10
    )
    energy = expected[:, 0]
    np.testing.assert_allclose(
        from_coordinates(pt=pt, eta=eta, phi=phi, energy=energy), expected, rtol=1e-12, atol=1e-10
    )


@pytest.mark.parametrize("coordinates", [("E", "px", "py", "pz"), ("pt", "eta", "phi", "mass")])
def test_mev(coordinates):
    rows = {name: np.array([0.7, 1.3]) for name in coordinates}
    scaled = {k: v * 1000 if k not in ("eta", "phi") else v for k, v in rows.items()}
    np.testing.assert_allclose(
        from_coordinates(unit=1e-3, **scaled), from_coordinates(**rows), rtol=1e-13
    )


def test_negative_mass_is_space_like_as_in_vector():
    rows = {
        "pt": np.array([3.0]), "eta": np.array([0.4]), "phi": np.array([1.0]),
        "mass": np.array([-2.0]),
    }  # fmt: skip
    p4 = from_coordinates(**rows)
    np.testing.assert_allclose(p4[:, 0] ** 2 - (p4[:, 1:] ** 2).sum(1), -4.0, rtol=1e-12)
    np.testing.assert_allclose(p4, oracle(**rows), rtol=1e-12)


def test_single_precision_is_rounded_once():
    """Energy and momentum in float32 are the nearest to those in float64."""
    random = np.random.default_rng(0)
    rows = {
        "pt": random.uniform(1, 900, 500).astype(np.float32),
        "eta": random.uniform(-3, 3, 500).astype(np.float32),
        "phi": random.uniform(-3, 3, 500).astype(np.float32),
        "mass": np.full(500, 0.14, np.float32),
    }
    exact = from_coordinates(**{k: v.astype(np.float64) for k, v in rows.items()})
    np.testing.assert_array_equal(
        from_coordinates(dtype=np.float32, **rows), exact.astype(np.float32)
    )


def test_lost_tracks_of_delphes_are_not_finite():
    """No transverse momentum at eta = 999.9: to be cut away, not to be read as a number."""
    p4 = from_coordinates(pt=np.zeros(1), eta=np.full(1, 999.9), phi=np.zeros(1), mass=np.zeros(1))
    assert np.isnan(p4).any()
