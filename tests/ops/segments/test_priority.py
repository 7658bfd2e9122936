"""Every kernel of every operation gives the reference's value, within the tolerance it states."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kernels import assert_agrees
from support.ragged import DEVICES, arguments_of, kernel, offsets_from

from hepml.ops._kernel import Kernel
from hepml.ops.segments import _reference
from hepml.ops.segments._priority import KERNELS, OPERATIONS

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
FAST = [
    pytest.param(operation, fast.name, id=f"{operation}-{fast.name}")
    for operation, kernels in KERNELS.items()
    for fast in kernels
    if fast.name != "reference"
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("operation", "name"), FAST)
@settings(max_examples=40)
@given(data=st.data())
def test_value(operation, name, device, data):
    fast = kernel(operation, name)
    arguments = data.draw(arguments_of(operation, data.draw(st.sampled_from(DTYPES))))
    arguments = tuple(a.to(device) if isinstance(a, torch.Tensor) else a for a in arguments)
    # The operators give the reference's answer to nothing, and no kernel is asked.
    if arguments[0].numel() and not fast.reasons(*arguments):
        assert_agrees(fast, arguments)


@pytest.mark.parametrize(("operation", "name"), FAST)
def test_long_and_many_segments(operation, name):
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(0, 60, (400,), generator=generator).tolist()
    offsets = offsets_from([5000, 0, *lengths])
    items = int(offsets[-1])
    for channels in (1, 5, 40):
        values = torch.randn(items, channels, generator=generator)
        if operation == "segment_gather":
            arguments = (values[: len(offsets) - 1], offsets, items)
        elif operation.startswith("segment"):
            arguments = (values, offsets)
        else:
            arguments = (values, torch.randint(0, 300, (items,), generator=generator), 301)
        fast = kernel(operation, name)
        # 5000 summands in another order: the tolerance is for one order of a few.
        assert_agrees(dataclasses.replace(fast, tolerance=8 * fast.tolerance), arguments)


@pytest.mark.parametrize(("operation", "name"), FAST)
def test_memory_in_any_order(operation, name):
    fast = kernel(operation, name)
    offsets = offsets_from([2, 0, 4])
    columns = torch.randn(18, 6).T
    expanded = torch.randn(6, 1).expand(6, 18)
    for values in (columns, expanded, torch.randn(12, 18)[::2]):
        if operation == "segment_gather":
            assert_agrees(fast, (values[:3], offsets, 6))
        elif operation.startswith("segment"):
            assert_agrees(fast, (values, offsets))
        else:
            assert_agrees(fast, (values, torch.tensor([3, 0, 0, 1, 3, 3]), 5))


@pytest.mark.parametrize("operation", ["segment_max", "segment_min", "scatter_max", "scatter_min"])
def test_torch_kernel_passes_nan_and_infinity_on(operation):
    values = torch.tensor([1.0, torch.nan, -torch.inf, -torch.inf, torch.inf, 3.0])
    place = torch.tensor([0, 2, 4, 6]) if operation.startswith("segment") else torch.arange(6) // 2
    size = () if operation.startswith("segment") else (3,)
    for channels in (1, 17):
        table = values[:, None].expand(6, channels)
        result = kernel(operation, "torch").function(table, place, *size)
        assert result[0].isnan().all()
        assert (result[1] == -torch.inf).all()
        assert (result[2] == (3.0 if operation.endswith("min") else torch.inf)).all()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_torch_kernel_on_a_gpu_waits_for_nothing(operation):
    # Tensors without data take the way of a GPU, and refuse to tell a number.
    values = torch.empty(6, 5, device="meta")
    offsets = torch.empty(4, dtype=torch.int64, device="meta")
    if operation == "segment_gather":
        arguments = (values[:3], offsets, 6)
    elif operation.startswith("segment"):
        arguments = (values, offsets)
    else:
        arguments = (values, torch.empty(6, dtype=torch.int64, device="meta"), 3)
    result = kernel(operation, "torch").function(*arguments)
    assert result.shape == getattr(_reference, operation)(*arguments).shape


def forgets_that_segments_can_be_empty(values, offsets):
    return torch.segment_reduce(values, "max", offsets=offsets)


def takes_the_largest_magnitude(values, offsets):
    return _reference.segment_max(values.abs(), offsets)


def loses_the_last_item(values, offsets):
    return _reference.segment_sum(torch.cat([values[:-1], 0 * values[-1:]]), offsets)


def rounds_every_partial_sum(values, offsets):
    running = torch.cat([values[:1] * 0, values]).float().cumsum(0).bfloat16()
    return running[offsets].diff(dim=0).to(values.dtype)


@pytest.mark.parametrize(
    ("operation", "function", "tolerance"),
    [
        ("segment_max", forgets_that_segments_can_be_empty, 0.0),
        ("segment_max", takes_the_largest_magnitude, 0.0),
        ("segment_sum", loses_the_last_item, 4.0),
        ("segment_sum", rounds_every_partial_sum, 4.0),
    ],
)
def test_comparison_finds_a_planted_bug(operation, function, tolerance):
    planted = Kernel("planted", operation, function, tolerance)
    values = -torch.rand(5000, 2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(AssertionError):
        assert_agrees(planted, (values, torch.tensor([0, 4990, 4990, 5000])))
