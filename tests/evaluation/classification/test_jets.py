"""Kinematics beside scores: against closed forms and against doing it jet by jet."""

import math

import numpy as np
import pytest
import torch

from hepml.data import ParticleSet
from hepml.evaluation._kinematics import Kinematics
from hepml.evaluation.classification._jets import (
    ScoredRows,
    calibration,
    even_edges,
    mass_divergence,
    mass_edges,
    profile,
)
from hepml.lorentz import p4_from_pt_eta_phi_mass


def kinematics(mass):
    """Jets of these masses."""
    return Kinematics(np.full(len(mass), 500.0), np.zeros(len(mass)), np.asarray(mass, float))


def scored(scores, signal, mass=None, weights=None):
    scores, signal = np.asarray(scores, float), np.asarray(signal, bool)
    weights = np.ones(len(scores)) if weights is None else np.asarray(weights, float)
    return ScoredRows(
        scores, signal, weights, kinematics(np.ones(len(scores)) if mass is None else mass), True
    )


def test_kinematics_are_those_of_the_summed_momenta():
    one = torch.tensor
    p4 = p4_from_pt_eta_phi_mass(
        one([30.0, 40.0, 5.0]), one([0.5, 0.5, 1.0]), one([0.0, math.pi / 2, 1.0]), one([0.0] * 3)
    )
    jets = ParticleSet(p4, torch.tensor([0, 2, 2, 3]))
    found = Kinematics.joined([Kinematics.of(jets[:2]), Kinematics.of(jets[2:])])
    np.testing.assert_allclose(found.pt, [50, 0, 5], rtol=1e-6)
    pz = 70 * math.sinh(0.5)
    np.testing.assert_allclose(found.eta, [math.asinh(pz / 50), 0, 1], rtol=1e-6)
    energy = 70 * math.cosh(0.5)
    np.testing.assert_allclose(
        found.mass, [math.sqrt(energy**2 - 50**2 - pz**2), 0, 0], rtol=1e-5, atol=5e-3
    )


def test_a_profile_is_a_binomial_in_each_bin():
    variable = np.array([0.0, 0.5, 0.5, 1.0, 1.5, 2.0, 2.1, -0.1, np.inf, np.nan])
    passing = np.array([1, 0, 0, 1, 1, 1, 0, 0, 0, 0], bool)
    found = profile(variable, passing, np.ones(10), np.array([0.0, 1.0, 2.0]))
    assert found.efficiency.tolist() == [1 / 3, 1.0]
    assert found.uncertainty[0] == pytest.approx(math.sqrt(1 / 3 * 2 / 3 / 3))
    # All three pass: as uncertain as one jet of three.
    assert found.uncertainty[1] == pytest.approx(1 / 3)
    empty = profile(variable, passing, np.ones(10), np.array([5.0, 6.0]))
    assert np.isnan(empty.efficiency).all()


def test_weights_of_a_profile_count_as_so_many_jets():
    variable, passing = np.array([0.1, 0.2, 0.3]), np.array([True, False, False])
    found = profile(variable, passing, np.array([2.0, 1.0, -0.5]), np.array([0.0, 1.0]))
    assert found.efficiency[0] == pytest.approx(2 / 2.5)
    terms = [(2.0 * 0.2) ** 2, (1.0 * 0.8) ** 2, (0.5 * 0.8) ** 2]
    assert found.uncertainty[0] == pytest.approx(math.sqrt(sum(terms)) / 2.5)


@pytest.mark.parametrize(
    "variable", [np.arange(100.0), np.zeros(5), np.array([np.inf, 3.0]), np.zeros(0)]
)
def test_edges_rise(variable):
    for edges in (even_edges(variable), mass_edges(variable)):
        assert len(edges) >= 2
        assert (np.diff(edges) > 0).all()
    if len(variable) == 100:
        counts, _ = np.histogram(variable, even_edges(variable))
        assert set(counts) <= {12, 13}


def test_the_cut_keeps_half_of_the_signal():
    jets = scored([0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 0, 1])
    assert jets.passing().tolist() == [True, True, True, False, False]
    assert jets.passing(0.3).tolist() == [True, False, False, False, False]


def test_the_divergence_is_zero_of_one_shape_and_one_of_two_that_do_not_overlap():
    random = np.random.default_rng(0)
    signal = np.arange(4000) % 2 == 0
    mass = random.uniform(0, 100, 4000)
    blind = scored(random.random(4000), signal, mass)
    assert mass_divergence(blind) < 0.02
    # What passes is a hundredth of the background, at the edge of its masses.
    sculpting = scored(np.where(signal, 99.0, mass), signal, mass)
    assert mass_divergence(sculpting) > 0.9
    # Half of a uniform distribution, of itself: 1 - 3/4 log2(3) + 1/4 log2(2) ... in closed form.
    half = scored(np.where(signal, 50.0, mass), signal, mass)
    p, q = np.array([0.5, 0.5]), np.array([0.0, 1.0])
    m = (p + q) / 2
    exact = (p @ np.log2(p / m) + q[1] * np.log2(q[1] / m[1])) / 2
    assert mass_divergence(half) == pytest.approx(exact, abs=0.02)
    nothing = scored(np.where(signal, 1.0, 0.0), signal, mass)
    assert math.isnan(mass_divergence(nothing))


def test_calibrated_probabilities_lie_on_the_diagonal():
    random = np.random.default_rng(1)
    probability = random.random(20_000)
    signal = random.random(20_000) < probability
    found = calibration(scored(probability, signal))
    assert found.error < 0.012
    pulls = (found.observed - found.predicted) / found.uncertainty
    assert 0.5 < np.sqrt((pulls**2).mean()) < 1.6
    # All said to be 0.8, half are: off by 0.3, in a single bin.
    sure = calibration(scored(np.full(100, 0.8), np.arange(100) % 2 == 0))
    assert sure.error == pytest.approx(0.3)
    assert sure.predicted.tolist() == pytest.approx([0.8])
    assert sure.observed.tolist() == [0.5]
    edge = calibration(scored([0.0, 1.0], [False, True]))
    assert edge.error == 0.0
