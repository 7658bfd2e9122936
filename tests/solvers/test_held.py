import torch
from support.flows import Magnetic, Pendulum, double

from hepml.solvers import SeparableFlow
from hepml.solvers._held import held


def test_the_rows_stand_still_and_the_others_move_as_before():
    rows = torch.tensor([True, False])
    q, p = double([0.7, torch.nan], [0.2, 0.1]), double([0.3, 0.9], [0.5, -0.4])
    for flow in (Magnetic(), Pendulum()):
        for rate, free in zip(held(flow, rows)(q, p), flow(q, p), strict=True):
            assert torch.equal(rate[0], torch.zeros(2, dtype=torch.float64))
            assert torch.equal(rate[1], free[1])


def test_a_separable_flow_stays_separable():
    rows = torch.tensor([False, True])
    x = double([0.7], [torch.inf])
    assert not isinstance(held(Magnetic(), rows), SeparableFlow)
    flow = held(Pendulum(), rows)
    assert isinstance(flow, SeparableFlow)
    assert torch.equal(flow.velocity(x), double([0.7], [0.0]))
    assert torch.equal(flow.force(x), -double([0.7], [0.0]).sin())
