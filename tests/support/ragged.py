"""What the tests of the operations share: ragged inputs drawn by hypothesis, and forced kernels."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from hepml.ops.segments import _triton
from hepml.ops.segments._priority import KERNELS

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
SEGMENT_REDUCTIONS = ("sum", "mean", "max", "min", "softmax", "logsumexp")
SCATTER_REDUCTIONS = ("sum", "mean", "max", "min")
# Either side of 16 channels, where torch has another code; several axes; none at all.
CHANNELS = [(), (1,), (3,), (2, 2), (17,), (4, 5), (0,)]


def kernel(operation: str, name: str):
    """The kernel of this name, if it can run here."""
    (found,) = (kernel for kernel in KERNELS[operation] if kernel.name == name)
    _need(name)
    return found


def _need(name: str) -> None:
    """Skip where the package of a kernel is absent, or cannot run."""
    if name == "torch_scatter":
        pytest.importorskip("torch_scatter", reason="needs torch-scatter")
    if name == "triton" and _triton.why_not(torch.ones(1, device=DEVICES[-1])):
        # Without a GPU, test_triton.py has its own tests run once more, interpreted.
        pytest.skip("needs CUDA: interpreted by test_triton.py")


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Run every operation on one kernel."""
    _need(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEPML_KERNEL", name)
        yield


def offsets_from(lengths: list[int]) -> Tensor:
    """The bounds of segments of these lengths."""
    return torch.tensor([0, *lengths]).cumsum(0)


@st.composite
def values_for(draw: st.DrawFn, items: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Normal numbers of random channels; sometimes whole numbers, so that there are ties."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    values = torch.randn(items, *draw(st.sampled_from(CHANNELS)), generator=generator) * 3
    return (values.round() if draw(st.booleans()) else values).to(dtype)


@st.composite
def segments(draw: st.DrawFn, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Values and offsets: no segment, empty ones, long ones."""
    offsets = offsets_from(draw(st.lists(st.integers(0, 9), max_size=6)))
    return draw(values_for(int(offsets[-1]), dtype)), offsets


@st.composite
def scattered(draw: st.DrawFn, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, int]:
    """Values, an index in any order, and the number of places."""
    size = draw(st.integers(1, 6))
    index = draw(st.lists(st.integers(0, size - 1), max_size=20))
    return draw(values_for(len(index), dtype)), torch.tensor(index, dtype=torch.int64), size


@st.composite
def rows_and_offsets(
    draw: st.DrawFn, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, int]:
    """The arguments of the gather."""
    offsets = offsets_from(draw(st.lists(st.integers(0, 9), max_size=6)))
    return draw(values_for(len(offsets) - 1, dtype)), offsets, int(offsets[-1])


def arguments_of(operation: str, dtype: torch.dtype = torch.float64) -> st.SearchStrategy:
    """The strategy that draws the arguments of an operation."""
    if operation == "segment_gather":
        return rows_and_offsets(dtype)
    return segments(dtype) if operation.startswith("segment") else scattered(dtype)
