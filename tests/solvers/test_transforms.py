"""Forward-mode derivatives and torch.func see through the solvers."""

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from support.flows import double

from hepml.errors import InputError
from hepml.solvers import RK4, Adaptive, ImplicitMidpoint, Leapfrog, hamilton_equations, rollout

# torch compiles some of its own rules for derivatives when they are first asked for.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")


class Quartic:
    """H = p²/2 + q⁴/4, by automatic differentiation."""

    def __call__(self, q, p):
        return hamilton_equations(lambda q, p: p.square().sum() / 2 + (q**4).sum() / 4, q, p)

    def velocity(self, p):
        return hamilton_equations(lambda _, p: p.square().sum() / 2, p * 0, p)[0]

    def force(self, q):
        return hamilton_equations(lambda q, _: (q**4).sum() / 4, q, q * 0)[1]


Q = double([0.7])


@pytest.mark.parametrize("solver", [RK4(), Leapfrog(), ImplicitMidpoint()])
@pytest.mark.parametrize("graph", [True, False])
def test_forward_mode(solver, graph):
    def end(q):
        return rollout(Quartic(), q, double([0.3]), solver=solver, dt=0.1, steps=5).q[-1]

    step = 1e-5
    with torch.no_grad():
        slope = (end(Q + step) - end(Q - step)) / (2 * step)
    with forward_ad.dual_level(), torch.set_grad_enabled(graph):
        tangent = forward_ad.unpack_dual(end(forward_ad.make_dual(Q, torch.ones_like(Q)))).tangent
    torch.testing.assert_close(tangent, slope, rtol=1e-8, atol=0)
    along = (torch.ones_like(Q),)
    torch.testing.assert_close(torch.func.jvp(end, (Q,), along)[1], slope, rtol=1e-8, atol=0)
    torch.testing.assert_close(torch.func.jacrev(end)(Q).reshape(1, 1), slope, rtol=1e-8, atol=0)


def test_a_hamiltonian_of_ones_own_in_inference_mode():
    with torch.inference_mode():
        q, p = double([0.7], [0.2]), double([0.3], [0.9])
        for solver in (RK4(), Leapfrog(), ImplicitMidpoint()):
            run = rollout(Quartic(), q, p, solver=solver, dt=0.1, steps=5).complete()
    with torch.no_grad():
        again = rollout(Quartic(), q, p, solver=ImplicitMidpoint(), dt=0.1, steps=5).complete()
    assert torch.equal(run.q, again.q)


def test_what_cannot_be_transformed_is_refused():
    def end(q, solver):
        return rollout(Quartic(), q, double([0.3]), solver=solver, dt=0.1, steps=1).q[-1]

    with pytest.raises(InputError, match=r"q and p: expected states .* got a batch of torch\.func"):
        torch.func.vmap(lambda q: end(q, RK4()))(Q[None])
    with pytest.raises(InputError, match="ImplicitMidpoint: expected one gradient at a time"):
        torch.autograd.functional.jacobian(lambda q: end(q, ImplicitMidpoint()), Q, vectorize=True)


def test_adaptive_steps_have_no_forward_mode():
    pytest.importorskip("torchdiffeq", reason="needs torchdiffeq")
    with pytest.raises(InputError, match="Adaptive: expected derivatives by torch"):
        torch.func.jvp(lambda q: Adaptive().step(Quartic(), q, double([0.3]), 0.1)[0], (Q,), (Q,))
