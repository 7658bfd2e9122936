"""Gated irreps commute with the group and keep their variance."""

import pytest
import torch
from support.equivariance import equivariance_error, tensors

from hepml.lorentz import Irreps
from hepml.nn import IrrepsGate
from hepml.symmetry import Lorentz
from hepml.testing import assert_symmetric

IRREPS = Irreps("2x(1/2,1/2) + 3x(0,0) + 2x(1,0) + 2x(0,1) + 1x(1,1)")


def test_it_commutes_with_the_lorentz_group() -> None:
    gate = IrrepsGate(IRREPS)
    assert gate.irreps_in == Irreps("5x(0,0)") + IRREPS
    assert equivariance_error(gate, [gate.irreps_in], IRREPS) < 1e-12


def test_the_check_sees_an_activation_of_components() -> None:
    gate = IrrepsGate(IRREPS)
    error = equivariance_error(lambda x: torch.tanh(gate(x)), [gate.irreps_in], IRREPS)
    assert error > 1e-2


def test_gates_multiply_whole_copies() -> None:
    gate = IrrepsGate("1x(1/2,1/2) + 1x(0,0)", activation=torch.tanh, gate=torch.tanh)
    (x,) = tensors([gate.irreps_in])
    y = gate(x)
    torch.testing.assert_close(y[:, :4] / x[:, 1:5], (y[:, :1] / x[:, 1:2]).expand(-1, 4))
    torch.testing.assert_close(y[:, 4] / y[0, 4], x[:, 5].tanh() / x[0, 5].tanh())
    torch.testing.assert_close(
        y[:, 0] / y[0, 0], (x[:, 0].tanh() * x[:, 1]) / (x[0, 0].tanh() * x[0, 1])
    )


def test_output_has_unit_variance() -> None:
    gate = IrrepsGate(IRREPS)
    (x,) = tensors([gate.irreps_in], items=20000)
    y = gate(x)
    for columns in IRREPS.slices():
        assert float(y[:, columns].square().mean()) == pytest.approx(1, rel=0.05)


def test_scalars_alone_and_vectors_alone() -> None:
    assert IrrepsGate("2x(0,0)").irreps_in.simplify() == Irreps("2x(0,0)")
    assert IrrepsGate("2x(0,0)")(torch.ones(3, 2)).shape == (3, 2)
    assert IrrepsGate("2x(1/2,1/2)")(torch.ones(3, 10)).shape == (3, 8)


def test_users_can_assert_that_it_commutes() -> None:
    gate = IrrepsGate("2x(0,0) + 2x(1/2,1/2) + 1x(1,1)")
    (x,) = tensors([gate.irreps_in])
    symmetry = Lorentz(inputs=str(gate.irreps_in), outputs=str(gate.irreps_out))
    assert_symmetric(gate, x, symmetry, strengths=[2.0, 10.0])
