"""Properties of the segment operations, and the errors at their door."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from support.ragged import SEGMENT_REDUCTIONS, forced, offsets_from, rows_and_offsets, segments

from hepml import ops
from hepml.errors import InputError
from hepml.ops.segments import _reference


def reduction(name):
    return getattr(ops, f"segment_{name}")


@pytest.mark.parametrize("name", SEGMENT_REDUCTIONS)
@given(segments())
def test_the_order_inside_a_segment_does_not_matter(name, arguments):
    values, offsets = arguments
    shuffled = torch.cat(
        [values[:0], *(values[a:b].flip(0) for a, b in pairwise(offsets.tolist()))]
    )
    result, again = reduction(name)(values, offsets), reduction(name)(shuffled, offsets)
    if name == "softmax":
        # Each item keeps its weight: its sum with another permutation-proof quantity.
        result = ops.segment_sum(result * values, offsets)
        again = ops.segment_sum(again * shuffled, offsets)
    torch.testing.assert_close(result, again, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SEGMENT_REDUCTIONS)
@given(segments())
def test_a_batch_is_its_segments_one_by_one(name, arguments):
    values, offsets = arguments
    alone = [
        reduction(name)(values[a:b], offsets_from([b - a])) for a, b in pairwise(offsets.tolist())
    ]
    result = reduction(name)(values, offsets)
    torch.testing.assert_close(result, torch.cat([result[:0], *alone]), rtol=1e-13, atol=1e-13)


@given(segments())
def test_softmax_adds_up_to_one_and_ignores_a_common_shift(arguments):
    values, offsets = arguments
    weights = ops.segment_softmax(values, offsets)
    assert bool((weights >= 0).all())
    filled = (offsets.diff() > 0).to(values).reshape(-1, *[1] * (values.dim() - 1))
    torch.testing.assert_close(
        ops.segment_sum(weights, offsets), filled.expand(len(filled), *values.shape[1:])
    )
    shifted = ops.segment_softmax(values + 1000, offsets)
    torch.testing.assert_close(shifted, weights, rtol=1e-10, atol=1e-12)


@given(rows_and_offsets())
def test_gather_is_the_transpose_of_the_sum(arguments):
    rows, offsets, items = arguments
    values = torch.randn(
        items, *rows.shape[1:], generator=torch.Generator().manual_seed(1)
    ).double()
    left = (ops.segment_gather(rows, offsets, items) * values).sum()
    torch.testing.assert_close(left, (rows * ops.segment_sum(values, offsets)).sum())


@pytest.mark.parametrize("channels", [(), (1,), (20,), (2, 3)])
@pytest.mark.parametrize(
    ("name", "nothing"),
    [("sum", 0.0), ("mean", 0.0), ("max", 0.0), ("min", 0.0), ("logsumexp", -torch.inf)],
)
def test_empty_segments_give_what_is_promised(name, nothing, channels):
    values = torch.randn(3, *channels)
    result = reduction(name)(values, offsets_from([0, 3, 0, 0]))
    for row in (0, 2, 3):
        assert torch.equal(result[row], torch.full(channels, nothing))
    of_nothing = reduction(name)(values[:0], offsets_from([0, 0]))
    assert torch.equal(of_nothing, torch.full((2, *channels), nothing))
    assert reduction(name)(values[:0], offsets_from([])).shape == (0, *channels)


def test_zeros_of_empty_segments_carry_no_sign():
    # -max(-x) would give -0, on which 1 / x and atan2 differ.
    assert not bool(ops.segment_min(torch.ones(1), offsets_from([0, 1])).signbit().any())


@pytest.mark.parametrize("channels", [(), (20,)])
def test_a_segment_of_minus_infinity_weighs_nothing(channels):
    values = torch.full((5, *channels), -torch.inf)
    values[3] = 2.0
    values.requires_grad_()
    offsets = offsets_from([2, 3])
    weights = ops.segment_softmax(values, offsets)
    expected = torch.zeros(5, *channels)
    expected[3] = 1.0
    assert torch.equal(weights, expected)
    total = ops.segment_logsumexp(values, offsets)
    assert bool((total[0] == -torch.inf).all())
    assert bool((total[1] == 2.0).all())
    (gradient,) = torch.autograd.grad(total[1].sum() + weights.square().sum(), values)
    assert torch.equal(gradient, expected)
    (gradient,) = torch.autograd.grad(ops.segment_logsumexp(values, offsets).sum(), values)
    assert torch.equal(gradient, expected)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float16, torch.float64])
def test_gather_takes_any_dtype(dtype):
    rows = torch.tensor([0, 1, 1]).to(dtype)
    result = ops.segment_gather(rows, offsets_from([1, 0, 2]), 3)
    assert torch.equal(result, torch.tensor([0, 1, 1]).to(dtype))


def test_index_counts_up():
    assert ops.segment_index(offsets_from([0, 2, 1]), 3).tolist() == [1, 1, 2]


OFFSETS = torch.tensor([0, 1, 3])
# Their differences are positive in int64.
OVERFLOWING = [0, 10**9, 2**63 - 1, -2, 7]


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("values", "offsets", "message"),
    [
        (
            torch.ones(3, dtype=torch.int64),
            OFFSETS,
            r"values: expected floating point of shape \(items, ...\), got torch.int64 of shape "
            r"\(3,\). Fix: give one row for each item; convert integers with .float\(\).",
        ),
        (torch.tensor(1.0), OFFSETS, r"values: .* got torch.float32 of shape \(\)"),
        (
            torch.ones(3),
            OFFSETS.int(),
            r"offsets: expected int64 of shape \(segments \+ 1,\), got torch.int32 of shape "
            r"\(3,\). Fix: pass the running sum of the lengths, starting with 0.",
        ),
        (torch.ones(3), OFFSETS[:, None], r"offsets: .* got torch.int64 of shape \(3, 1\)"),
        (torch.ones(0), OFFSETS[:0], r"offsets: .* got torch.int64 of shape \(0,\)"),
        (
            torch.ones(3),
            OFFSETS.to("meta"),
            r"offsets: expected device cpu, where the values are, got meta. Fix: move one of them.",
        ),
        (torch.ones(4), OFFSETS, "offsets: expected bounds from 0 to 4, the number of items"),
    ],
)
@pytest.mark.parametrize("name", SEGMENT_REDUCTIONS)
def test_reductions_refuse(name, values, offsets, message):
    with pytest.raises(InputError, match=message):
        reduction(name)(values, offsets)


@pytest.mark.usefixtures("unchecked_types")
def test_gather_and_index_refuse():
    message = r"rows: expected 2 rows, one for each segment, got torch.float32 of "
    message += r"shape \(3,\). Fix: give one row"
    with pytest.raises(InputError, match=message):
        ops.segment_gather(torch.ones(3), OFFSETS, 3)
    with pytest.raises(InputError, match="bounds from 0 to 4, the number of items"):
        ops.segment_gather(torch.ones(2), OFFSETS, 4)
    with pytest.raises(InputError, match=r"offsets: expected int64 of shape \(segments \+ 1,\)"):
        ops.segment_index(OFFSETS.int(), 3)
    for bounds in ([2, 3, 5], [0, 4], [0, 3, 1, 3], OVERFLOWING):
        with pytest.raises(InputError, match="offsets: expected bounds from 0 to 3"):
            ops.segment_index(torch.tensor(bounds), 3)
    for items in (3.0, -1, None, "3", torch.ones(2)):
        for call in (
            lambda items: ops.segment_gather(torch.ones(2), OFFSETS, items),
            lambda items: ops.segment_index(OFFSETS, items),
            lambda items: ops.scatter_sum(torch.ones(3), OFFSETS, items),
        ):
            with pytest.raises(InputError, match="expected a whole number from 0 on, got"):
                call(items)


@pytest.mark.parametrize("name", SEGMENT_REDUCTIONS)
@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("bounds", [[0, 5, 3, 7], [0, 1000000, 7], OVERFLOWING])
def test_falling_bounds_are_refused(name, channels, bounds):
    with pytest.raises(InputError, match="falling in between"):
        reduction(name)(torch.ones(7, channels), torch.tensor(bounds))


def test_the_default_device_of_the_moment_is_not_kept():
    values, offsets = torch.ones(5, 4), torch.tensor([0, 2, 5])
    with torch.device("meta"):
        ops.segment_sum(values, offsets)
    assert ops.segment_sum(values, offsets)[:, 0].tolist() == [2.0, 3.0]


@pytest.mark.parametrize("name", ["reference", "torch", "torch_scatter", "native"])
@pytest.mark.parametrize("channels", [(), (3,), (20,)])
def test_logsumexp_of_infinity(name, channels):
    inf = torch.inf
    rows = torch.tensor([inf, 1.0, inf, inf, inf, -inf, 1e30, inf, inf, torch.nan, -inf, -inf])
    values = rows.reshape(-1, *(1 for _ in channels)).expand(12, *channels).clone()
    with forced(name):
        result = ops.segment_logsumexp(values, torch.arange(0, 13, 2))
    expected = torch.logsumexp(rows.reshape(6, 2), 1)
    assert expected[:3].tolist() == [inf, inf, inf]
    expected = expected.reshape(-1, *(1 for _ in channels)).expand(result.shape)
    torch.testing.assert_close(result, expected, equal_nan=True)


def test_gradients_of_logsumexp_of_infinity_are_those_of_torch():
    values = torch.tensor([torch.inf, 1.0], requires_grad=True)
    for total in (
        lambda x: torch.logsumexp(x, 0),
        lambda x: ops.segment_logsumexp(x, torch.tensor([0, 2])).sum(),
        lambda x: _reference.segment_logsumexp(x, torch.tensor([0, 2])).sum(),
    ):
        (gradient,) = torch.autograd.grad(total(values), values)
        assert gradient.isnan().tolist() == [True, False]
        assert gradient[1] == 0
