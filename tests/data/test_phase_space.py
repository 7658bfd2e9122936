"""The ragged batch of bodies: what it refuses, and what it keeps."""

import pytest
import torch

from hepml.data import PhaseSpace, concatenate
from hepml.errors import InputError

OFFSETS = torch.tensor([0, 2, 2, 5])


def test_systems_are_chosen_and_joined():
    state = PhaseSpace(torch.arange(10.0).view(5, 2), -torch.arange(10.0).view(5, 2), OFFSETS)
    assert len(state) == 3
    assert state[2].q.tolist() == [[4, 5], [6, 7], [8, 9]]
    again = concatenate([state[2], state[:2]])
    assert again.offsets.tolist() == [0, 3, 5, 5]
    assert torch.equal(again.p, -again.q)
    assert repr(state) == "PhaseSpace(3 systems, 5 bodies, float32, cpu)"


def test_another_state_of_the_same_systems():
    state = PhaseSpace(torch.zeros(5, 2), torch.ones(5, 2), OFFSETS)
    moved = state.with_state(q=torch.ones(5, 2))
    assert torch.equal(moved.q, moved.p)
    assert moved.offsets is OFFSETS
    with pytest.raises(InputError, match=r"p: expected shape \(5, 2\), got .*\(4, 2\)"):
        state.with_state(p=torch.zeros(4, 2))


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("q", "p", "offsets", "message"),
    [
        (torch.zeros(5), torch.zeros(5), OFFSETS, r"q: expected .*\(bodies, space\)"),
        (torch.zeros(5, 2), torch.zeros(5, 3), OFFSETS, "p: expected .*, like q"),
        (torch.zeros(5, 2), torch.zeros(5, 2).double(), OFFSETS, "p: expected .*, like q"),
        (torch.zeros(5, 2).long(), torch.zeros(5, 2), OFFSETS, "q: expected"),
        (torch.full((5, 2), torch.nan), torch.zeros(5, 2), OFFSETS, "q: expected finite"),
        (torch.zeros(5, 2), torch.zeros(5, 2), OFFSETS - 1, "offsets: .* the number of bodies"),
    ],
)
def test_what_is_refused(q, p, offsets, message):
    with pytest.raises(InputError, match=message):
        PhaseSpace(q, p, offsets)
