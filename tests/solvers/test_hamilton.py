import pytest
import torch
from support.flows import Magnetic, double
from torch.autograd import forward_ad

from hepml.solvers import RK4, hamilton_equations, rollout


def test_rates_of_a_charge_in_a_field():
    q, p = double([0.7, 0.2], [-0.1, 0.4]), double([0.3, 0.9], [0.5, -0.2])
    rate_q, rate_p = hamilton_equations(Magnetic().energy, q, p)
    x, y = q.T
    r2 = x**2 + y**2
    strength = 1 / 2 + r2 / 4
    v = torch.stack([p[:, 0] + strength * y, p[:, 1] - strength * x], 1)
    # dp/dt = (grad A) v, with A = strength(r) (-y, x)
    dx = torch.stack([-x * y / 2, strength + x**2 / 2], 1)
    dy = torch.stack([-strength - y**2 / 2, x * y / 2], 1)
    force = torch.stack([(dx * v).sum(1), (dy * v).sum(1)], 1)
    torch.testing.assert_close(rate_q, v, rtol=0, atol=1e-14)
    torch.testing.assert_close(rate_p, force, rtol=0, atol=1e-14)


def test_two_derivatives_beyond_the_rates():
    q, p = double([0.7, 0.2]).requires_grad_(), double([0.3, 0.9]).requires_grad_()

    def rates(q, p):
        return hamilton_equations(Magnetic().energy, q, p)

    assert torch.autograd.gradcheck(rates, (q, p))
    assert torch.autograd.gradgradcheck(rates, (q, p))


def test_no_graph_where_none_is_recorded():
    q, p = double([0.7, 0.2]).requires_grad_(), double([0.3, 0.9])
    with torch.no_grad():
        rates = hamilton_equations(Magnetic().energy, q, p)
    assert not any(rate.requires_grad for rate in rates)


def test_a_hamiltonian_without_momenta():
    rate_q, rate_p = hamilton_equations(lambda q, _: q**2, double([3.0]), double([5.0]))
    assert rate_q.tolist() == [[0.0]]
    assert rate_p.tolist() == [[-6.0]]


# Torch itself uses it where it loads what jvp needs.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.parametrize("recorded", [False, True])
def test_a_rollout_differentiated_forward(recorded):
    # In a field of force that grows with the distance, what is lost would be seen.
    flow = lambda q, p: hamilton_equations(lambda q, p: (p**2 / 2 + q**4 / 4).sum(), q, p)  # noqa: E731
    q, p, tangent = double([0.7, 0.2]), double([0.3, 0.9]), double([1.0, -0.5])

    def end(q):
        return rollout(flow, q, p, solver=RK4(), dt=0.1, steps=20).q[-1].square().sum()

    variable = q.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(end(variable), variable)
    expected = (gradient * tangent).sum()
    with torch.set_grad_enabled(recorded), forward_ad.dual_level():
        found = forward_ad.unpack_dual(end(forward_ad.make_dual(q, tangent))).tangent
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(torch.func.grad(end)(q), gradient, rtol=1e-12, atol=0)
