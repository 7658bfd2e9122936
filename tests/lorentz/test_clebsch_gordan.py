"""Clebsch-Gordan tensors couple two representations to a third, orthonormally."""

import pytest
import torch
from torch import Tensor

from hepml.errors import InputError
from hepml.lorentz import Irrep, clebsch_gordan, representation
from hepml.lorentz._su2 import spin_matrices

SMALL = [Irrep(a / 2, b / 2) for a in range(4) for b in range(4 - a)] + [Irrep(1, 1)]
PAIRS = [(irrep1, irrep2) for irrep1 in SMALL for irrep2 in SMALL]


def _element() -> Tensor:
    parameters = torch.tensor([0.7 + 0.4j, -0.3 + 0.9j, 0.5 - 1.2j], dtype=torch.complex128)
    return torch.linalg.matrix_exp(torch.einsum("k,kij", parameters, spin_matrices(1)))


def _intertwining_error(tensor: Tensor, irreps: tuple[Irrep, Irrep, Irrep]) -> float:
    """Of C (D1 x D2) = D C, relative to the larger of the two."""
    d1, d2, d = (representation(irrep, _element()) + 0j for irrep in irreps)
    before = torch.einsum("abk,ai,bj->ijk", tensor + 0j, d1, d2)
    after = torch.einsum("ijl,kl->ijk", tensor + 0j, d)
    return float((before - after).abs().max() / after.abs().max())


@pytest.mark.parametrize(("irrep1", "irrep2"), PAIRS, ids=str)
def test_tensors_intertwine_and_are_orthonormal_and_complete(irrep1: Irrep, irrep2: Irrep) -> None:
    columns = []
    for _, irrep in irrep1 * irrep2:
        tensor = clebsch_gordan(irrep1, irrep2, irrep)
        assert tensor.is_complex() != (irrep1.is_real and irrep2.is_real and irrep.is_real)
        assert _intertwining_error(tensor, (irrep1, irrep2, irrep)) < 1e-13
        conjugate = clebsch_gordan(irrep1.conjugate, irrep2.conjugate, irrep.conjugate)
        torch.testing.assert_close(conjugate.conj() + 0j, tensor + 0j, rtol=0, atol=1e-14)
        columns.append(tensor.flatten(0, 1) + 0j)
    # Isometries onto orthogonal subspaces that fill the product.
    matrix = torch.cat(columns, 1)
    eye = torch.eye(irrep1.dim * irrep2.dim, dtype=torch.complex128)
    torch.testing.assert_close(matrix.mH @ matrix, eye, rtol=0, atol=1e-13)


def test_the_intertwining_test_sees_a_wrong_sign() -> None:
    irreps = (Irrep("(1/2,1/2)"), Irrep("(1/2,1/2)"), Irrep("(1,1)"))
    tensor = clebsch_gordan(*irreps)
    tensor[0, 1] = -tensor[0, 1]
    assert _intertwining_error(tensor, irreps) > 1e-2


def test_two_vectors_make_a_scalar_and_a_field() -> None:
    p, q = torch.randn(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(6))

    def couple(irrep: str) -> Tensor:
        tensor = clebsch_gordan("(1/2,1/2)", "(1/2,1/2)", irrep)
        return torch.einsum("ijk,i,j->k", tensor, p.to(tensor), q.to(tensor))

    metric = torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)
    torch.testing.assert_close(couple("(0,0)"), (p * metric * q).sum()[None] / 2)
    electric, magnetic = p[0] * q[1:] - q[0] * p[1:], torch.linalg.cross(p[1:], q[1:])
    expected = torch.complex(electric, magnetic) / 2
    torch.testing.assert_close(couple("(1,0)"), expected)
    torch.testing.assert_close(couple("(0,1)"), expected.conj())


def test_a_symmetric_traceless_tensor_starts_with_its_time_component() -> None:
    momentum = torch.tensor([3.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    tensor = clebsch_gordan("(1/2,1/2)", "(1/2,1/2)", "(1,1)")
    square = torch.einsum("ijk,i,j->k", tensor, momentum, momentum)
    assert square[0] > 0
    assert not square[1:].any()


def test_tensors_of_rotations_are_e3nn_up_to_sign() -> None:
    from e3nn import o3

    for l1 in range(4):
        for l2 in range(4):
            for l3 in range(abs(l1 - l2), min(l1 + l2, 3) + 1):
                theirs = o3.wigner_3j(l1, l2, l3, dtype=torch.float64) * (2 * l3 + 1) ** 0.5
                ours = clebsch_gordan(Irrep(l1, 0), Irrep(l2, 0), Irrep(l3, 0))
                assert ours.is_complex() == (l1 + l2 + l3 > 0)
                sign = torch.sign((ours.real * theirs).sum())
                torch.testing.assert_close(ours + 0j, sign * theirs + 0j, rtol=0, atol=1e-9)


def test_an_irrep_outside_the_product_is_refused() -> None:
    with pytest.raises(InputError, match=r"one of \(1/2,1/2\) x \(1,0\) = 1x\(1/2,1/2\) \+ .*got"):
        clebsch_gordan("(1/2,1/2)", "(1,0)", "(1,1)")


def test_a_returned_tensor_is_the_callers_own() -> None:
    clebsch_gordan("(1,0)", "(1,0)", "(0,0)").zero_()
    assert clebsch_gordan("(1,0)", "(1,0)", "(0,0)").any()
