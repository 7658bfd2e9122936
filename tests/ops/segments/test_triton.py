"""The Triton kernels: without a GPU, interpreted by Triton in a process of its own."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kernels import arguments_for_gradcheck, assert_agrees, derivatives
from support.ragged import DEVICES, forced, offsets_from

from hepml import ops
from hepml.errors import KernelError
from hepml.ops._kernel import import_failure
from hepml.ops.segments import _reference, _triton
from hepml.ops.segments._priority import KERNELS

OPERATIONS = [name for name, kernels in KERNELS.items() if kernels[0].name == "triton"]
DEVICE = DEVICES[-1]


@pytest.fixture
def runs():
    """Skip where Triton cannot run."""
    with forced("triton"):
        yield


@pytest.mark.slow
@pytest.mark.timeout(900)  # the interpreter is slow, and slower where cores are shared
@pytest.mark.skipif(_triton._INTERPRETED, reason="needs CUDA: interpreted already")
def test_all_of_this_once_more_interpreted():
    pytest.importorskip("triton", reason="needs triton")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "TRITON_INTERPRET": "1"},
    )
    assert run.returncode == 0, run.stdout
    # All but this one.
    assert " passed, 1 skipped" in run.stdout


def test_reasons(monkeypatch):
    monkeypatch.setattr(_triton, "_INTERPRETED", False)
    values, offsets = torch.ones(3, 2), torch.tensor([0, 3])
    reason = "it needs a CUDA device, and the values are on cpu"
    assert _triton.why_not(values, offsets) == [reason]
    monkeypatch.setenv("HEPML_KERNEL", "triton")
    with pytest.raises(KernelError, match=f"got triton: {reason}"):
        ops.segment_sum(values, offsets)
    monkeypatch.setattr(_triton, "_INTERPRETED", True)
    assert _triton.why_not(values.long(), offsets) == ["it does not take torch.int64"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModuleNotFoundError("no"), "triton is not installed (pip install triton)"),
        (OSError("undefined symbol: x"), "triton does not load (undefined symbol: x)"),
    ],
)
def test_a_package_that_is_absent_or_broken_is_a_reason(monkeypatch, error, reason):
    def fail(_):
        raise error

    monkeypatch.setattr(_triton, "_INTERPRETED", True)
    import_failure.cache_clear()
    monkeypatch.setattr(importlib, "import_module", fail)
    assert _triton.why_not(torch.ones(3), torch.tensor([0, 3])) == [reason]
    import_failure.cache_clear()


@pytest.mark.parametrize("channels", [1, 3, 4, 16, 64, 100, 128, 129, 1024])
def test_a_tile_covers_everything_and_holds_no_more_than_it_should(channels):
    groups, pieces, tiles, tile = _triton._layout(10**6, 20_001, channels)
    assert groups * tile["SEGMENTS"] >= 20_001
    assert pieces * tile["PIECE"] >= 10**6
    assert tiles * tile["CHANNELS"] >= channels
    assert tile["SEGMENTS"] * tile["ITEMS"] * tile["CHANNELS"] == 2048
    assert tile["LONG"] >= tile["PIECE"]
    assert _triton._layout(1000, 3, channels)[1] == 0


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("operation", OPERATIONS)
@settings(max_examples=8)
@given(
    lengths=st.lists(st.sampled_from([0, 1, 7, 15, 16, 17, 33, 50]), min_size=1, max_size=5),
    channels=st.sampled_from([(), (3,), (17,), (130,)]),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]),
)
def test_value_with_long_segments_in_pieces(operation, lengths, channels, dtype):
    offsets = offsets_from(lengths)
    items = int(offsets[-1])
    generator = torch.Generator().manual_seed(items)
    rows = len(lengths) if operation == "segment_gather" else items
    values = (torch.randn(rows, *channels, generator=generator) * 3).to(DEVICE, dtype)
    arguments = (values, offsets.to(DEVICE))
    if operation == "segment_gather":
        arguments += (items,)
    if items == 0:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_triton, "PIECE", 16)
        patch.setattr(_triton, "LONG", 16)
        assert_agrees(KERNELS[operation][0], arguments)
        function = getattr(_triton, operation)
        assert torch.equal(function(*arguments), function(*arguments))


@pytest.mark.usefixtures("runs")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of the interpreter's NumPy
@pytest.mark.parametrize("operation", ["segment_max", "segment_min", "segment_logsumexp"])
@pytest.mark.parametrize("long", [16, 1024])
def test_nan_and_infinity_pass(operation, long, monkeypatch):
    monkeypatch.setattr(_triton, "PIECE", 16)
    monkeypatch.setattr(_triton, "LONG", long)
    values = torch.linspace(-2, 2, 80, device=DEVICE)[:, None].repeat(1, 2)
    values[5] = torch.nan
    values[20:40] = -torch.inf
    values[41, 1] = torch.inf
    offsets = torch.tensor([0, 20, 40, 80], device=DEVICE)
    result = getattr(_triton, operation)(values, offsets)
    expected = getattr(_reference, operation)(values, offsets)
    torch.testing.assert_close(result, expected, equal_nan=True)
    assert result[0].isnan().all()
    assert (result[1] == -torch.inf).all()


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_derivatives_are_those_of_the_reference(operation):
    values, *others = arguments_for_gradcheck(operation, (3,))
    values = values.detach()
    others = [each.to(DEVICE) if isinstance(each, torch.Tensor) else each for each in others]
    result = derivatives(getattr(ops, operation), values.to(DEVICE), *others)
    expected = derivatives(getattr(_reference, operation), values.to(DEVICE), *others)
    for got, wanted in zip(result, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-11)
