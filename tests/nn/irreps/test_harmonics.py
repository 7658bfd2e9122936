"""Harmonic polynomials of a momentum: they transform, solve the wave equation, and multiply."""

import pytest
import torch
from scipy.special import eval_chebyu
from support.equivariance import equivariance_error

from hepml.lorentz import Irreps, minkowski_dot
from hepml.nn import IrrepsHarmonics, IrrepsNorm
from hepml.symmetry import Lorentz
from hepml.testing import assert_symmetric

VECTOR = Irreps("1x(1/2,1/2)")


def _momenta() -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    momentum = torch.randn(2, 6, 3, dtype=torch.float64, generator=generator)
    energy = (1.5 + momentum.square().sum(-1, keepdim=True)).sqrt()
    return torch.cat([energy, momentum], -1)


def test_they_transform_as_symmetric_traceless_tensors() -> None:
    harmonics = IrrepsHarmonics(4)
    assert str(harmonics.irreps_out[2:]) == "1x(1,1) + 1x(3/2,3/2) + 1x(2,2)"
    assert equivariance_error(harmonics, [VECTOR], harmonics.irreps_out) < 1e-12


def test_products_are_chebyshev_polynomials() -> None:
    p, q = _momenta()
    harmonics = IrrepsHarmonics(5)
    norm = IrrepsNorm(harmonics.irreps_out).double()
    # By polarisation.
    product = (norm(harmonics(p) + harmonics(q)) - norm(harmonics(p) - harmonics(q))) / 4
    masses = (minkowski_dot(p, p) * minkowski_dot(q, q)).sqrt()
    for k in range(6):
        chebyshev = eval_chebyu(k, (minkowski_dot(p, q) / masses).numpy()) / (k + 1)
        torch.testing.assert_close(product[:, k], masses**k * torch.from_numpy(chebyshev))


def test_they_solve_the_wave_equation() -> None:
    harmonics = IrrepsHarmonics(3)
    p = _momenta()[0, 0]
    metric = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
    for k in range(harmonics.irreps_out.dim):
        hessian = torch.autograd.functional.hessian(lambda x, k=k: harmonics(x)[k], p)
        assert float((hessian * metric).sum().abs()) < 1e-12 * max(1, float(hessian.abs().max()))


@pytest.mark.parametrize("degree", [0, 1])
def test_low_degrees_are_one_and_the_momentum(degree: int) -> None:
    p = _momenta()[0]
    ones = torch.ones(6, 1, dtype=torch.float64)
    assert torch.equal(IrrepsHarmonics(degree)(p), torch.cat([ones, p], 1)[:, : 1 + 4 * degree])


def test_at_rest_the_time_component_is_a_power_of_the_mass() -> None:
    at_rest = torch.tensor([2.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    values = IrrepsHarmonics(3)(at_rest)
    torch.testing.assert_close(values[[0, 1, 5, 14]], torch.tensor([1.0, 2, 4, 8]).double())
    assert int(values.count_nonzero()) == 4


def test_users_can_assert_that_it_commutes() -> None:
    harmonics = IrrepsHarmonics(2)
    p4 = torch.randn(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    symmetry = Lorentz(outputs=str(harmonics.irreps_out))
    assert_symmetric(harmonics, p4, symmetry, strengths=[2.0, 10.0])
