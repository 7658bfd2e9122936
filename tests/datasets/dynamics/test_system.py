import math
import sys

import numpy as np
import pytest
import torch

from hepml.datasets import (
    SYSTEMS,
    MassSpring,
    Pendulum,
    TwoBody,
    follow,
    simulate,
)
from hepml.errors import DataError, InputError, MissingDependencyError
from hepml.solvers import angular_momentum, total_momentum

pytest.importorskip("scipy", reason="needs scipy")


def drift(x):
    """The largest change along trajectories (trajectories, times, ...), relative to the size."""
    return float((x - x[:, :1]).abs().max() / x.abs().max())


@pytest.mark.parametrize("name", SYSTEMS)
def test_conserved_quantities(name):
    system = SYSTEMS[name]()
    data = simulate(system, trajectories=5, times=7)
    assert data.q.shape == (5, 7, system.bodies, system.space)
    assert drift(system.energy(data.q, data.p)) < 1e-10
    momentum, angular = total_momentum(data.p), angular_momentum(data.q, data.p)
    if "momentum" in system.conserves:
        assert (momentum - momentum[:, :1]).abs().max() < 1e-11
    else:
        assert (momentum - momentum[:, :1]).abs().max() > 1e-2
    if "angular momentum" in system.conserves:
        assert (angular - angular[:, :1]).abs().max() < 1e-11
    # Anything else would pass where nothing moves.
    assert (data.q - data.q[:, :1]).abs().max() > 0.1


@pytest.mark.parametrize("name", SYSTEMS)
def test_rates_are_those_of_the_trajectory(name):
    data = simulate(SYSTEMS[name](), trajectories=3, span=0.02, times=5)
    h = float(data.t[1])
    for x, rate in ((data.q, data.rate_q), (data.p, data.rate_p)):
        # Five points around the middle: of the order h^4.
        slope = (x[:, 0] - 8 * x[:, 1] + 8 * x[:, 3] - x[:, 4]) / (12 * h)
        torch.testing.assert_close(slope, rate[:, 2], rtol=0, atol=1e-6)


def test_a_batch_is_as_exact_as_a_trajectory_alone():
    system = TwoBody()
    start = system.draw(np.random.default_rng(3), 40)
    t = np.linspace(0, 10, 4)
    together = follow(system, start, t)
    for one in (0, 17):
        alone = follow(system, start[:, one : one + 1], t)
        np.testing.assert_allclose(together[:, one], alone[:, 0], rtol=0, atol=1e-9)


def test_noise_is_on_the_observations_alone():
    data = simulate(MassSpring(), trajectories=200, seed=1)
    for observed, x in ((data.observed_q, data.q), (data.observed_p, data.p)):
        noise = observed - x
        assert float(noise.std()) == pytest.approx(0.1, rel=0.03)
        assert abs(float(noise.mean())) < 0.01
    radius = (data.q.square() + data.p.square()).sqrt()
    assert drift(radius) < 1e-11
    quiet = simulate(MassSpring(), trajectories=3, noise=0.0)
    assert torch.equal(quiet.q, quiet.observed_q)


def test_the_seed_decides_everything():
    first, again, other = (simulate(Pendulum(), trajectories=4, seed=s) for s in (1, 1, 2))
    assert torch.equal(first.observed_q, again.observed_q)
    assert not torch.equal(first.observed_q, other.observed_q)
    assert first.about["seed"] == 1
    assert first.about["constants"] == {"strength": 3.0, "mass": 0.5}
    assert set(first.about["versions"]) == {"hepml", "python", "numpy", "scipy", "torch"}


def test_the_last_are_for_testing():
    data = simulate(TwoBody(), trajectories=10, times=3, span=1.0)
    learning, testing = data.split()
    assert (len(learning), len(testing)) == (8, 2)
    assert torch.equal(torch.cat([learning.q, testing.q]), data.q)


@pytest.mark.parametrize(
    "arguments", [{"trajectories": 0}, {"times": 1}, {"span": 0.0}, {"noise": math.nan}]
)
def test_senseless_numbers(arguments):
    with pytest.raises(InputError, match="trajectories, times, span, noise: expected at least 1"):
        simulate(MassSpring(), **arguments)


def test_a_collision():
    start = np.zeros((2, 1, 2, 2))
    start[0, 0, :, 0] = -1e-3, 1e-3
    with pytest.raises(DataError, match=r"two-body: expected trajectories up to t = 5.*step size"):
        follow(TwoBody(), start, np.linspace(0, 5, 3))


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    with pytest.raises(MissingDependencyError, match="expected the package scipy"):
        simulate(MassSpring(), trajectories=1)
