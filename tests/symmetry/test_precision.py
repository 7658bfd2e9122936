"""Precisions by name, and the arithmetic that they stand for."""

import pytest
import torch

from hepml.errors import InputError
from hepml.symmetry._precision import PRECISIONS, arithmetic, find_precisions

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtypes", [torch.float64, "float64", ["torch.float64"], [torch.double]])
def test_one_precision_by_many_names(dtypes):
    assert find_precisions(dtypes, CPU) == [PRECISIONS["float64"]]


def test_the_most_exact_comes_first():
    found = find_precisions(["bfloat16", torch.float32, "float64", "float32"], CPU)
    assert [precision.name for precision in found] == ["float64", "float32", "bfloat16"]
    tolerances = [precision.tolerance for precision in found]
    assert tolerances == sorted(tolerances)


@pytest.mark.parametrize(
    ("dtypes", "message"),
    [
        (["float8"], "expected one or more of float64, wide, float32, tf32, bfloat16, got float8"),
        ([], "got none"),
        ("tf32", "tf32 on a GPU only, got inputs on cpu"),
    ],
)
def test_other_names_are_refused(dtypes, message):
    with pytest.raises(InputError, match=message):
        find_precisions(dtypes, CPU)


def test_bfloat16_is_mixed_precision_and_ends():
    x = torch.ones(2, 2)
    with arithmetic(PRECISIONS["bfloat16"], CPU):
        assert (x @ x).dtype == torch.bfloat16
    assert (x @ x).dtype == torch.float32
    with arithmetic(PRECISIONS["float32"], CPU):
        assert (x @ x).dtype == torch.float32


def test_settings_of_the_gpu_are_restored():
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    with arithmetic(PRECISIONS["tf32"], CPU):
        assert matmul.allow_tf32
        with arithmetic(PRECISIONS["float32"], CPU):
            assert not matmul.allow_tf32
        assert matmul.allow_tf32
    assert matmul.allow_tf32 == before
