"""Every solver, measured against what it declares."""

import itertools
import math

import pytest
import torch
from support.flows import Magnetic, Pendulum, double

from hepml.errors import InputError
from hepml.solvers import (
    RK4,
    SOLVERS,
    ImplicitMidpoint,
    Leapfrog,
    Solver,
    Yoshida4,
    Yoshida6,
    rollout,
)
from hepml.solvers._splitting import _Splitting

FIXED = [Leapfrog(), Yoshida4(), Yoshida6(), ImplicitMidpoint(), RK4()]
GENERAL = [ImplicitMidpoint(), RK4()]
# Two pendulums and a charge, in motion.
PENDULUM = Pendulum(), double([1.0], [2.0]), double([0.0], [0.5])
CHARGE = Magnetic(), double([0.7, 0.2]), double([0.3, 0.9])
PROBLEMS = [(solver, *PENDULUM) for solver in FIXED] + [(solver, *CHARGE) for solver in GENERAL]

every_problem = pytest.mark.parametrize(
    ("solver", "flow", "q", "p"),
    PROBLEMS,
    ids=lambda value: "" if isinstance(value, torch.Tensor) else type(value).__name__,
)


class SymplecticEuler(Solver):
    """A kick, then a drift: of order 1, symplectic and not reversible. Declares more."""

    order, symplectic, reversible = 2, True, True

    def step(self, flow, q, p, dt):
        p = p + dt * flow.force(q)
        return q + dt * flow.velocity(p), p


@torch.no_grad()
def slope(solver, flow, q, p):
    """The power of dt with which the error at t = 2 falls, by least squares over four step sizes.

    The difference of the results with n and 2 n steps stands for the error with n.
    """
    numbers = [16, 32, 64, 128]
    ends = [rollout(flow, q, p, solver=solver, dt=2 / n, steps=n).q[-1] for n in [*numbers, 256]]
    errors = [(a - b).norm().log2() for a, b in itertools.pairwise(ends)]
    x = double(*[math.log2(2 / n) for n in numbers])
    y = torch.stack(errors)
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


@torch.no_grad()
def irreversibility(solver, flow, q, p):
    """How far from the start a step forth and a step back lead, in units of the step."""
    ahead = solver.step(flow, q, p, 0.3)
    back = solver.step(flow, *ahead, -0.3)
    moved = torch.cat(ahead).sub(torch.cat([q, p])).norm()
    return float(torch.cat(back).sub(torch.cat([q, p])).norm() / moved)


def asymplecticity(solver, flow, q, p):
    """The largest entry of M^T J M - J, where M is the derivative of the step of one state."""
    q, p = q[0], p[0]
    d = len(q)
    j = torch.zeros(2 * d, 2 * d, dtype=torch.float64)
    j[:d, d:] = torch.eye(d)
    j[d:, :d] = -torch.eye(d)

    def step(z):
        return torch.cat(solver.step(flow, z[:d], z[d:], 0.3))

    m = torch.autograd.functional.jacobian(step, torch.cat([q, p]))
    return float((m.T @ j @ m - j).abs().max())


@every_problem
def test_order(solver, flow, q, p):
    assert slope(solver, flow, q, p) == pytest.approx(solver.order, abs=0.15)


@every_problem
def test_reversibility(solver, flow, q, p):
    assert (irreversibility(solver, flow, q, p) < 1e-12) == solver.reversible


@every_problem
def test_symplecticity(solver, flow, q, p):
    assert (asymplecticity(solver, flow, q, p) < 1e-12) == solver.symplectic


def test_a_false_declaration_would_be_found():
    euler = SymplecticEuler()
    assert slope(euler, *PENDULUM) == pytest.approx(1, abs=0.15)
    assert irreversibility(euler, *PENDULUM) > 1e-3
    assert asymplecticity(euler, *PENDULUM) < 1e-12


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("solver", "dt", "bound"),
    [
        (Leapfrog(), 0.3, 3e-2),
        (Yoshida4(), 0.3, 3e-3),
        (Yoshida6(), 0.3, 3e-4),
        (ImplicitMidpoint(tolerance=1e-9), 0.1, 3e-3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_energy_error_is_bounded_over_1e5_steps(solver, dt, bound):
    flow, q, p = PENDULUM
    with torch.no_grad():
        run = rollout(flow, q, p, solver=solver, dt=dt, steps=100_000, every=10)
    energy = flow.energy(run.q, run.p)
    error = (energy - energy[0]).abs() / energy[0]
    # As large in the first tenth as ever after, and no drift that a line could follow.
    assert error.max() < bound
    assert error[1000:].max() < 1.2 * error[:1000].max()


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
def test_energy_drifts_where_the_solver_is_not_symplectic():
    flow, q, p = PENDULUM
    with torch.no_grad():
        run = rollout(flow, q, p, solver=RK4(), dt=0.3, steps=10_000, every=10)
    energy = flow.energy(run.q, run.p)
    error = (energy - energy[0]).abs() / energy[0]
    assert (error[-1] > 5 * error[100]).all()


@every_problem
def test_derivatives_through_a_rollout(solver, flow, q, p):
    q, p = q.clone().requires_grad_(), p.clone().requires_grad_()

    def end(q, p):
        run = rollout(flow, q, p, solver=solver, dt=0.2, steps=3)
        return run.q[-1], run.p[-1]

    assert torch.autograd.gradcheck(end, (q, p))


@every_problem
def test_derivatives_with_respect_to_the_flow(solver, flow, q, p):
    strength = double(1.3).requires_grad_()

    class Stronger:
        def velocity(self, p):
            return strength * flow.velocity(p)

        def force(self, q):
            return strength * flow.force(q)

        def __call__(self, q, p):
            return tuple(strength * rate for rate in flow(q, p))

    def end(_):
        return rollout(Stronger(), q, p, solver=solver, dt=0.2, steps=3).q[-1]

    assert torch.autograd.gradcheck(end, (strength,))


def test_solvers_are_values_with_names():
    assert len(SOLVERS) == 6
    for name, kind in SOLVERS.items():
        assert kind() == kind(), name
        assert hash(kind()) == hash(kind())


@pytest.mark.parametrize("solver", [Leapfrog(), Yoshida4(), Yoshida6()])
def test_splitting_needs_a_separable_flow(solver):
    flow, q, p = CHARGE
    with pytest.raises(InputError, match=r"flow: expected velocity\(p\).*got Magnetic.*Implicit"):
        solver.step(flow, q, p, 0.1)


@pytest.mark.parametrize("solver", [s for s in FIXED if isinstance(s, _Splitting)])
def test_weights_add_up_to_one_step(solver):
    assert sum(solver.weights) == pytest.approx(1, abs=1e-15)
    assert solver.weights == solver.weights[::-1]
