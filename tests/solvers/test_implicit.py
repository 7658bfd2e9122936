import pytest
import torch
from support.flows import Magnetic, Pendulum, double

from hepml.errors import InputError
from hepml.solvers import ImplicitMidpoint, rollout

# torch compiles some of its own rules for derivatives when they are first asked for.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")


def test_the_equation_is_solved():
    q, p = double([0.7, 0.2]), double([0.3, 0.9])
    after_q, after_p = ImplicitMidpoint().step(Magnetic(), q, p, 0.4)
    rate_q, rate_p = Magnetic()((q + after_q) / 2, (p + after_p) / 2)
    torch.testing.assert_close(after_q, q + 0.4 * rate_q, rtol=0, atol=1e-14)
    torch.testing.assert_close(after_p, p + 0.4 * rate_p, rtol=0, atol=1e-14)


def test_what_cannot_be_solved_stops():
    # The slope of the pendulum at rest is 1: the iteration converges below dt = 2.
    q, p = double([0.01], [0.02]), double([0.0], [0.0])
    run = rollout(Pendulum(), q, p, solver=ImplicitMidpoint(), dt=40.0, steps=5)
    assert run.stopped.all()
    assert run.q.isfinite().all()


class Creeping:
    """An iteration that moves by a given fraction of the state for ever."""

    def __init__(self, fraction):
        self.fraction, self.sign = fraction, 1

    def __call__(self, q, p):
        self.sign = -self.sign
        return q * 0 + self.sign * self.fraction, p * 0


@pytest.mark.parametrize(
    ("fraction", "tolerance", "solved"),
    [(1e-14, None, True), (1e-13, None, False), (1e-8, 3e-8, True), (1e-8, 3e-9, False)],
)
def test_the_tolerance_is_kept_down_to_rounding(fraction, tolerance, solved):
    # A step of 1 moves the midpoint by the fraction.
    q, _ = ImplicitMidpoint(tolerance).step(Creeping(fraction), double([1.0]), double([0.0]), 1.0)
    assert bool(q.isfinite().all()) == solved


def test_a_body_at_rest_between_others_is_followed():
    class Springs:
        """Each body is drawn to the mean of the others: the one in the middle feels rounding."""

        def __call__(self, q, p):
            return p, (q.sum(0) - q) / 2 - q

    q = double([-1.1, 0.7], [0.0, 0.0], [1.1, -0.7])
    p = double([0.3, 0.9], [0.0, 0.0], [-0.3, -0.9])
    run = rollout(Springs(), q, p + 1e-17, solver=ImplicitMidpoint(), dt=0.1, steps=20)
    assert run.complete().q[:, 1].abs().max() < 1e-12


def test_a_row_that_is_not_finite_stops_alone():
    q, p = double([0.7], [0.2]), double([0.3], [0.9])

    class Broken(Pendulum):
        def force(self, q):
            return torch.where(q > 0.5, torch.nan, super().force(q))

    run = rollout(Broken(), q, p, solver=ImplicitMidpoint(), dt=0.01, steps=5)
    assert run.stopped.tolist() == [True, False]


def test_memory_does_not_grow_with_the_iterations():
    q = double([0.7, 0.2]).requires_grad_()
    after, _ = ImplicitMidpoint().step(Magnetic(), q, double([0.3, 0.9]), 0.4)
    nodes, front = set(), [after.grad_fn]
    while front:
        node = front.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            front += [following for following, _ in node.next_functions]
    # One evaluation of the flow and of its derivative, not one for each of some 15 iterations.
    assert len(nodes) < 100


@pytest.mark.parametrize("arguments", [{"tolerance": 0.0}, {"most_iterations": 0}])
def test_senseless_arguments(arguments):
    with pytest.raises(InputError, match="tolerance and most_iterations: expected positive"):
        ImplicitMidpoint(**arguments)


class Turning:
    """An oscillator with q' = k p, p' = -k q: a step is a rotation by 2 atan(k dt / 2)."""

    def __init__(self, k):
        self.k = k

    def __call__(self, q, p):
        return self.k * p, -self.k * q


def _turned(k):
    return ImplicitMidpoint(1e-15).step(Turning(k), double([1.0]), double([0.0]), 0.5)[0].sum()


def _exactly(k):
    return (2 * torch.atan(k * 0.5 / 2)).cos()


def test_the_first_derivative_is_right_and_a_second_one_is_refused():
    q, p = double([0.7, 0.2]).requires_grad_(), double([0.3, 0.9]).requires_grad_()
    step = lambda q, p: ImplicitMidpoint(1e-15).step(Magnetic(), q, p, 0.4)  # noqa: E731
    assert torch.autograd.gradcheck(step, (q, p))
    k = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(_turned(k), k, create_graph=True)
    torch.testing.assert_close(slope, torch.func.grad(_exactly)(k.detach()), rtol=1e-12, atol=0)
    with pytest.raises(InputError, match="second derivative through ImplicitMidpoint"):
        torch.autograd.grad(slope, k)
    (slope,) = torch.autograd.grad(step(q, p)[0].sum(), q, create_graph=True)
    with pytest.raises(InputError, match="second derivative through ImplicitMidpoint"):
        slope.sum().backward()


def test_second_derivatives_by_torch_func():
    k = torch.tensor(0.7, dtype=torch.float64)
    for order in (torch.func.hessian, lambda f: torch.func.grad(torch.func.grad(f))):
        torch.testing.assert_close(order(_turned)(k), order(_exactly)(k), rtol=1e-11, atol=0)
