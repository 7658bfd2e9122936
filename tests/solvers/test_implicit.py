import pytest
import torch
from solvers.flows import Magnetic, Pendulum, double

from hepml.errors import InputError
from hepml.solvers import ImplicitMidpoint, rollout


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
