"""Efficiencies, resolutions and log-normal smearing against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepml.datasets.detector._response import Resolution, Steps, log_normal

STEPS = Steps((0.0, 1.5, 2.5), (0.1, 1.0), ((0.7, 0.95), (0.6, 0.85)))
RESOLUTION = Resolution(((1.7, 0.03, 0.5, 1.6), (3.2, 0.05, 0.7, 0.0)))


@pytest.mark.parametrize(
    ("eta", "pt", "expected"),
    [
        (0.0, 0.5, 0.7),
        (-1.5, 1.0, 0.7),
        (1.5, 1.01, 0.95),
        (-1.51, 0.11, 0.6),
        (2.5, 900.0, 0.85),
        (0.0, 0.1, 0.0),
        (2.51, 5.0, 0.0),
    ],
)
def test_steps_take_the_upper_edge_of_each_interval(eta, pt, expected):
    assert STEPS(np.array([eta]), np.array([pt]))[0] == expected


@given(st.floats(0, 3.2), st.floats(0, 1000))
def test_a_resolution_is_a_sum_in_quadrature(eta, x):
    linear, root, constant = (0.03, 0.5, 1.6) if eta <= 1.7 else (0.05, 0.7, 0.0)
    expected = np.sqrt(linear**2 * x**2 + root**2 * x + constant**2)
    for sign in (1, -1):
        measured = RESOLUTION(np.array([sign * eta]), np.array([x]))
        assert measured[0] == pytest.approx(expected, rel=1e-12)


def test_the_last_row_of_a_resolution_serves_beyond_its_edge():
    assert RESOLUTION(np.array([5.0]), np.array([10.0])) == RESOLUTION(
        np.array([3.0]), np.array([10.0])
    )


def test_log_normal_has_the_mean_and_the_width_asked_for():
    count = 200_000
    mean, width = np.full(count, 8.0), np.full(count, 3.0)
    drawn = log_normal(mean, width, np.random.default_rng(1))
    # Five standard errors; that of the width of a log-normal needs its kurtosis, here below 10.
    assert drawn.mean() == pytest.approx(8.0, abs=5 * 3.0 / np.sqrt(count))
    assert drawn.std() == pytest.approx(3.0, abs=5 * 3.0 * np.sqrt(10 / 4 / count))
    assert drawn.min() > 0


def test_log_normal_without_width_or_mean():
    drawn = log_normal(np.array([4.0, 0.0]), np.array([0.0, 2.0]), np.random.default_rng(1))
    assert drawn.tolist() == [4.0, 0.0]
