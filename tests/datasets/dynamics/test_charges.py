"""Against the closed forms of accelerator physics."""

import math

import numpy as np
import pytest
import torch

from hepml.datasets import InteractingCharges, Quadrupole, UniformField, follow

pytest.importorskip("scipy", reason="needs scipy")
E_CHARGE = 0.299792458


def test_a_pion_bends_with_p_over_eB():
    system = UniformField()
    pt, field = 0.5, system.field
    # At the origin A = 0: canonical and kinetic momentum agree.
    start = np.array([[[[0.0, 0.0]]], [[[pt, 0.0]]]])
    radius, energy = pt / (E_CHARGE * field), math.hypot(pt, system.mass)
    period = 2 * math.pi * radius * energy / pt
    q, _ = follow(system, start, np.array([0, period / 2, period]))
    np.testing.assert_allclose(q[0, 2, 0], [0, 0], rtol=0, atol=1e-10)
    # A positive charge turns clockwise about a field along z.
    np.testing.assert_allclose(q[0, 1, 0], [0, -2 * radius], rtol=0, atol=1e-10)


def test_a_quadrupole_focuses_in_x_and_defocuses_in_y():
    system = Quadrupole()
    pz, x, y = 1.0, 1e-4, 2e-4
    start = np.array([[[[x, y, 0.0]]], [[[0.0, 0.0, pz]]]])
    # Close to the axis, per length of path: x'' = -k x, y'' = k y, with k = e g / p.
    k = math.sqrt(E_CHARGE * system.gradient / pz)
    t = np.linspace(0, 1.5, 4)
    s = t * pz / math.hypot(pz, system.mass)
    q, p = follow(system, start, t)
    np.testing.assert_allclose(q[0, :, 0, 0], x * np.cos(k * s), rtol=0, atol=1e-9)
    np.testing.assert_allclose(q[0, :, 0, 1], y * np.cosh(k * s), rtol=0, atol=1e-9)
    assert np.ptp(p[0, :, 0, 2]) < 1e-12


def test_charges_without_interaction_turn_at_the_cyclotron_frequency():
    system = InteractingCharges(coupling=0.0)
    start = system.draw(np.random.default_rng(0), 2)
    t = np.array([0, 2 * math.pi / system.field])
    q, p = follow(system, start, t)
    np.testing.assert_allclose(q[:, 1], q[:, 0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(p[:, 1], p[:, 0], rtol=0, atol=1e-10)


def test_equal_charges_repel():
    system = InteractingCharges()
    q = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]]], dtype=torch.float64)
    p = system.field / 2 * torch.stack([-q[..., 1], q[..., 0]], -1)
    rate_q, rate_p = system.rates(q, p)
    assert rate_q.abs().max() == 0
    assert rate_p[0, 0, 0] < -0.4
    assert rate_p[0, 1, 0] > 0.4
