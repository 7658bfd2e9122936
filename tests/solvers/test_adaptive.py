import sys

import pytest
import torch
from support.flows import Magnetic, double

from hepml.errors import MissingDependencyError
from hepml.solvers import Adaptive, ImplicitMidpoint, rollout

Q, P = double([0.7, 0.2]), double([0.3, 0.9])


@torch.no_grad()
def test_the_error_follows_the_tolerance():
    pytest.importorskip("torchdiffeq", reason="needs torchdiffeq")
    truth = rollout(Magnetic(), Q, P, solver=Adaptive("dopri8", 1e-13, 1e-13), dt=1.0, steps=2)
    errors = []
    for tolerance in (1e-4, 1e-6, 1e-8):
        run = rollout(
            Magnetic(), Q, P, solver=Adaptive("dopri5", tolerance, tolerance), dt=1.0, steps=2
        )
        errors.append(float((run.q - truth.q).abs().max()))
        assert errors[-1] < 100 * tolerance
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    slow = rollout(Magnetic(), Q, P, solver=ImplicitMidpoint(), dt=1 / 512, steps=1024, every=512)
    torch.testing.assert_close(slow.q, truth.q, rtol=0, atol=1e-5)


# torchdiffeq 0.2.5 makes numbers of tensors that require gradients, to choose its steps.
@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
def test_differentiable():
    pytest.importorskip("torchdiffeq", reason="needs torchdiffeq")
    q, p = Q.clone().requires_grad_(), P.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda q, p: Adaptive().step(Magnetic(), q, p, 0.3), (q, p), atol=1e-4
    )


def test_without_torchdiffeq(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    with pytest.raises(MissingDependencyError, match="Adaptive: expected the package torchdiffeq"):
        Adaptive().step(Magnetic(), Q, P, 0.3)


class Counted:
    """Rates q², counted: from q the motion ends at the time 1/q."""

    def __init__(self):
        self.calls = 0

    def __call__(self, q, p):
        self.calls += 1
        return q.square(), p * 0


@torch.no_grad()
@pytest.mark.parametrize("healthy", [0.1, 0.0])
def test_a_row_that_runs_away_stops_alone(healthy):
    pytest.importorskip("torchdiffeq", reason="needs torchdiffeq")
    flow = Counted()
    q, p = double([1.0], [healthy]), double([0.0], [0.0])
    run = rollout(flow, q, p, solver=Adaptive(), dt=0.5, steps=4)
    assert run.steps.tolist() == [1, 4]
    assert float(run.q[-1, 1]) == pytest.approx(healthy / (1 - 2 * healthy), rel=1e-8)
    assert flow.calls < 6_000


@torch.no_grad()
def test_a_row_that_needs_too_many_steps_stops_alone():
    pytest.importorskip("torchdiffeq", reason="needs torchdiffeq")
    q, p = double([0.4], [0.01]), double([0.0], [0.0])
    run = rollout(Counted(), q, p, solver=Adaptive(most_steps=20), dt=2.4, steps=1)
    assert run.steps.tolist() == [0, 1]
