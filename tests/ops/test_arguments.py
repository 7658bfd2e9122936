"""What is refused of arguments, by every operation and layer that takes offsets or an index."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.ragged import forced, offsets_from

from hepml import ops
from hepml.errors import InputError


@pytest.mark.slow
def test_wrong_arguments_are_refused_everywhere():
    # A program of its own, which may crash.
    program = Path(__file__).parents[1] / "support" / "wrong_arguments.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", program], capture_output=True, text=True, timeout=200
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, lines[-1:] + done.stderr.splitlines()[-3:]
    assert not [line for line in lines if not line.endswith(" refused")]
    assert len(lines) > 900


OFFSETS, PLACES = offsets_from([2, 0, 3]), torch.tensor([2, 0, 2, 0, 2])
LINEAR = {
    "segment_sum": lambda x: ops.segment_sum(x, OFFSETS),
    "segment_mean": lambda x: ops.segment_mean(x, OFFSETS),
    "segment_gather": lambda x: ops.segment_gather(x[:3], OFFSETS, 5),
    "scatter_sum": lambda x: ops.scatter_sum(x, PLACES, 4),
    "scatter_mean": lambda x: ops.scatter_mean(x, PLACES, 4),
}


@pytest.mark.parametrize("name", ["reference", "torch", "torch_scatter", "native"])
@pytest.mark.parametrize("channels", [(), (1,), (3, 2), (20,), (0,)])
@pytest.mark.parametrize("operation", LINEAR)
def test_complex_values(operation, channels, name):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(5, *channels, dtype=torch.complex128, generator=generator)
    names = name if operation.startswith("segment") else f"{name},reference"
    with forced(name), pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEPML_KERNEL", names)
        function = LINEAR[operation]
        result = function(values)
        assert result.dtype == torch.complex128
        parts = torch.complex(function(values.real), function(values.imag))
        torch.testing.assert_close(result, parts, rtol=1e-14, atol=1e-14)
        torch.testing.assert_close(function(values.conj()), result.conj(), rtol=0, atol=0)
        if channels == (1,):
            assert torch.autograd.gradcheck(function, values.requires_grad_())
            assert torch.autograd.gradgradcheck(function, values)


def test_complex_values_of_single_precision():
    values = torch.tensor([1 + 2j, 3 - 1j, 5j])
    assert ops.segment_sum(values, torch.tensor([0, 2, 3])).tolist() == [4 + 1j, 5j]


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("name", ["max", "min", "softmax", "logsumexp"])
def test_complex_values_have_no_order(name):
    values, message = torch.ones(5) * 1j, "values: expected real floating point, since complex"
    with pytest.raises(InputError, match=message):
        getattr(ops, f"segment_{name}")(values, OFFSETS)
    if name in ("max", "min"):
        with pytest.raises(InputError, match=message):
            getattr(ops, f"scatter_{name}")(values, PLACES, 4)


@pytest.mark.usefixtures("unchecked_types")
def test_what_torch_cannot_add_is_refused():
    for values in (torch.ones(5).to(torch.float8_e4m3fn), torch.ones(5).to_sparse(), [1.0] * 5):
        with pytest.raises(InputError, match="values: expected floating point of shape"):
            ops.segment_sum(values, OFFSETS)
