"""SL(2,C) covers the Lorentz group twice."""

import math

import pytest
import torch
from torch import Tensor

from hepml.errors import InputError
from hepml.lorentz import boost, lorentz_from_sl2c, representation, sl2c_from_lorentz
from hepml.lorentz._su2 import spin_matrices


def _elements(count: int, rapidity: float = 1.0) -> Tensor:
    """Products of a boost and a rotation, both of random size and direction."""
    generator = torch.Generator().manual_seed(2)
    angles, rapidities = torch.randn(2, count, 3, dtype=torch.float64, generator=generator)
    spins = spin_matrices(1)
    turn = torch.linalg.matrix_exp(-1j * torch.einsum("nk,kij->nij", 2 * angles + 0j, spins))
    push = torch.linalg.matrix_exp(torch.einsum("nk,kij->nij", rapidity * rapidities + 0j, spins))
    return push @ turn


def test_a_product_goes_to_the_product() -> None:
    g, h = _elements(50), _elements(50).flip(0)
    expected = lorentz_from_sl2c(g) @ lorentz_from_sl2c(h)
    torch.testing.assert_close(lorentz_from_sl2c(g @ h), expected, rtol=1e-12, atol=1e-11)


def test_both_signs_have_one_lorentz_matrix_which_gives_one_of_them_back() -> None:
    for rapidity in (0.0, 1.0, 2.0):
        g = _elements(200, rapidity)
        transformation = lorentz_from_sl2c(g)
        assert torch.equal(lorentz_from_sl2c(-g), transformation)
        back = sl2c_from_lorentz(transformation)
        distance = torch.minimum((back - g).abs(), (back + g).abs()).amax((1, 2))
        assert (
            distance / g.abs().amax((1, 2)) < 1e-15 * transformation.abs().amax((1, 2)) * 20
        ).all()
        trace = back.diagonal(dim1=-2, dim2=-1).sum(-1)
        assert (trace.real >= 0).all()


@pytest.mark.parametrize("axis", range(3))
def test_half_turns_where_the_trace_vanishes(axis: int) -> None:
    turn = -torch.eye(4, dtype=torch.float64)
    turn[0, 0] = turn[1 + axis, 1 + axis] = 1
    expected = -2j * spin_matrices(1)[axis]
    back = sl2c_from_lorentz(turn)
    torch.testing.assert_close(back * (back * expected.conj()).sum().sgn().conj(), expected)
    torch.testing.assert_close(lorentz_from_sl2c(back), turn, rtol=0, atol=1e-15)


def test_boosts_go_the_way_of_boost() -> None:
    velocity = torch.tensor([0.3, -0.5, 0.6], dtype=torch.float64)
    speed = velocity.norm()
    direction = torch.atanh(speed) * velocity / speed
    element = torch.linalg.matrix_exp(torch.einsum("k,kij", direction + 0j, spin_matrices(1)))
    expected = boost(torch.eye(4, dtype=torch.float64), velocity).mT
    torch.testing.assert_close(lorentz_from_sl2c(element), expected, rtol=1e-13, atol=1e-13)


def test_high_boosts_in_single_precision_still_give_determinant_one() -> None:
    element = sl2c_from_lorentz(lorentz_from_sl2c(_elements(100, 2.0)).to(torch.float32))
    assert element.dtype == torch.complex64
    determinant = torch.linalg.det(element.to(torch.complex128))
    assert (determinant - 1).abs().max() < 1e-3


def test_gradients_reach_the_matrix() -> None:
    spins = spin_matrices(1)

    def through(angles: Tensor) -> Tensor:
        g = torch.linalg.matrix_exp(torch.einsum("k,kij", angles * (0.5 - 1j), spins))
        return torch.view_as_real(sl2c_from_lorentz(lorentz_from_sl2c(g)))

    angles = torch.tensor([0.4, -0.2, 0.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(through, (angles,))


@pytest.mark.parametrize(
    "matrix",
    [
        torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0])),
        torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0])),
        -torch.eye(4),
        2 * torch.eye(4),
        torch.ones(4, 4),
        torch.full((4, 4), math.nan),
    ],
)
def test_other_matrices_are_refused(matrix: Tensor) -> None:
    with pytest.raises(InputError, match=r"transformation: expected matrices of SO\(1,3\)\+"):
        sl2c_from_lorentz(torch.stack([torch.eye(4), matrix]))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_a_determinant_other_than_one_is_refused(dtype: torch.dtype) -> None:
    double = torch.diag(torch.tensor([2.0, 1.0])).to(dtype)
    for function in (lorentz_from_sl2c, lambda g: representation("(1/2,1/2)", g)):
        with pytest.raises(InputError, match=r"of determinant 1, got .* of determinant 2"):
            function(double)
        with pytest.raises(InputError, match="of determinant nan"):
            function(torch.full((2, 2), torch.nan, dtype=dtype))
        function(torch.diag(torch.tensor([2000.0, 0.0005])).to(dtype))


def test_a_boosted_matrix_that_scales_is_refused() -> None:
    boosted = boost(
        torch.eye(4, dtype=torch.float64), torch.tensor([0.0, 0.0, 0.99995]).double()
    ).mT
    sl2c_from_lorentz(boosted)
    with pytest.raises(InputError, match=r"matrices of SO\(1,3\)\+"):
        sl2c_from_lorentz(2 ** (1 / 4) * boosted)
