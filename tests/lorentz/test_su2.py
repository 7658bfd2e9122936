"""SU(2) coefficients agree with sympy's, spin by spin, and couple spins."""

import math

import pytest
import torch
from sympy import Rational
from sympy.physics.wigner import clebsch_gordan as sympy_clebsch_gordan

from hepml.errors import InputError
from hepml.lorentz import su2_clebsch_gordan
from hepml.lorentz._su2 import real_harmonics, spin_matrices, spin_representation


def _triples(largest: int) -> list[tuple[int, int, int]]:
    """Doubled spins that couple."""
    return [
        (a, b, c)
        for a in range(largest + 1)
        for b in range(largest + 1)
        for c in range(abs(a - b), a + b + 1, 2)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("twice", _triples(3))
def test_coefficients_agree_with_sympy(twice: tuple[int, int, int]) -> None:
    j1, j2, j = (Rational(t, 2) for t in twice)
    ours = su2_clebsch_gordan(*(t / 2 for t in twice))
    for i1 in range(twice[0] + 1):
        for i2 in range(twice[1] + 1):
            for i in range(twice[2] + 1):
                exact = sympy_clebsch_gordan(j1, j2, j, j1 - i1, j2 - i2, j - i)
                assert float(ours[i1, i2, i]) == pytest.approx(float(exact), rel=1e-15, abs=0)


def test_large_spins_lose_no_digits() -> None:
    """Where sums of factorials in floating point have none left: the tensors are orthonormal."""
    for j in (0, 10, 31):
        tensor = su2_clebsch_gordan(15.5, 15.5, j).flatten(0, 1)
        torch.testing.assert_close(
            tensor.mT @ tensor, torch.eye(2 * j + 1, dtype=torch.float64), rtol=0, atol=1e-14
        )


def test_spins_that_do_not_couple_have_no_coefficients() -> None:
    assert not su2_clebsch_gordan(1, 1, 3).any()
    assert not su2_clebsch_gordan(1, 0.5, 1).any()
    with pytest.raises(InputError, match="j1: expected a spin"):
        su2_clebsch_gordan(0.25, 1, 1)


def test_a_returned_tensor_is_the_callers_own() -> None:
    su2_clebsch_gordan(1, 1, 0).zero_()
    assert su2_clebsch_gordan(1, 1, 0).any()


@pytest.mark.parametrize("twice_j", range(7))
def test_spin_matrices_generate_the_representation(twice_j: int) -> None:
    spins = spin_matrices(twice_j)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        commutator = spins[i] @ spins[j] - spins[j] @ spins[i]
        torch.testing.assert_close(commutator, 1j * spins[k], rtol=0, atol=1e-13)
    # Complex parameters: rotation and boost.
    parameters = torch.tensor([0.3 + 1.1j, -0.7 + 0.2j, 0.4 - 0.9j], dtype=torch.complex128)
    element = torch.linalg.matrix_exp(-1j * torch.einsum("k,kij", parameters, spin_matrices(1)))
    finite = torch.linalg.matrix_exp(-1j * torch.einsum("k,kij", parameters, spins))
    torch.testing.assert_close(
        spin_representation(twice_j, element), finite, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("degree", range(6))
def test_real_harmonics_make_rotations_real(degree: int) -> None:
    columns = real_harmonics(degree)
    eye = torch.eye(2 * degree + 1, dtype=torch.complex128)
    torch.testing.assert_close(columns.mH @ columns, eye, rtol=0, atol=1e-14)
    angles = torch.tensor([0.3, -1.1, 2.0], dtype=torch.complex128)
    generator = torch.einsum("k,kij", angles, spin_matrices(2 * degree))
    rotation = columns.mH @ torch.linalg.matrix_exp(-1j * generator) @ columns
    assert rotation.imag.abs().max() < 1e-13
    if degree == 1:
        # Order x, y, z: an axis stays where it is.
        torch.testing.assert_close(rotation.real @ angles.real, angles.real, rtol=0, atol=1e-14)
        assert rotation.real.trace() == pytest.approx(1 + 2 * math.cos(float(angles.real.norm())))
