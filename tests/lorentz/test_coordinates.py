"""Coordinates agree with vector, and have finite derivatives where they are singular."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import vector
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from hepml import lorentz

# GeV, or exactly nothing: 1e-100 GeV has coordinates, but no physics.
_components = st.floats(-1e3, 1e3).map(lambda value: value if abs(value) > 1e-9 else 0.0)
_momenta = st.lists(st.tuples(_components, _components, _components, _components), max_size=8)

# Along the beam, at rest, nothing, light-like, space-like, nearly along the beam, identical.
SINGULAR = torch.tensor(
    [
        [300.0, 0.0, 0.0, 300.0],
        [300.0, 0.0, 0.0, -300.0],
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
        [500.0, 300.0, 400.0, 0.0],
        [100.0, 300.0, 400.0, 0.0],
        [100.0, 0.0, 0.0, 300.0],
        [300.0, 1e-15, 0.0, 300.0],
        [300.0, 1e-25, 1e-25, 300.0],
        [300.0, -1.0, -0.0, 299.0],
        [-5.0, 1.0, 2.0, 3.0],
    ],
    dtype=torch.float64,
)


def _with_vector(p4: Tensor) -> Any:
    energy, px, py, pz = p4.numpy().T
    return vector.array({"px": px, "py": py, "pz": pz, "E": energy})


@given(_momenta)
def test_coordinates_agree_with_vector(rows: list[tuple[float, ...]]) -> None:
    p4 = torch.tensor(rows, dtype=torch.float64).reshape(-1, 4)
    theirs = _with_vector(p4)
    for name in ("pt", "eta", "phi"):
        np.testing.assert_allclose(
            getattr(lorentz, name)(p4), getattr(theirs, name), rtol=1e-12, atol=1e-12
        )
    # Both round squares before they subtract them, in different orders.
    rounding = 1e-15 * p4.square().sum(1)
    assert ((lorentz.mass_squared(p4) - torch.from_numpy(theirs.mass2)).abs() <= rounding).all()
    assert torch.equal(lorentz.mass(p4).sign(), lorentz.mass_squared(p4).sign())
    torch.testing.assert_close(
        lorentz.mass(p4).square(), lorentz.mass_squared(p4).abs(), rtol=1e-14, atol=0
    )
    exists = (p4[:, 0].abs() > p4[:, 3].abs()).numpy()
    np.testing.assert_allclose(
        lorentz.rapidity(p4)[exists], theirs.rapidity[exists], rtol=1e-12, atol=1e-12
    )


@given(_momenta, _momenta)
def test_differences_agree_with_vector(
    rows: list[tuple[float, ...]], others: list[tuple[float, ...]]
) -> None:
    size = min(len(rows), len(others))
    p = torch.tensor(rows[:size], dtype=torch.float64).reshape(-1, 4)
    q = torch.tensor(others[:size], dtype=torch.float64).reshape(-1, 4)
    # Without a direction in the transverse plane the conventions differ, as documented.
    directed = (lorentz.pt(p) > 1e-9) & (lorentz.pt(q) > 1e-9)
    p, q = p[directed], q[directed]
    a, b = _with_vector(p), _with_vector(q)
    np.testing.assert_allclose(lorentz.delta_eta(p, q), a.deltaeta(b), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(lorentz.delta_r(p, q), a.deltaR(b), rtol=1e-10, atol=1e-10)
    # vector's interval is [-pi, pi): compare the angles, not their names.
    turn = lorentz.delta_phi(p, q).numpy() - a.deltaphi(b)
    np.testing.assert_allclose(np.exp(1j * turn), 1.0, atol=1e-12)


def test_singular_momenta_have_the_values_of_vector() -> None:
    theirs = _with_vector(SINGULAR)
    for name in ("pt", "eta", "mass"):
        np.testing.assert_allclose(getattr(lorentz, name)(SINGULAR), getattr(theirs, name))
    np.testing.assert_allclose(np.exp(1j * lorentz.phi(SINGULAR).numpy()), np.exp(1j * theirs.phi))


def test_the_cut_in_azimuth_belongs_to_plus_pi() -> None:
    west = torch.tensor([[1.0, -1.0, 0.0, 0.0], [1.0, -1.0, -0.0, 0.0]], dtype=torch.float64)
    east = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    assert lorentz.phi(west).tolist() == [math.pi, math.pi]
    assert lorentz.delta_phi(west, east).tolist() == [math.pi, math.pi]
    assert lorentz.delta_phi(east, west).tolist() == [math.pi, math.pi]


def test_rapidity_where_it_does_not_exist() -> None:
    p4 = torch.tensor([[1.0, 0.0, 0.0, -2.0], [2.0, 0.0, 0.0, 2.0], [0.0, 1.0, 0.0, 0.0]])
    assert lorentz.rapidity(p4).tolist() == [-math.inf, math.inf, 0.0]


def test_differences_along_the_same_beam_vanish() -> None:
    up, down = SINGULAR[0], SINGULAR[1]
    assert lorentz.delta_eta(up, 2 * up) == 0
    assert lorentz.delta_r(up, 2 * up) == 0
    assert lorentz.delta_eta(up, down) == math.inf
    assert lorentz.delta_r(up, down) == math.inf


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["pt", "eta", "phi", "mass", "rapidity", "mass_squared"])
def test_derivatives_are_finite_everywhere(name: str, dtype: torch.dtype) -> None:
    p4 = SINGULAR.to(dtype).requires_grad_()
    value = getattr(lorentz, name)(p4)
    assert not value.isnan().any()
    (gradient,) = torch.autograd.grad(value.sum(), p4)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["delta_eta", "delta_phi", "delta_r"])
def test_derivatives_of_differences_are_finite_everywhere(name: str, dtype: torch.dtype) -> None:
    p4 = SINGULAR.to(dtype).requires_grad_()
    value = getattr(lorentz, name)(p4[:, None], p4[None])
    assert not value.isnan().any()
    (gradient,) = torch.autograd.grad(value.sum(), p4)
    assert gradient.isfinite().all()


def test_a_plain_square_root_would_fail_here() -> None:
    p4 = SINGULAR.clone().requires_grad_()
    value = (p4[:, 1].square() + p4[:, 2].square()).sqrt()
    (gradient,) = torch.autograd.grad(value.sum(), p4)
    assert not gradient.isfinite().all()


def test_derivatives_agree_with_finite_differences() -> None:
    generator = torch.Generator().manual_seed(1)
    p4 = torch.randn(4, 4, dtype=torch.float64, generator=generator)
    p4[:, 0] += 4
    q = p4.flip(0).clone()
    p4, q = p4.requires_grad_(), q.requires_grad_()
    for name in ("pt", "eta", "phi", "mass", "rapidity"):
        assert torch.autograd.gradcheck(getattr(lorentz, name), p4)
        assert torch.autograd.gradgradcheck(getattr(lorentz, name), p4)
    for name in ("delta_eta", "delta_phi", "delta_r", "minkowski_dot"):
        assert torch.autograd.gradcheck(getattr(lorentz, name), (p4, q))
        assert torch.autograd.gradgradcheck(getattr(lorentz, name), (p4, q))
