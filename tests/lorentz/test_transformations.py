"""Boosts and rotations agree with vector, keep the metric and compose as the group does."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import vector

from hepml.errors import InputError
from hepml.lorentz import (
    boost,
    generators,
    mass,
    minkowski_dot,
    p4_from_momentum_mass,
    random_lorentz,
    representation,
    rest_frame,
    rotation,
)

METRIC = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))


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


def test_rotation_agrees_with_vector() -> None:
    p4, angles = _momenta_and_velocities()
    size = angles.norm(dim=1)
    axis = vector.array(dict(zip(("x", "y", "z"), angles.numpy().T, strict=True)))
    theirs = vector.array(
        dict(zip(("E", "px", "py", "pz"), p4.numpy().T, strict=True))
    ).rotate_axis(axis, size.numpy())
    expected = np.stack([theirs.E, theirs.px, theirs.py, theirs.pz], axis=1)
    np.testing.assert_allclose(rotation(p4, angles), expected, rtol=1e-12, atol=1e-10)


def test_rotations_about_one_axis_add_and_small_ones_are_generated() -> None:
    p4, axis = _momenta_and_velocities()
    twice = rotation(rotation(p4, 0.7 * axis), 1.4 * axis)
    torch.testing.assert_close(twice, rotation(p4, 2.1 * axis), rtol=1e-12, atol=1e-10)
    turns, _ = generators("(1/2,1/2)")
    nothing = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    jacobian = torch.autograd.functional.jacobian(lambda a: rotation(p4[0], a), nothing)
    torch.testing.assert_close(jacobian, torch.einsum("kij,j->ik", turns, p4[0]))
    assert torch.autograd.gradcheck(lambda a: rotation(p4[:3], a), nothing + 0.3)
    for size in (0.0, 0.05, 0.06, 3.0):
        assert torch.autograd.gradgradcheck(lambda a: rotation(p4[:3], a), (nothing + size,))


def test_broadcasting_of_velocities_and_angles() -> None:
    p4, velocity = _momenta_and_velocities()
    for function in (boost, rotation):
        together = function(p4, velocity[0])
        assert torch.equal(together[3], function(p4[3], velocity[0]))


@pytest.mark.parametrize("max_rapidity", [0.0, 1.0, 3.0, 5.3])
def test_random_elements_are_in_the_group(max_rapidity: float) -> None:
    matrices = random_lorentz(max_rapidity, (200,), generator=torch.Generator().manual_seed(3))
    gamma = matrices[:, 0, 0]
    violation = (matrices.mT @ METRIC @ matrices - METRIC).abs().amax((1, 2))
    assert float((violation / gamma.square()).max()) < 1e-14
    assert float((torch.linalg.det(matrices) - 1).abs().max()) < 1e-12 * float(gamma.max()) ** 2
    assert (gamma >= 1 - 1e-15).all()
    assert float(gamma.max()) <= np.cosh(max_rapidity) * (1 + 1e-15)
    assert max_rapidity == 0 or float(gamma.max()) > np.cosh(0.9 * max_rapidity)
    # Closed under products and inverses.
    product = matrices @ matrices.flip(0)
    scale = product.square().amax((1, 2))
    violation = (product.mT @ METRIC @ product - METRIC).abs().amax((1, 2))
    assert float((violation / scale).max()) < 1e-12
    inverse = METRIC @ matrices.mT @ METRIC
    identity = (inverse @ matrices - torch.eye(4, dtype=torch.float64)).abs().amax((1, 2))
    assert float((identity / gamma.square()).max()) < 1e-14


def test_random_rotations_are_uniform() -> None:
    """The first two moments of a Haar random rotation; the trace squared has the mean 1."""
    turns = random_lorentz(0.0, (20000,), generator=torch.Generator().manual_seed(4))[:, 1:, 1:]
    assert float(turns.mean(0).abs().max()) < 0.02
    second = torch.einsum("nij,nkl->ijkl", turns, turns) / 20000
    eye = torch.eye(3, dtype=torch.float64)
    expected = torch.einsum("ik,jl->ijkl", eye, eye) / 3
    assert float((second - expected).abs().max()) < 0.02


def test_random_elements_repeat_with_their_generator() -> None:
    first, second = (
        random_lorentz(2.0, (2, 3), generator=torch.Generator().manual_seed(5)) for _ in range(2)
    )
    assert torch.equal(first, second)
    assert first.shape == (2, 3, 4, 4)
    assert random_lorentz(1.0).shape == (4, 4)
    with pytest.raises(InputError, match=r"max_rapidity: expected from 0 to 350, got -1\.0"):
        random_lorentz(-1.0)


def _jet(gamma: float, count: int = 30) -> torch.Tensor:
    """Momenta around the z axis of a system with about the given Lorentz factor."""
    generator = torch.Generator().manual_seed(6)
    momentum = 10 * torch.randn(count, 3, dtype=torch.float64, generator=generator)
    rest = torch.cat([(momentum.square().sum(1, keepdim=True) + 1).sqrt(), momentum], dim=1)
    velocity = torch.tensor([0.0, 0.0, (1 - gamma**-2) ** 0.5], dtype=torch.float64)
    return boost(rest, velocity)


@pytest.mark.parametrize("gamma", [1.0, 10.0, 1000.0])
def test_the_rest_frame_undoes_the_boost_and_agrees_with_vector(gamma: float) -> None:
    p4 = _jet(gamma)
    total = p4.sum(0)
    there = rest_frame(p4, total)
    scale = float(there.abs().max())
    torch.testing.assert_close(
        rest_frame(total, total),
        mass(total) * torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64),
        rtol=1e-9,
        atol=1e-8 * scale,
    )
    frame = vector.obj(**dict(zip(("E", "px", "py", "pz"), total.tolist(), strict=True)))
    theirs = vector.array(
        dict(zip(("E", "px", "py", "pz"), p4.numpy().T, strict=True))
    ).boostCM_of_p4(frame)
    expected = np.stack([theirs.E, theirs.px, theirs.py, theirs.pz], axis=1)
    np.testing.assert_allclose(there, expected, rtol=1e-8, atol=1e-8 * scale)


@pytest.mark.parametrize("gamma", [1.0, 10.0, 100.0, 1000.0])
def test_the_rest_frame_in_single_precision(gamma: float) -> None:
    """The float32 result is that of float64 for the same momenta."""
    p4 = _jet(gamma).float()
    total = p4.double().sum(0).float()
    ours, exact = rest_frame(p4, total), rest_frame(p4.double(), total.double())
    assert ours.dtype == torch.float32
    assert float(((ours - exact) / exact.abs().amax()).abs().max()) < 1e-7


def _exact_products(p4: torch.Tensor) -> torch.Tensor:
    """Minkowski products of all pairs, by fractions."""
    rows = [[Fraction(x) for x in row] for row in p4.tolist()]
    return torch.tensor(
        [
            [
                float(p[0] * q[0] - sum(a * b for a, b in zip(p[1:], q[1:], strict=True)))
                for q in rows
            ]
            for p in rows
        ],
        dtype=torch.float64,
    )


def test_the_rest_frame_keeps_the_digits_that_plain_products_lose_to_a_boost() -> None:
    generator = torch.Generator().manual_seed(3)
    momenta = 20 * torch.randn(6, 3, generator=generator, dtype=torch.float64)
    p4 = boost(
        p4_from_momentum_mass(momenta, torch.full((6,), 0.14)),
        torch.tensor([0.6, 0, 0.79999]).double(),
    )
    total = p4.sum(0)
    there, expected = rest_frame(p4, total), _exact_products(p4)
    size = there[:, None, 0] * there[:, 0]
    assert float((p4[:, 0] / there[:, 0]).max()) > 50
    assert float(((_exact_products(there) - expected) / size).abs().max()) < 1e-13
    # As a product of the same formula without the errors of its terms does not.
    plain = boost(p4, -total[1:] / total[0])
    assert float(((_exact_products(plain) - expected) / size).abs().max()) > 1e-12


def test_transformed_momenta_only_turn_in_the_rest_frame() -> None:
    p4 = _jet(5.0)
    total = p4.sum(0)
    for matrix in random_lorentz(3.0, (20,), generator=torch.Generator().manual_seed(7)):
        before, after = rest_frame(p4, total), rest_frame(p4 @ matrix.mT, matrix @ total)
        torch.testing.assert_close(after[:, 0], before[:, 0], rtol=1e-9, atol=1e-9)
        angles = [momenta[:, 1:] @ momenta[:, 1:].mT for momenta in (before, after)]
        torch.testing.assert_close(*angles, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "reference",
    [
        (0.0, 0.0, 0.0, 0.0),
        (5.0, 0.0, 0.0, 5.0),
        (5.0, 3.0, 4.0, 0.0),
        (300.0, 100.0, 200.0, 200.0),
        (1.0, 0.0, 2.0, 0.0),
        (0.0, 0.0, 1.0, 0.0),
        (7.0, 0.0, 0.0, 0.0),
        (-5.0, 0.0, 0.0, 3.0),
    ],
)
def test_every_reference_has_a_finite_frame(
    reference: tuple[float, ...], dtype: torch.dtype
) -> None:
    p4 = _jet(2.0).to(dtype)
    frame = torch.tensor(reference, dtype=dtype, requires_grad=True)
    there = rest_frame(p4, frame)
    assert there.isfinite().all()
    (gradient,) = torch.autograd.grad(there.sum(), frame)
    assert gradient.isfinite().all()
    # A Lorentz transformation: energies keep their sign, masses theirs.
    assert (there[:, 0] > 0).all()
    if frame[0].abs() > frame[1:].norm() * 1.01 or not frame.any():
        torch.testing.assert_close(mass(there), mass(p4), rtol=1e-3, atol=1e-3)
    assert rest_frame(p4[:0], frame).shape == (0, 4)


def test_a_rest_frame_of_negative_energy_is_that_of_the_opposite_momentum() -> None:
    p4, reference = _jet(2.0), torch.tensor([5.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    assert torch.equal(rest_frame(p4, -reference), rest_frame(p4, reference))


def test_a_boost_is_a_representation() -> None:
    p4, velocity = _momenta_and_velocities()
    matrix = boost(torch.eye(4, dtype=torch.float64), velocity[0]).mT
    torch.testing.assert_close(representation("(1/2,1/2)", matrix), matrix)
    torch.testing.assert_close(p4 @ matrix.mT, boost(p4, velocity[0]))
