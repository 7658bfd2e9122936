"""Splitting columns into fields and joining them is lossless, in any order of terms."""

import pytest
import torch

from hepml.errors import InputError
from hepml.lorentz import Irreps
from hepml.nn.irreps._fields import Fields, field_dim, irreps_of

UNSORTED = Irreps("1x(0,1) + 2x(0,0) + 2x(1,0) + 1x(1/2,1/2) + 1x(0,1) + 1x(0,0)")


def test_fields_come_back_to_their_columns() -> None:
    x = torch.randn(3, 5, UNSORTED.dim)
    fields = Fields("irreps", UNSORTED)
    split = fields.split(x)
    assert [field.shape[-2:] for field in split] == [
        (copies, field_dim(irrep)) for irrep, copies in fields.copies.items()
    ]
    assert torch.equal(fields.join(split), x)


def test_real_and_imaginary_parts_are_paired_copy_by_copy() -> None:
    _, _, chiral = Fields("irreps", UNSORTED).split(torch.arange(float(UNSORTED.dim)))
    assert chiral.tolist() == [[5, 6, 7, 0, 1, 2], [8, 9, 10, 15, 16, 17]]


def test_irreps_of_counts() -> None:
    assert irreps_of(Fields("irreps", UNSORTED).copies) == UNSORTED.sorted()


def test_complex_irreps_are_refused() -> None:
    with pytest.raises(InputError, match=r"irreps_in: expected each .* got 2x\(1,0\) \+ 1x\(0,1\)"):
        Fields("irreps_in", "2x(1,0) + 1x(0,1)")
