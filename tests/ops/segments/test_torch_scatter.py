"""What is particular to torch-scatter: when it cannot run, and what it must not be given."""

import importlib

import pytest
import torch
from support.ragged import forced

from hepml import ops
from hepml.errors import KernelError
from hepml.ops._kernel import import_failure
from hepml.ops.segments import _torch_scatter

VALUES, OFFSETS = torch.ones(3, 2), torch.tensor([0, 1, 3])


@pytest.fixture
def fresh_import():
    """The package is looked for again, during the test and after it."""
    import_failure.cache_clear()
    yield
    import_failure.cache_clear()


@pytest.mark.usefixtures("fresh_import")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModuleNotFoundError("no"), "torch-scatter is not installed (pip install torch-scatter "),
        (OSError("undefined symbol: x"), "torch-scatter does not load (undefined symbol: x)"),
    ],
)
def test_a_package_that_is_absent_or_broken_is_a_reason(monkeypatch, error, reason):
    def fail(_):
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    (why_not,) = _torch_scatter.why_not(VALUES, OFFSETS)
    assert why_not.startswith(reason)
    monkeypatch.setenv("HEPML_KERNEL", "torch_scatter")
    with pytest.raises(KernelError, match="got torch_scatter: torch-scatter "):
        ops.segment_sum(VALUES, OFFSETS)


def test_devices_and_dtypes_it_does_not_know():
    pytest.importorskip("torch_scatter", reason="needs torch-scatter")
    assert _torch_scatter.why_not(VALUES, OFFSETS) == []
    assert _torch_scatter.why_not(VALUES > 0, OFFSETS) == ["torch-scatter does not take torch.bool"]
    (why_not,) = _torch_scatter.why_not(VALUES.to("meta"), OFFSETS)
    assert why_not == "torch-scatter does not know the device meta"


@pytest.mark.parametrize("index", [[0, 1, 2], [0, -1, 1]])
def test_a_place_outside_is_refused_before_memory_is_overwritten(index):
    with forced("torch_scatter"), pytest.raises(IndexError, match=r"got places from -?\d to \d\."):
        ops.scatter_sum(VALUES, torch.tensor(index), 2)
