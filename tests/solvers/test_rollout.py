import math

import pytest
import torch
from support.flows import Pendulum, double

from hepml.errors import DataError, InputError
from hepml.solvers import RK4, Leapfrog, Yoshida6, rollout


class Oscillator(Pendulum):
    def force(self, q):
        return -q


def test_an_oscillator_returns():
    q, p = double([1.0], [0.5]), double([0.0], [0.3])
    run = rollout(Oscillator(), q, p, solver=Yoshida6(), dt=2 * math.pi / 100, steps=100, every=50)
    assert run.t.tolist() == pytest.approx([0, math.pi, 2 * math.pi])
    assert run.q.shape == (3, 2, 1)
    torch.testing.assert_close(run.q[1:], torch.stack([-q, q]), rtol=0, atol=1e-8)
    torch.testing.assert_close(run.p[1:], torch.stack([-p, p]), rtol=0, atol=1e-8)
    assert run.complete() is run


def test_back_in_time():
    q, p = double([1.0]), double([0.2])
    ahead = rollout(Pendulum(), q, p, solver=Leapfrog(), dt=0.1, steps=50)
    back = rollout(Pendulum(), ahead.q[-1], ahead.p[-1], solver=Leapfrog(), dt=-0.1, steps=50)
    torch.testing.assert_close(back.q[-1], q, rtol=0, atol=1e-13)


class Unstable:
    """Fast where the row begins far out."""

    def __call__(self, q, p):
        return q**3, p * 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_that_run_away_stop_and_are_reported(dtype):
    q = torch.tensor([[0.1], [5.0], [0.2]], dtype=dtype)
    run = rollout(Unstable(), q, torch.zeros_like(q), solver=RK4(), dt=0.5, steps=10)
    assert run.stopped.tolist() == [False, True, False]
    assert run.q.isfinite().all()
    assert run.steps[0] == 10
    with pytest.raises(DataError, match=r"10 steps of 0\.5, got 1 of 3 rows .*row 1 after \d step"):
        run.complete()


def test_bodies_of_a_system_stop_together():
    q = torch.tensor([[0.1], [0.3], [5.0], [0.2], [0.25]], dtype=torch.float64)
    options = {"solver": RK4(), "dt": 0.5, "steps": 10}
    offsets = torch.tensor([0, 1, 1, 3, 5])
    run = rollout(Unstable(), q, torch.zeros_like(q), **options, offsets=offsets)
    assert run.stopped.tolist() == [False, True, True, False, False]
    assert run.steps[1] == run.steps[2]
    alone = rollout(Unstable(), q, torch.zeros_like(q), **options)
    assert alone.stopped.tolist() == [False, False, True, False, False]
    assert torch.equal(alone.q[:, [0, 3, 4]], run.q[:, [0, 3, 4]])
    last = int(run.steps[1])
    assert torch.equal(run.q[last:, 1], run.q[last:][:1, 1].expand(11 - last, 1))


def test_a_step_beyond_stability_stops():
    q, p = double([1.0]), double([0.0])
    run = rollout(Oscillator(), q, p, solver=Leapfrog(), dt=2.1, steps=1000)
    assert run.stopped.all()
    assert run.q.abs().max() <= 1e6
    assert not rollout(Oscillator(), q, p, solver=Leapfrog(), dt=1.9, steps=1000).stopped.any()


ONE, TWO = double([1.0]), double([1.0, 2.0])


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("q", "p", "options", "message"),
    [
        (ONE, TWO, {}, r"q and p: expected .*one shape.*got .*\(1, 1\) and .*\(1, 2\)"),
        (ONE[0], ONE[0], {}, r"got .*of shape \(1,\)"),
        (ONE.long(), ONE.long(), {}, "floating point"),
        (ONE * math.nan, ONE, {}, "finite numbers, got NaN or infinity in 1 of 1 rows.*row 0"),
        (ONE, ONE, {"dt": 0.0}, "dt: expected a finite time other than 0, got 0.0"),
        (ONE, ONE, {"dt": math.nan}, "dt: .*got nan"),
        (ONE, ONE, {"steps": 7, "every": 2}, "multiple of every, got 7 and 2"),
        (
            ONE,
            ONE,
            {"offsets": torch.tensor([0, 2])},
            "offsets: .*from 0 to 1.*from 0 to 2",
        ),
    ],
)
def test_bad_input(q, p, options, message):
    arguments = {"dt": 0.1, "steps": 4} | options
    with pytest.raises(InputError, match=message):
        rollout(Pendulum(), q, p, solver=Leapfrog(), **arguments)


def test_no_rows_and_no_steps():
    empty = double([1.0])[:0]
    assert rollout(Pendulum(), empty, empty, solver=RK4(), dt=0.1, steps=2).q.shape == (3, 0, 1)
    run = rollout(Pendulum(), ONE, ONE, solver=RK4(), dt=0.1, steps=0)
    assert run.q.tolist() == [[[1.0]]]


def test_nothing_is_computed_after_the_last_row_stopped():
    class Counted(Oscillator):
        calls = 0

        def force(self, q):
            Counted.calls += 1
            return super().force(q)

    q, p = double([1.0], [2.0]), double([0.0], [0.0])
    run = rollout(Counted(), q, p, solver=Leapfrog(), dt=2.5, steps=40_000, every=10_000)
    assert run.stopped.all()
    assert run.q.shape == (5, 2, 1)
    assert Counted.calls <= int(run.steps.max()) + 1
    assert torch.equal(run.q[-1], run.q[1])


def test_offsets_whose_differences_overflow_are_refused():
    q = double([1.0], [2.0])
    offsets = torch.tensor([0, 10**9, 2**63 - 1, -2, 2])
    with pytest.raises(InputError, match="offsets: expected bounds from 0 to 2"):
        rollout(Oscillator(), q, q, solver=Leapfrog(), dt=0.1, steps=1, offsets=offsets)
