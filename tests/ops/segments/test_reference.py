"""The reference against loops over the segments, in functions of torch that know no segments."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from support.ragged import (
    SCATTER_REDUCTIONS,
    SEGMENT_REDUCTIONS,
    offsets_from,
    rows_and_offsets,
    scattered,
    segments,
)

from hepml.ops.segments import _reference

OF_ONE_SEGMENT = {
    "sum": lambda values: values.sum(0),
    "mean": lambda values: values.mean(0),
    "max": lambda values: values.amax(0),
    "min": lambda values: values.amin(0),
    "softmax": lambda values: values.softmax(0),
    "logsumexp": lambda values: values.logsumexp(0),
}


def one_by_one(reduction, pieces):
    """The reduction of each piece on its own, with what is promised for an empty one."""
    nothing = -torch.inf if reduction == "logsumexp" else 0.0
    return [
        OF_ONE_SEGMENT[reduction](piece)
        if len(piece)
        else torch.full(piece.shape[1:], nothing, dtype=piece.dtype)
        for piece in pieces
    ]


@pytest.mark.parametrize("reduction", SEGMENT_REDUCTIONS)
@given(segments())
def test_segment_reduction_is_that_of_each_segment(reduction, arguments):
    values, offsets = arguments
    result = getattr(_reference, f"segment_{reduction}")(values, offsets)
    pieces = [values[a:b] for a, b in pairwise(offsets.tolist())]
    if reduction == "softmax":
        expected = torch.cat([values[:0], *(OF_ONE_SEGMENT["softmax"](piece) for piece in pieces)])
    else:
        rows = one_by_one(reduction, pieces)
        expected = torch.stack(rows) if rows else values.new_zeros((0, *values.shape[1:]))
    torch.testing.assert_close(result, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("reduction", SEGMENT_REDUCTIONS)
@given(segments())
def test_gradient_is_that_of_each_segment(reduction, arguments):
    # Whole numbers have ties, zeros among them, with which torch's scatter_reduce is not fair.
    values, offsets = arguments[0].clone().requires_grad_(), arguments[1]

    def gradient(result):
        weights = torch.arange(result.numel()).cos().reshape(result.shape).to(result)
        return torch.autograd.grad((result * weights)[result > -torch.inf].sum(), values)[0]

    pieces = [values[a:b] for a, b in pairwise(offsets.tolist())]
    if reduction == "softmax":
        rows = [OF_ONE_SEGMENT["softmax"](piece) for piece in pieces]
        expected = torch.cat([values[:0], *rows])
    else:
        expected = torch.stack([0 * values.sum(0), *one_by_one(reduction, pieces)])[1:]
    result = getattr(_reference, f"segment_{reduction}")(values, offsets)
    torch.testing.assert_close(gradient(result), gradient(expected), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("reduction", SCATTER_REDUCTIONS)
@given(scattered())
def test_scatter_reduction_is_that_of_each_place(reduction, arguments):
    values, index, size = arguments
    result = getattr(_reference, f"scatter_{reduction}")(values, index, size)
    expected = torch.stack(one_by_one(reduction, [values[index == i] for i in range(size)]))
    torch.testing.assert_close(result, expected, rtol=1e-13, atol=1e-13)


@given(rows_and_offsets())
def test_gather_repeats_each_row(arguments):
    rows, offsets, items = arguments
    expected = [row.expand(n, *row.shape) for row, n in zip(rows, offsets.diff(), strict=True)]
    expected = torch.cat([rows[:0], *expected])
    torch.testing.assert_close(_reference.segment_gather(rows, offsets, items), expected)


def test_index_names_the_segment_of_each_item():
    index = _reference.segment_index(offsets_from([2, 0, 3, 0]), 5)
    assert index.tolist() == [0, 0, 2, 2, 2]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("function", ["segment_sum", "segment_mean", "segment_logsumexp"])
def test_half_precision_is_summed_in_float32(function, dtype):
    # Ones added up one after another in bfloat16 stop at 256, in float16 at 2048.
    values, offsets = torch.ones(5000, 2, dtype=dtype), torch.tensor([0, 5000])
    result = getattr(_reference, function)(values, offsets)
    expected = getattr(_reference, function)(values.double(), offsets).to(dtype)
    assert result.dtype == dtype
    assert torch.equal(result, expected)
