"""The metric agrees with vector, and in float32 with exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import vector
from torch import Tensor

from hepml.lorentz import mass, mass_squared, minkowski_dot, p4_from_momentum_mass, pair_mass


def test_inner_product_agrees_with_vector() -> None:
    generator = torch.Generator().manual_seed(1)
    p, q = 300 * torch.randn(2, 50, 4, dtype=torch.float64, generator=generator)
    a, b = (
        vector.array(dict(zip(("E", "px", "py", "pz"), momenta.numpy().T, strict=True)))
        for momenta in (p, q)
    )
    np.testing.assert_allclose(minkowski_dot(p, q), a.dot(b), rtol=1e-12, atol=1e-8)
    np.testing.assert_allclose(mass_squared(p), a.mass2, rtol=1e-12, atol=1e-8)
    np.testing.assert_allclose(mass(p), a.mass, rtol=1e-12, atol=1e-8)
    np.testing.assert_allclose(pair_mass(p, q), (a + b).mass, rtol=1e-12, atol=1e-8)


def test_leading_axes_broadcast() -> None:
    p, q = torch.ones(3, 1, 4), torch.ones(5, 4)
    assert minkowski_dot(p, q).shape == (3, 5)


def test_the_wrong_signature_would_fail() -> None:
    p = torch.tensor([5.0, 3.0, 0.0, 0.0])
    assert mass(p) == 4
    assert (p * p).sum().sqrt() != 4


def _boosted_pairs(gamma: float, angle: float) -> tuple[Tensor, Tensor]:
    """Pairs in random directions, of E/m = gamma and 3 gamma, with an angle between them."""
    generator = torch.Generator().manual_seed(2)
    first, other = torch.randn(2, 20, 3, dtype=torch.float64, generator=generator)
    first = torch.nn.functional.normalize(first, dim=1)
    across = torch.nn.functional.normalize(torch.linalg.cross(first, other), dim=1)
    second = np.cos(angle) * first + np.sin(angle) * across
    sizes = 100 + 400 * torch.rand(20, 2, dtype=torch.float64, generator=generator)
    return (
        p4_from_momentum_mass(sizes[:, :1] * first, sizes[:, 0] / gamma),
        p4_from_momentum_mass(sizes[:, 1:] * second, sizes[:, 1] / (3 * gamma)),
    )


def _exact(p: Tensor, q: Tensor) -> Fraction:
    """The inner product of the rows as they are, in rational arithmetic."""
    signs = (1, -1, -1, -1)
    return sum(
        (
            sign * Fraction(a) * Fraction(b)
            for sign, a, b in zip(signs, p.tolist(), q.tolist(), strict=True)
        ),
        Fraction(0),
    )


@pytest.mark.parametrize("angle", [0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0])
@pytest.mark.parametrize("gamma", [3.0, 30.0, 1e3, 1e4])
def test_single_precision_is_exact_for_the_momenta_it_gets(gamma: float, angle: float) -> None:
    p, q = (momenta.float() for momenta in _boosted_pairs(gamma, angle))
    for row, (a, b) in enumerate(zip(p, q, strict=True)):
        dot, square = _exact(a, b), _exact(a, a)
        # Double precision leaves 1e-16 E² of the exact sum, which float32 momenta can cancel to
        # any size.
        slack = 4e-16 * float(a[0] * b[0])
        assert float(minkowski_dot(p, q)[row]) == pytest.approx(float(dot), rel=1e-7, abs=slack)
        slack = 4e-16 * float(a[0] * a[0])
        assert float(mass_squared(p)[row]) == pytest.approx(float(square), rel=1e-7, abs=slack)
        total = dot * 2 + square + _exact(b, b)
        expected = float(abs(total)) ** 0.5 * (1 if total > 0 else -1)
        assert float(pair_mass(p, q)[row]) == pytest.approx(expected, rel=1e-6, abs=1e-5)


@pytest.mark.parametrize("angle", [0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0])
@pytest.mark.parametrize("gamma", [3.0, 30.0, 1e3, 1e4])
def test_rounding_the_momenta_costs_what_the_docstring_says(gamma: float, angle: float) -> None:
    p, q = _boosted_pairs(gamma, angle)
    exact, rounded = minkowski_dot(p, q), minkowski_dot(p.float(), q.float()).double()
    error = ((rounded - exact) / exact).abs()
    fraction = exact / (p[:, 0] * q[:, 0])
    assert (error <= 2.4e-7 / fraction + 6e-8).all()
    assert not ((fraction > 2.4e-3) & (error > 1e-4)).any()


def test_the_plain_formula_loses_all_digits() -> None:
    p, q = (momenta.float() for momenta in _boosted_pairs(1e4, 1e-3))
    exact = minkowski_dot(p.double(), q.double())
    plain = p[:, 0] * q[:, 0] - (p[:, 1:] * q[:, 1:]).sum(1)
    assert float(((plain - exact) / exact).abs().max()) > 0.1
    assert float(((minkowski_dot(p, q) - exact) / exact).abs().max()) < 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_precision_is_that_of_the_momenta(dtype: torch.dtype) -> None:
    p = torch.ones(3, 4, dtype=dtype)
    for value in (minkowski_dot(p, p), mass_squared(p), mass(p), pair_mass(p, p)):
        assert value.dtype == dtype


@pytest.mark.parametrize(
    "row",
    [
        (0.0, 0.0, 0.0, 0.0),
        (5.0, 3.0, 4.0, 0.0),
        (1.0, 0.0, 0.0, -1.0),
        (3e-23, 1e-23, 0.0, 1e-23),
        (3e5, 1e5, 2e5, -2e5),
        (1.0, 2.0, 0.0, 0.0),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_derivatives_are_finite_for_light_like_equal_and_no_momenta(
    row: tuple[float, ...], dtype: torch.dtype
) -> None:
    p = torch.tensor(row, dtype=dtype, requires_grad=True)
    for value in (mass(p), mass_squared(p), minkowski_dot(p, p), pair_mass(p, p), mass(p - p)):
        (gradient,) = torch.autograd.grad(value, p)
        assert gradient.isfinite().all()


def test_derivatives_to_second_order() -> None:
    p, q = (momenta[:3].clone().requires_grad_() for momenta in _boosted_pairs(3.0, 1.0))
    for function in (minkowski_dot, pair_mass):
        assert torch.autograd.gradcheck(function, (p, q))
        assert torch.autograd.gradgradcheck(function, (p, q))
