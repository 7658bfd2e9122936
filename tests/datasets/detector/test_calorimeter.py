"""Cells, and the subtraction of tracks, on hand-made deposits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepml.datasets.detector._atlas_card import ATLAS_CARD
from hepml.datasets.detector._calorimeter import measure
from hepml.datasets.detector._response import Resolution

PERFECT = Resolution(((5.0, 0.0, 0.0, 0.0),))
CALORIMETERS = pytest.mark.parametrize(
    "calorimeter", [ATLAS_CARD.ecal, ATLAS_CARD.hcal], ids=["ecal", "hcal"]
)


def run(calorimeter, deposits, tracks=(), resolutions=(), seed=1):
    """Measure deposits and tracks given as (cell of event 0, energy)."""
    p4 = np.zeros((len(tracks), 4))
    p4[:, 0] = [energy for _, energy in tracks]
    return measure(
        calorimeter,
        np.array([cell for cell, _ in deposits], np.int64),
        np.array([energy for _, energy in deposits], np.float64),
        np.array([cell for cell, _ in tracks], np.int64),
        p4,
        np.array(resolutions, np.float64),
        np.random.default_rng(seed),
    )


@CALORIMETERS
@given(eta=st.floats(-4.85, 4.85), phi=st.floats(-3.1415, 3.1415))
def test_a_direction_lies_within_the_bounds_of_its_cell(calorimeter, eta, phi):
    cell = calorimeter.cell(np.array([eta]), np.array([phi]))
    low_eta, high_eta, low_phi, high_phi = calorimeter.bounds(cell)[0]
    assert low_eta <= eta <= high_eta
    assert low_phi - 1e-9 <= phi <= high_phi + 1e-9


@CALORIMETERS
def test_the_cells_cover_the_plane_once(calorimeter):
    low_eta, high_eta, low_phi, high_phi = calorimeter.bounds(np.arange(calorimeter.cells)).T
    area = ((high_eta - low_eta) * (high_phi - low_phi)).sum()
    edges = calorimeter.eta_edges
    assert area == pytest.approx((edges[-1] - edges[0]) * 2 * np.pi, rel=1e-12)
    assert list(edges) == sorted(edges)
    center = calorimeter.cell((low_eta + high_eta) / 2, (low_phi + high_phi) / 2)
    np.testing.assert_array_equal(center, np.arange(calorimeter.cells))


@CALORIMETERS
def test_outside_there_is_no_cell(calorimeter):
    assert calorimeter.cell(np.array([-5.1, 5.1]), np.zeros(2)).tolist() == [-1, -1]


def test_the_cells_have_the_sizes_of_the_card():
    for calorimeter, eta_width, degrees in (
        (ATLAS_CARD.ecal, 0.0174, 1),
        (ATLAS_CARD.hcal, 0.1, 10),
    ):
        for eta in (0.02, -1.23, 2.44):
            cell = calorimeter.cell(np.array([eta]), np.array([0.5]))
            low_eta, high_eta, low_phi, high_phi = calorimeter.bounds(cell)[0]
            assert high_eta - low_eta == pytest.approx(eta_width)
            assert np.degrees(high_phi - low_phi) == pytest.approx(degrees)


def test_without_tracks_every_deposit_becomes_a_neutral_candidate():
    ecal = replace(ATLAS_CARD.ecal, resolution=PERFECT)
    cells = [5000, 5001, 70_000]
    neutrals, scale = run(ecal, [(5000, 3.0), (5001, 7.0), (5000, 1.0), (70_000, 0.4)])
    assert neutrals.p4[:, 0] == pytest.approx([4.0, 7.0])  # 0.4 GeV is below the threshold
    assert scale.shape == (0,)
    eta = np.arcsinh(neutrals.p4[:, 3] / np.hypot(neutrals.p4[:, 1], neutrals.p4[:, 2]))
    phi = np.arctan2(neutrals.p4[:, 2], neutrals.p4[:, 1])
    assert ecal.cell(eta, phi).tolist() == cells[:2]
    np.testing.assert_allclose((neutrals.p4**2) @ [1, -1, -1, -1], 0, atol=1e-12)


def test_a_perfect_calorimeter_splits_its_energy_into_tracks_and_the_rest():
    hcal = replace(ATLAS_CARD.hcal, resolution=PERFECT)
    neutrals, scale = run(hcal, [(900, 10.0), (900, 5.0)], [(900, 10.0)], [0.01])
    assert neutrals.p4[:, 0] == pytest.approx([5.0])
    assert scale.tolist() == [1.0]


def test_a_track_that_explains_its_cell_leaves_nothing():
    neutrals, scale = run(ATLAS_CARD.hcal, [(900, 10.0)], [(900, 30.0)], [0.001])
    assert len(neutrals.p4) == 0
    assert scale == pytest.approx([1.0], abs=1e-3)  # a precise track outweighs the cell


def test_track_and_cell_are_averaged_by_their_uncertainties():
    width = 3.0
    hcal = replace(ATLAS_CARD.hcal, resolution=Resolution(((5.0, 0.0, 0.0, width),)))
    first, second, resolution = 20.0, 12.0, 0.1
    seed = 4
    neutrals, scale = run(
        hcal, [(900, 32.0)], [(900, first), (900, second)], [resolution] * 2, seed
    )
    assert len(neutrals.p4) == 0
    # The cell's measured energy: the first number that the generator gives.
    shape = np.sqrt(np.log1p((width / 32.0) ** 2))
    drawn = np.random.default_rng(seed).standard_normal(1)[0]
    energy = 32.0 * np.exp(shape * drawn - shape**2 / 2)
    track_variance = resolution**2 * (first**2 + second**2)
    weights = np.array([1 / track_variance, 1 / width**2])
    best = weights @ [first + second, energy] / weights.sum()
    np.testing.assert_allclose(scale, best / (first + second), rtol=1e-12)


def test_an_insignificant_cell_is_dropped():
    hcal = ATLAS_CARD.hcal
    # 1.2 GeV passes the threshold in energy but is less than two widths (1.59 GeV alone).
    counts = [len(run(hcal, [(900, 1.2)], seed=seed)[0].p4) for seed in range(50)]
    assert sum(counts) < 10
    assert all(len(run(hcal, [(900, 50.0)], seed=seed)[0].p4) for seed in range(50))


def test_events_do_not_share_cells():
    ecal = replace(ATLAS_CARD.ecal, resolution=PERFECT)
    neutrals, _ = run(ecal, [(5000, 3.0), (5000 + ecal.cells, 2.0)])
    assert neutrals.event.tolist() == [0, 1]
    assert neutrals.p4[:, 0] == pytest.approx([3.0, 2.0])


def test_nothing_gives_nothing():
    neutrals, scale = run(ATLAS_CARD.ecal, [])
    assert neutrals.p4.shape == (0, 4)
    assert scale.shape == (0,)
