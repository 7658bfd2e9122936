import math

import pytest
import torch

from hepml.data import Trajectories
from hepml.errors import InputError

STATES = ("q", "p", "rate_q", "rate_p", "observed_q", "observed_p")


def make(**replaced):
    generator = torch.Generator().manual_seed(0)
    states = {n: torch.randn(4, 3, 2, 2, generator=generator).double() for n in STATES}
    return Trajectories(torch.arange(3).double(), **states | replaced, about={"seed": 7})


def test_a_selection():
    whole = make()
    for chosen in (slice(1, 3), torch.tensor([1, 2])):
        part = whole[chosen]
        assert len(part) == 2
        assert part.about == {"seed": 7}
        for name in STATES:
            assert torch.equal(getattr(part, name), getattr(whole, name)[1:3])


def test_another_precision():
    single = make().to(dtype=torch.float32)
    assert {getattr(single, name).dtype for name in ("t", *STATES)} == {torch.float32}


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("name", STATES[1:])
def test_shapes_that_differ(name):
    with pytest.raises(InputError, match=rf"{name}: expected shape .*, got \(4, 3, 2, 1\)"):
        make(**{name: torch.zeros(4, 3, 2, 1)})


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_none(bad):
    p = torch.zeros(4, 3, 2, 2).double()
    p[2, 1, 0, 0] = bad
    with pytest.raises(InputError, match=r"p: expected finite numbers, got .* in 1 of 4 .*ory 2"):
        make(p=p)


@pytest.mark.parametrize("t", [[0.0], [0.0, 1.0, 3.0], [0.0, -1.0, -2.0], [1.0, 1.0, 1.0]])
def test_times_that_do_not_rise_in_equal_steps(t):
    states = {name: torch.zeros(4, len(t), 2, 2).double() for name in STATES}
    with pytest.raises(InputError, match="t: expected two or more times that rise in equal steps"):
        Trajectories(torch.tensor(t).double(), **states)


@pytest.mark.parametrize(("fraction", "trajectories"), [(1.0, 4), (0.0, 4), (0.2, 1)])
def test_too_few_to_split(fraction, trajectories):
    data = make()[:trajectories]
    data = Trajectories(data.t, *(getattr(data, n) for n in STATES), {"test_fraction": fraction})
    with pytest.raises(InputError, match=f"got {trajectories}, of which {fraction:g} are for"):
        data.split()
