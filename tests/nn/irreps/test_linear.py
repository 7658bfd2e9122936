"""The linear layer on irreps: it commutes with the group, and nothing more general does."""

import pytest
import torch
from support.equivariance import equivariance_error, tensors

from hepml.lorentz import Irreps, generators
from hepml.nn import IrrepsLinear
from hepml.symmetry import Lorentz
from hepml.testing import assert_symmetric

IN = Irreps("3x(0,0) + 2x(1/2,1/2) + 2x(1,0) + 2x(0,1) + 1x(1,1) + 1x(1/2,0) + 1x(0,1/2)")
OUT = Irreps("1x(0,1) + 2x(0,0) + 1x(1,0) + 3x(1/2,1/2) + 2x(1,1) + 2x(0,1/2) + 2x(1/2,0)")


def test_it_commutes_with_the_lorentz_group() -> None:
    assert equivariance_error(IrrepsLinear(IN, OUT).double(), [IN], OUT) < 1e-12


def test_the_check_sees_a_bias_on_vectors() -> None:
    layer = IrrepsLinear(IN, OUT).double()
    assert equivariance_error(lambda x: layer(x) + 0.1, [IN], OUT) > 1e-2


def test_its_weights_are_all_maps_that_commute() -> None:
    """As many as the solutions A of D_out A = A D_in for all generators."""
    irreps_in = Irreps("2x(0,0) + 1x(1,0) + 1x(1/2,1/2) + 1x(0,1) + 1x(1/2,0) + 1x(0,1/2)")
    irreps_out = Irreps("1x(1/2,0) + 1x(0,0) + 2x(1,0) + 1x(0,1/2) + 2x(0,1) + 1x(1/2,1/2)")
    equations = []
    for x, y in zip(
        torch.cat(generators(irreps_in)), torch.cat(generators(irreps_out)), strict=True
    ):
        eye_in, eye_out = (torch.eye(len(each), dtype=torch.float64) for each in (x, y))
        equations.append(torch.kron(y, eye_in) - torch.kron(eye_out, x.mT.contiguous()))
    rank = int(torch.linalg.matrix_rank(torch.cat(equations), atol=1e-8))
    layer = IrrepsLinear(irreps_in, irreps_out, bias=False)
    weights = sum(parameter.numel() for parameter in layer.parameters())
    assert weights == 2 + 2 * 2 + 1 + 2 == irreps_in.dim * irreps_out.dim - rank


def test_output_has_unit_variance() -> None:
    torch.manual_seed(1)
    irreps = IN * 20
    (x,) = tensors([irreps], items=500)
    y = IrrepsLinear(irreps, irreps).double()(x).detach()
    for columns in irreps.slices():
        assert float(y[:, columns].square().mean()) == pytest.approx(1, rel=0.2)


def test_an_irrep_that_does_not_come_in_goes_out_as_zero() -> None:
    layer = IrrepsLinear("2x(0,0)", "1x(0,0) + 1x(1,0) + 1x(0,1)")
    y = layer(torch.ones(3, 2))
    assert y.shape == (3, 7)
    assert not y[:, 1:].any()
    assert layer(torch.ones(0, 2)).shape == (0, 7)


def test_derivatives_to_second_order() -> None:
    layer = IrrepsLinear(IN, OUT).double()
    (x,) = tensors([IN], items=2)
    assert torch.autograd.gradcheck(layer, x.requires_grad_(), fast_mode=True)


def test_users_can_assert_that_it_commutes() -> None:
    irreps = "3x(0,0) + 2x(1/2,1/2) + 2x(1,0) + 2x(0,1) + 1x(1,1)"
    layer = IrrepsLinear(irreps, irreps)
    (x,) = tensors([layer.irreps_in])
    assert_symmetric(layer, x, Lorentz(inputs=irreps, outputs=irreps), strengths=[2.0, 10.0])
