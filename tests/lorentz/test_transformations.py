"""Boosts agree with vector, keep the metric and undo each other."""

import numpy as np
import pytest
import torch
import vector

from hepml.errors import InputError
from hepml.lorentz import boost, minkowski_dot


def _momenta_and_velocities() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    p4 = 300 * torch.randn(40, 4, dtype=torch.float64, generator=generator)
    direction = torch.randn(40, 3, dtype=torch.float64, generator=generator)
    speed = torch.rand(40, 1, dtype=torch.float64, generator=generator)
    return p4, direction / direction.norm(dim=1, keepdim=True) * speed


def test_boost_agrees_with_vector() -> None:
    p4, velocity = _momenta_and_velocities()
    theirs = vector.array(
        dict(zip(("E", "px", "py", "pz"), p4.numpy().T, strict=True))
    ).boost_beta3(vector.array(dict(zip(("x", "y", "z"), velocity.numpy().T, strict=True))))
    expected = np.stack([theirs.E, theirs.px, theirs.py, theirs.pz], axis=1)
    np.testing.assert_allclose(boost(p4, velocity), expected, rtol=1e-10, atol=1e-10)


def test_boost_keeps_inner_products() -> None:
    p4, velocity = _momenta_and_velocities()
    q = p4.flip(0)
    boosted = minkowski_dot(boost(p4, velocity), boost(q, velocity))
    torch.testing.assert_close(boosted, minkowski_dot(p4, q), rtol=1e-10, atol=1e-6)


def test_the_opposite_velocity_undoes_a_boost() -> None:
    p4, velocity = _momenta_and_velocities()
    torch.testing.assert_close(boost(boost(p4, velocity), -velocity), p4, rtol=1e-10, atol=1e-8)


def test_no_velocity_changes_nothing_and_has_a_derivative() -> None:
    p4, _ = _momenta_and_velocities()
    velocity = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    assert torch.equal(boost(p4, velocity), p4)
    assert torch.autograd.gradcheck(lambda v: boost(p4[:3], v), velocity + 0.1)
    (gradient,) = torch.autograd.grad(boost(p4, velocity).sum(), velocity)
    assert gradient.isfinite().all()


def test_the_speed_of_light_is_refused() -> None:
    p4, _ = _momenta_and_velocities()
    with pytest.raises(InputError, match=r"speeds below 1.*got up to 1\."):
        boost(p4, torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))
