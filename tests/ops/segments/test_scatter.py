"""Properties of the scatter operations, and the errors at their door."""

import pytest
import torch
from hypothesis import given
from support.ragged import SCATTER_REDUCTIONS, scattered, segments

from hepml import ops
from hepml.errors import InputError


def reduction(name):
    return getattr(ops, f"scatter_{name}")


@pytest.mark.parametrize("name", SCATTER_REDUCTIONS)
@given(segments())
def test_with_a_sorted_index_it_is_the_segment_operation(name, arguments):
    values, offsets = arguments
    index = ops.segment_index(offsets, len(values))
    torch.testing.assert_close(
        reduction(name)(values, index, len(offsets) - 1),
        getattr(ops, f"segment_{name}")(values, offsets),
        rtol=1e-13,
        atol=1e-13,
    )


@pytest.mark.parametrize("name", SCATTER_REDUCTIONS)
@given(scattered())
def test_the_order_of_items_does_not_matter(name, arguments):
    values, index, size = arguments
    torch.testing.assert_close(
        reduction(name)(values.flip(0), index.flip(0), size),
        reduction(name)(values, index, size),
        rtol=1e-13,
        atol=1e-13,
    )


@pytest.mark.parametrize("channels", [(), (20,), (2, 3)])
@pytest.mark.parametrize("name", SCATTER_REDUCTIONS)
def test_places_where_nothing_goes_are_zero(name, channels):
    result = reduction(name)(-torch.ones(2, *channels), torch.tensor([1, 1]), 3)
    assert torch.equal(result[[0, 2]], torch.zeros(2, *channels))
    nothing = reduction(name)(torch.ones(0, *channels), torch.zeros(0, dtype=torch.int64), 3)
    assert torch.equal(nothing, torch.zeros(3, *channels))


def test_a_place_outside_is_an_index_error():
    message = r"index: expected places from 0 to 2, of 3, got places from 0 to 3\. Fix: pass the"
    for reduction in (ops.scatter_sum, ops.scatter_mean, ops.scatter_max, ops.scatter_min):
        with pytest.raises(IndexError, match=message) as caught:
            reduction(torch.ones(2), torch.tensor([0, 3]), 3)
        assert isinstance(caught.value, InputError)
        with pytest.raises(IndexError, match="got places from -1 to 0"):
            reduction(torch.ones(2, 0), torch.tensor([0, -1]), 3)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("values", "index", "message"),
    [
        (
            torch.ones(2, dtype=torch.int64),
            torch.tensor([0, 1]),
            r"values: expected floating point of shape \(items, ...\), got torch.int64",
        ),
        (
            torch.ones(3, 2),
            torch.tensor([0, 1]),
            r"index: expected int64 of shape \(3,\), a place for each item, got torch.int64 of "
            r"shape \(2,\). Fix: give one int64 number for each row of the values.",
        ),
        (torch.ones(2), torch.tensor([0, 1]).int(), r"index: .* got torch.int32 of shape \(2,\)"),
        (torch.ones(2), torch.zeros(2, 1).long(), r"index: .* got torch.int64 of shape \(2, 1\)"),
        (
            torch.ones(2),
            torch.tensor([0, 1]).to("meta"),
            "index: expected device cpu, where the values are, got meta. Fix: move one of them.",
        ),
    ],
)
@pytest.mark.parametrize("name", SCATTER_REDUCTIONS)
def test_reductions_refuse(name, values, index, message):
    with pytest.raises(InputError, match=message):
        reduction(name)(values, index, 3)
