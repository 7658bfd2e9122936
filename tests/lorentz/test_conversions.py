"""Four-momenta from collider coordinates agree with vector and round once."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import vector
from torch import Tensor

from hepml.lorentz import (
    eta,
    mass,
    p4_from_momentum_mass,
    p4_from_pt_eta_phi_energy,
    p4_from_pt_eta_phi_mass,
    p4_from_pt_rapidity_phi_mass,
    phi,
    pt,
    rapidity,
)


def _draw(*bounds: tuple[float, float]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        low + (high - low) * torch.rand(200, dtype=torch.float64, generator=generator)
        for low, high in bounds
    ]


PT, ETA, PHI, MASS = _draw((0.0, 500.0), (-5.0, 5.0), (-3.1, 3.1), (-5.0, 20.0))
PT[:5] = 0
MASS[3:8] = 0


@pytest.mark.parametrize(
    ("convert", "names", "values"),
    [
        (p4_from_pt_eta_phi_mass, ("pt", "eta", "phi", "mass"), (PT, ETA, PHI, MASS)),
        (p4_from_pt_eta_phi_energy, ("pt", "eta", "phi", "energy"), (PT, ETA, PHI, MASS)),
    ],
)
def test_conversions_agree_with_vector(
    convert: Callable[..., Tensor], names: tuple[str, ...], values: tuple[Tensor, ...]
) -> None:
    theirs = vector.array({name: value.numpy() for name, value in zip(names, values, strict=True)})
    expected = np.stack([theirs.E, theirs.px, theirs.py, theirs.pz], axis=1)
    np.testing.assert_allclose(convert(*values), expected, rtol=1e-12, atol=1e-10)


def test_coordinates_come_back() -> None:
    positive = MASS.abs()
    p4 = p4_from_pt_rapidity_phi_mass(PT[5:], ETA[5:], PHI[5:], positive[5:])
    for quantity, expected in ((pt, PT), (rapidity, ETA), (phi, PHI)):
        torch.testing.assert_close(quantity(p4), expected[5:], rtol=1e-9, atol=1e-9)
    p4 = p4_from_pt_eta_phi_mass(PT[5:], ETA[5:], PHI[5:], positive[5:])
    torch.testing.assert_close(eta(p4), ETA[5:], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(p4_from_momentum_mass(p4[:, 1:], positive[5:]), p4)
    torch.testing.assert_close(mass(p4)[3:], positive[8:], rtol=1e-5, atol=1e-5)


def test_one_momentum_goes_with_several_masses() -> None:
    momentum, masses = torch.tensor([0.0, 0.0, 4.0]), torch.tensor([3.0, 0.0])
    p4 = p4_from_momentum_mass(momentum, masses)
    torch.testing.assert_close(p4, torch.tensor([[5.0, 0.0, 0.0, 4.0], [4.0, 0.0, 0.0, 4.0]]))


def test_single_precision_rounds_once() -> None:
    """The energy is the float32 nearest to the exact one."""
    values = [value.float() for value in (PT, ETA, PHI, MASS)]
    exact = p4_from_pt_eta_phi_mass(*(value.double() for value in values))
    assert torch.equal(p4_from_pt_eta_phi_mass(*values), exact.float())


def test_coordinates_broadcast() -> None:
    p4 = p4_from_pt_eta_phi_mass(PT[:6, None], ETA[:4], PHI[:4], torch.zeros(()))
    assert p4.shape == (6, 4, 4)
    assert p4.dtype == torch.float64


@pytest.mark.parametrize(
    "convert",
    [p4_from_pt_eta_phi_mass, p4_from_pt_eta_phi_energy, p4_from_pt_rapidity_phi_mass],
)
def test_derivatives_are_right_and_finite_at_nothing(convert: Callable[..., Tensor]) -> None:
    regular = [value[10:14].clone().requires_grad_() for value in (PT, ETA, PHI, MASS)]
    assert torch.autograd.gradcheck(convert, regular)
    nothing = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(convert(*nothing.unbind()).sum(), nothing)
    assert gradient.isfinite().all()
