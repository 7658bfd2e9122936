"""The metric agrees with vector."""

import numpy as np
import torch
import vector

from hepml.lorentz import mass, mass_squared, minkowski_dot


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


def test_leading_axes_broadcast() -> None:
    p, q = torch.ones(3, 1, 4), torch.ones(5, 4)
    assert minkowski_dot(p, q).shape == (3, 5)


def test_the_wrong_signature_would_fail() -> None:
    p = torch.tensor([5.0, 3.0, 0.0, 0.0])
    assert mass(p) == 4
    assert (p * p).sum().sqrt() != 4
