"""The invariants of irreps."""

import pytest
import torch
from support.equivariance import equivariance_error, tensors

from hepml.lorentz import Irreps, mass_squared
from hepml.nn import IrrepsNorm
from hepml.symmetry import Lorentz
from hepml.testing import assert_symmetric

IRREPS = Irreps("2x(0,0) + 3x(1/2,1/2) + 2x(1,0) + 2x(0,1) + 1x(1,1) + 1x(1/2,0) + 1x(0,1/2)")


def test_squares_are_invariant() -> None:
    norm = IrrepsNorm(IRREPS).double()
    assert str(norm.irreps_out) == "10x(0,0)"
    assert equivariance_error(norm, [IRREPS], norm.irreps_out) < 1e-12


def test_the_check_sees_a_euclidean_square() -> None:
    norm = IrrepsNorm(IRREPS).double()
    norm.get_buffer("signs_2").abs_()
    assert equivariance_error(norm, [IRREPS], norm.irreps_out) > 0.1


def test_they_are_the_mass_and_the_invariants_of_a_field() -> None:
    (x,) = tensors([IRREPS])
    squares = IrrepsNorm(IRREPS).double()(x)
    torch.testing.assert_close(squares[:, :2], x[:, :2].square())
    torch.testing.assert_close(squares[:, 2], mass_squared(x[:, 2:6]))
    electric, magnetic = x[:, 14:17], x[:, 20:23]
    torch.testing.assert_close(squares[:, 5], (electric**2 - magnetic**2).sum(1))
    torch.testing.assert_close(squares[:, 7], 2 * (electric * magnetic).sum(1))


def test_spinors_have_none() -> None:
    assert IrrepsNorm("1x(1/2,0) + 1x(0,1/2)")(torch.ones(3, 4)).shape == (3, 0)


def test_derivatives_to_second_order() -> None:
    norm = IrrepsNorm(IRREPS).double()
    (x,) = tensors([IRREPS], items=2)
    assert torch.autograd.gradcheck(norm, x.requires_grad_(), fast_mode=True)
    with pytest.raises(ValueError, match="irreps: expected each"):
        IrrepsNorm("1x(1,0)")


def test_users_can_assert_that_it_is_invariant() -> None:
    norm = IrrepsNorm("2x(1/2,1/2) + 1x(1,1)")
    (x,) = tensors([norm.irreps_in])
    assert_symmetric(norm, x, Lorentz(inputs=str(norm.irreps_in)), strengths=[2.0])
    with pytest.raises(AssertionError, match="lorentz"):
        assert_symmetric(torch.abs, x, Lorentz(inputs=str(norm.irreps_in)), strengths=[2.0])
