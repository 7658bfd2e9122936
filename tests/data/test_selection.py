"""Whatever is given as an index or a slice chooses sets, or is refused with one clear error."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.particle_batches import batch

from hepml.data import Trajectories
from hepml.data._selection import chosen_range, chosen_set, chosen_sets
from hepml.errors import HepmlError, InputError, RangeError

STATES = ("q", "p", "rate_q", "rate_p", "observed_q", "observed_p")
CPU = torch.device("cpu")
LARGEST = 2**63 - 1
ITSELF: list = []
ITSELF.append(ITSELF)


def orbits(number=4):
    states = {name: torch.zeros(number, 3, 2, 2) for name in STATES}
    return Trajectories(torch.arange(3).float(), **states)


NO_INDEX = [
    None,
    ...,
    True,
    np.True_,
    1.0,
    math.nan,
    "1",
    b"1",
    {},
    {1},
    ...,
    (1, (2,)),
    [1, [2]],
    [[1], [2]],
    ITSELF,
    [None],
    ["1"],
    [math.nan],
    [1.0],
    [2**63],
    [-(2**70)],
    [1j],
    np.array(["1"]),
    np.array([1.0]),
    np.array([None]),
    np.zeros((2, 2), np.int64),
    np.array(["2026"], "datetime64[Y]"),
    np.zeros(2, [("a", int)]),
    torch.tensor(1.0),
    torch.tensor(True),
    torch.tensor([math.nan]),
    torch.tensor([1j]),
    torch.zeros(2, 2, dtype=torch.int64),
    torch.ones(3, dtype=torch.bool),
    torch.ones(4, 1, dtype=torch.bool),
    slice(None, None, 0),
    slice(0.0, 1.0),
    slice("a"),
    slice(None, None, math.nan),
    slice(torch.tensor(1.5), None),
]
OUTSIDE = [
    [LARGEST],
    [-LARGEST - 1],
    torch.tensor([4]),
    torch.tensor([0, -5]),
    # As int64 this would be -1, the last set.
    np.array([2**64 - 1], np.uint64),
    torch.tensor([2**64 - 1], dtype=torch.uint64),
]


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("many", [batch, orbits], ids=["sets", "trajectories"])
class TestDoors:
    @pytest.mark.parametrize("index", NO_INDEX, ids=lambda index: f"{index!r:.30}")
    def test_what_is_no_index_is_refused(self, many, index):
        with pytest.raises(InputError, match=r"(index|mask|slice)\b.* of? ?sets|over sets"):
            many()[index]

    @pytest.mark.parametrize("index", OUTSIDE, ids=lambda index: f"{index!r:.30}")
    def test_numbers_outside_are_refused(self, many, index):
        with pytest.raises(RangeError, match="of a batch of 4: expected numbers from -4 to 3"):
            many()[index]

    @settings(max_examples=60)
    @given(
        index=st.one_of(
            st.slices(9),
            st.integers(),
            st.floats(),
            st.binary(max_size=2),
            st.recursive(st.integers(-6, 6) | st.floats(), st.lists, max_leaves=5),
            st.builds(slice, st.integers(), st.integers(), st.integers()),
        )
    )
    def test_anything_else_ends_in_a_part_or_in_an_error(self, many, index):
        try:
            part = many()[index]
        except HepmlError:
            return
        assert len(part) <= 9


@pytest.mark.parametrize("number", [2**70, -(2**70), 4, -5])
def test_one_number_outside(number):
    with pytest.raises(RangeError, match=rf"set {number} of a batch of 4: expected numbers from"):
        chosen_set(number, 4)
    with pytest.raises(IndexError):
        batch()[number]


def test_a_batch_without_sets_has_none_of_any_number():
    with pytest.raises(RangeError, match="of a batch of 0: expected a batch that holds sets"):
        chosen_sets([0], 0, CPU)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.uint64])
def test_integers_of_any_width_are_numbers(dtype):
    assert chosen_sets(torch.tensor([3, 0], dtype=dtype), 4, CPU).tolist() == [3, 0]


def test_a_range_of_numbers_far_outside_is_empty():
    assert list(chosen_range(slice(2**70, 2**80), 4)) == []
    assert list(chosen_range(slice(2**70, None, -(2**70)), 4)) == [3]


@pytest.mark.parametrize("step", [768_614_336_404_564_651, LARGEST, -LARGEST])
@pytest.mark.parametrize("index", [(0, 0), (0, 1), (2, None), (None, None)])
def test_a_step_of_any_size_chooses_no_more_than_one_set(index, step):
    chosen = slice(*index, step)
    expected = torch.arange(4)[list(range(4)[chosen])]
    states = torch.arange(4.0)[:, None, None, None].expand(4, 3, 2, 2)
    many = Trajectories(torch.arange(3).float(), **dict.fromkeys(STATES, states))
    assert many[chosen].q[:, 0, 0, 0].long().tolist() == expected.tolist()
