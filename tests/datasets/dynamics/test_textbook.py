"""Against closed forms, and the numbers of the paper."""

import math

import numpy as np
import pytest
import torch

from hepml.datasets import MassSpring, Pendulum, ThreeBody, TwoBody, follow, simulate

pytest.importorskip("scipy", reason="needs scipy")


def test_the_numbers_of_the_paper():
    # Trajectories, observations, span, noise, test fraction: appendix A and the published code.
    numbers = {
        MassSpring: (50, 30, 3.0, 0.1, 0.5),
        Pendulum: (50, 45, 3.0, 0.1, 0.5),
        TwoBody: (1000, 50, 20.0, 0.0, 0.2),
        ThreeBody: (5000, 20, 5.0, 0.0, 0.2),
    }
    for kind, expected in numbers.items():
        assert expected == (
            kind.trajectories,
            kind.times,
            kind.span,
            kind.noise,
            kind.test_fraction,
        )


def test_energies_of_the_paper():
    q, p = torch.tensor([[[0.5]]]), torch.tensor([[[-0.3]]])
    assert float(MassSpring().energy(q, p)) == pytest.approx(0.25 + 0.09)
    assert float(Pendulum().energy(q, p)) == pytest.approx(3 * (1 - math.cos(0.5)) + 0.09)


def test_a_mass_on_a_spring_turns_in_phase_space():
    data = simulate(MassSpring(), trajectories=6)
    angle = 2 * data.t[:, None, None]
    q, p = data.q[:, :1], data.p[:, :1]
    torch.testing.assert_close(data.q, q * angle.cos() + p * angle.sin(), rtol=0, atol=1e-11)
    torch.testing.assert_close(data.p, p * angle.cos() - q * angle.sin(), rtol=0, atol=1e-11)


def test_where_the_textbook_systems_begin():
    random = np.random.default_rng(1)
    for system, low, high in ((MassSpring(), 0.1, 1.0), (Pendulum(), 1.3, 2.3)):
        radius = np.hypot(*system.draw(random, 2000)[..., 0, 0])
        assert low <= radius.min() < low + 0.01
        assert high - 0.01 < radius.max() <= high


@pytest.mark.parametrize("system", [TwoBody(), ThreeBody()])
def test_bodies_begin_near_circles_around_the_centre(system):
    q, p = system.draw(np.random.default_rng(1), 4000)
    assert np.abs(q.sum(1)).max() < 1e-14
    radius = np.linalg.norm(q, axis=-1)
    # What keeps a body on its circle: v^2 / r = the pull of the others.
    bodies = [torch.from_numpy(x) for x in (q, p)]
    with torch.no_grad():
        pull = system.rates(*bodies)[1].numpy()
    assert np.abs((pull * q).sum(-1) + np.linalg.norm(pull, axis=-1) * radius).max() < 1e-12
    circular = np.sqrt(np.linalg.norm(pull, axis=-1) * radius)
    speed = np.linalg.norm(p, axis=-1)
    # The mean of a Gaussian around it, or of factors between 0.8 and 1.2.
    assert (speed / circular).mean() == pytest.approx(1, abs=0.01)
    assert (speed / circular).std() == pytest.approx(
        0.05 if system.bodies == 2 else 0.4 / math.sqrt(12) / math.sqrt(2) * 1.22, rel=0.2
    )


def test_a_circular_orbit():
    system = TwoBody()
    r = 0.8
    speed = 1 / (2 * math.sqrt(r))
    start = np.zeros((2, 1, 2, 2))
    start[0, 0, :, 0], start[1, 0, :, 1] = (r, -r), (speed, -speed)
    period = 2 * math.pi * r / speed
    q, _ = follow(system, start, np.array([0, period / 4, period]))
    np.testing.assert_allclose(q[0, 1], [[0, r], [0, -r]], rtol=0, atol=1e-10)
    np.testing.assert_allclose(q[0, 2], start[0, 0], rtol=0, atol=1e-10)
