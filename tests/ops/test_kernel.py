"""The choice among kernels, and what it says when there is none."""

import pytest
import torch

from hepml.errors import KernelError
from hepml.ops._kernel import ENVIRONMENT_VARIABLE, Kernel, choose_kernel

VALUES, OFFSETS = torch.zeros(3, 2), torch.tensor([0, 3])


def kernel(name, *reasons):
    return Kernel(name, "segment_sum", torch.Tensor.sum, 0.0, lambda *_: list(reasons))


@pytest.fixture(autouse=True)
def free_choice(monkeypatch):
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)


def test_the_first_without_reasons_is_taken():
    kernels = [kernel("triton", "no GPU"), kernel("torch"), kernel("reference")]
    assert choose_kernel(kernels, VALUES, OFFSETS).name == "torch"


def test_reasons_see_the_arguments():
    seen = []
    picky = Kernel("picky", "segment_sum", torch.Tensor.sum, 0.0, lambda *a: seen.append(a) or [])
    assert choose_kernel([picky], VALUES, OFFSETS) is picky
    assert seen == [(VALUES, OFFSETS)]


def test_the_environment_forces_one(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "reference")
    kernels = [kernel("torch"), kernel("reference")]
    assert choose_kernel(kernels, VALUES, OFFSETS).name == "reference"


def test_the_environment_orders_several(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "triton, reference")
    kernels = [kernel("torch"), kernel("reference"), kernel("triton", "no GPU")]
    assert choose_kernel(kernels, VALUES, OFFSETS).name == "reference"


def test_every_reason_is_printed_when_none_can_run():
    kernels = [kernel("triton", "no GPU", "half precision"), kernel("torch", "a leap year")]
    message = (
        r"segment_sum of torch.float32 of shape \(3, 2\) on cpu: expected a kernel that can run, "
        r"got triton: no GPU, half precision; torch: a leap year. Fix: unset HEPML_KERNEL "
        r"\(now None\) or name another kernel; `python -m hepml.ops` lists them."
    )
    with pytest.raises(KernelError, match=message):
        choose_kernel(kernels, VALUES, OFFSETS)


def test_a_forced_kernel_that_cannot_run_is_not_replaced(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "triton")
    kernels = [kernel("triton", "no GPU"), kernel("torch")]
    message = r"got triton: no GPU. Fix: unset HEPML_KERNEL \(now 'triton'\)"
    with pytest.raises(KernelError, match=message):
        choose_kernel(kernels, VALUES, OFFSETS)


def test_an_unknown_name_lists_the_known(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "tritn,torch")
    message = (
        r"HEPML_KERNEL for segment_sum: expected names among triton, torch, got 'tritn'. "
        r"Fix: correct or unset HEPML_KERNEL"
    )
    with pytest.raises(KernelError, match=message):
        choose_kernel([kernel("triton", "no GPU"), kernel("torch")], VALUES, OFFSETS)
