"""Representations multiply as the group does, and are what the field calls them."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from hepml.lorentz import (
    Irrep,
    Irreps,
    generators,
    lorentz_from_sl2c,
    representation,
    sl2c_from_lorentz,
)
from hepml.lorentz._representations import basis
from hepml.lorentz._su2 import spin_matrices

SMALL = [Irrep(a / 2, b / 2) for a in range(5) for b in range(5)]
# Both real and complex; both kinds of pairs; several copies, apart from each other.
MIXED = [
    "2x(0,0) + 1x(1/2,1/2) + 1x(1,0) + 1x(1,1) + 2x(0,1) + 1x(1,0)",
    "1x(3/2,1/2) + 1x(1/2,3/2)",
    "1x(1/2,0) + 2x(0,1/2) + 1x(1/2,0)",
    "1x(1,0) + 2x(0,1)",
    "",
]


def _elements(count: int, seed: int = 3) -> Tensor:
    """Elements of SL(2,C) far from the identity, with the angles and rapidities behind them."""
    angles, rapidities = _parameters(count, seed)
    parameters = rapidities - 1j * angles
    return torch.linalg.matrix_exp(torch.einsum("nk,kij->nij", parameters, spin_matrices(1)))


def _parameters(count: int, seed: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, count, 3, dtype=torch.float64, generator=generator).unbind(0)


def _error(actual: Tensor, expected: Tensor) -> float:
    """Largest deviation, relative to the largest element of each matrix."""
    scale = expected.abs().amax((-2, -1), keepdim=True)
    return float(((actual - expected).abs() / scale).max())


@pytest.mark.parametrize("irreps", [*map(Irreps, SMALL), *map(Irreps, MIXED[:4])], ids=str)
def test_products_finite_elements_and_generators_agree(irreps: Irreps) -> None:
    g, h = _elements(10), _elements(10, seed=4)
    d = representation(irreps, g)
    assert d.shape == (10, irreps.dim, irreps.dim)
    assert d.is_complex() != irreps.is_real
    assert _error(representation(irreps, g @ h), d @ representation(irreps, h)) < 1e-12

    rotations, boosts = generators(irreps)
    angles, rapidities = (each.to(boosts) for each in _parameters(10))
    algebra = torch.einsum("nk,kij->nij", angles, rotations)
    algebra = algebra + torch.einsum("nk,kij->nij", rapidities, boosts)
    assert _error(torch.linalg.matrix_exp(algebra), d) < 1e-12


@pytest.mark.parametrize("irreps", [*map(Irreps, SMALL), *map(Irreps, MIXED[:4])], ids=str)
def test_generators_obey_the_lorentz_algebra(irreps: Irreps) -> None:
    rotations, boosts = generators(irreps)
    j, k = 1j * rotations, 1j * boosts
    epsilon = torch.zeros(3, 3, 3, dtype=torch.complex128)
    epsilon[[0, 1, 2], [1, 2, 0], [2, 0, 1]] = 1
    epsilon[[1, 2, 0], [0, 1, 2], [2, 0, 1]] = -1

    def commutator(a: Tensor, b: Tensor) -> Tensor:
        return torch.einsum("aij,bjk->abik", a, b) - torch.einsum("bij,ajk->abik", b, a)

    for actual, expected in (
        (commutator(j, j), 1j * torch.einsum("abc,cij->abij", epsilon, j)),
        (commutator(j, k), 1j * torch.einsum("abc,cij->abij", epsilon, k)),
        (commutator(k, k), -1j * torch.einsum("abc,cij->abij", epsilon, j)),
    ):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(j, j.mH, rtol=0, atol=1e-13)
    torch.testing.assert_close(k, -k.mH, rtol=0, atol=1e-13)


@pytest.mark.parametrize("irrep", SMALL, ids=str)
def test_the_invariants_name_the_irrep(irrep: Irrep) -> None:
    """The squares of A = (J - iK) / 2 and B = (J + iK) / 2 are j1 (j1 + 1) and j2 (j2 + 1)."""
    rotations, boosts = generators(irrep)
    j, k = 1j * rotations, 1j * boosts
    for spins, spin in (((j - 1j * k) / 2, irrep.j1), ((j + 1j * k) / 2, irrep.j2)):
        square = (spins @ spins).sum(0)
        expected = float(spin * (spin + 1)) * torch.eye(irrep.dim, dtype=torch.complex128)
        torch.testing.assert_close(square, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("irrep", SMALL, ids=str)
def test_conjugates_and_unitary_bases(irrep: Irrep) -> None:
    g = _elements(5)
    conjugate = representation(irrep.conjugate, g).conj()
    assert _error(representation(irrep, g), conjugate.to(representation(irrep, g))) < 1e-14
    columns = basis(irrep)
    eye = torch.eye(irrep.dim, dtype=torch.complex128)
    torch.testing.assert_close(columns.mH @ columns, eye, rtol=0, atol=1e-14)


def test_lorentz_matrices_act_up_to_the_sign_of_spinors() -> None:
    g, h = (lorentz_from_sl2c(_elements(50, seed)) for seed in (3, 4))
    for irreps in ("(1,0) + (0,1) + (1/2,1/2)", "(2,1)"):
        product = representation(irreps, g) @ representation(irreps, h)
        assert _error(representation(irreps, g @ h), product) < 1e-11
    spinor = Irreps("(1/2,0)")
    product = representation(spinor, g) @ representation(spinor, h)
    together = representation(spinor, g @ h)
    signs = (together * product.conj()).sum((-2, -1)).real.sign()
    assert _error(signs[:, None, None] * together, product) < 1e-11
    assert set(signs.tolist()) == {-1.0, 1.0}


def test_the_vector_is_the_lorentz_matrix() -> None:
    transformation = lorentz_from_sl2c(_elements(50))
    torch.testing.assert_close(
        representation("(1/2,1/2)", transformation), transformation, rtol=1e-13, atol=1e-12
    )
    torch.testing.assert_close(
        representation("(1/2,0)", transformation), sl2c_from_lorentz(transformation)
    )


def _field_tensor(fields: Tensor) -> Tensor:
    """F^i0 = E_i, F^ij = -epsilon_ijk B_k of the columns (E, B)."""
    (ex, ey, ez), (bx, by, bz) = fields[:3], fields[3:]
    o = torch.zeros_like(ex)
    rows = [[o, -ex, -ey, -ez], [ex, o, -bz, by], [ey, bz, o, -bx], [ez, -by, bx, o]]
    return torch.stack([torch.stack(row) for row in rows])


def test_the_field_tensor_is_e_and_b() -> None:
    fields = torch.randn(6, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    for g in _elements(5):
        transformation = lorentz_from_sl2c(g)
        expected = transformation @ _field_tensor(fields) @ transformation.mT
        turned = representation("(1,0) + (0,1)", transformation) @ fields
        torch.testing.assert_close(_field_tensor(turned), expected, rtol=1e-11, atol=1e-11)
        chiral = representation("(1,0)", g) @ torch.complex(fields[:3], fields[3:])
        torch.testing.assert_close(torch.cat([chiral.real, chiral.imag]), turned)


def test_copies_in_any_order_are_separate_fields() -> None:
    irreps = Irreps("1x(1,0) + 1x(0,0) + 2x(0,1) + 1x(1,0)")
    one = representation("(1,0) + (0,1)", _elements(1)[0])
    both = representation(irreps, _elements(1)[0])
    first, second = torch.tensor([0, 1, 2, 4, 5, 6]), torch.tensor([10, 11, 12, 7, 8, 9])
    expected = torch.zeros(13, 13, dtype=torch.float64)
    expected[3, 3] = 1
    for columns in (first, second):
        expected[columns[:, None], columns] = one
    assert torch.equal(both, expected)


def test_precision_and_kind_follow_the_transformation() -> None:
    g = _elements(2)
    assert representation("(1,1)", g).dtype == torch.float64
    assert representation("(1,0)", g.to(torch.complex64)).dtype == torch.complex64
    transformation = lorentz_from_sl2c(g).to(torch.float32)
    assert representation("(1,1)", transformation).dtype == torch.float32
    assert representation("(1,0)", transformation).dtype == torch.complex64
    assert representation("", transformation).shape == (2, 0, 0)


@pytest.fixture
def _float64_by_default() -> Iterator[None]:
    """e3nn keeps its generators in the default precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.slow
@pytest.mark.usefixtures("_float64_by_default")
def test_restricted_to_rotations_it_is_e3nn() -> None:
    from e3nn import o3

    angles, _ = _parameters(6)
    spins = torch.einsum("nk,kij->nij", -1j * angles, spin_matrices(1))
    turn = lorentz_from_sl2c(torch.linalg.matrix_exp(spins))
    for irrep in SMALL:
        if irrep.is_spinor:
            continue
        theirs = o3.Irreps("+".join(f"{spin}e" for spin in irrep.spins)).D_from_matrix(
            turn[:, 1:, 1:]
        )
        ours = representation(irrep, turn)
        torch.testing.assert_close(ours + 0j, theirs + 0j, rtol=0, atol=1e-10)


@pytest.mark.parametrize("irrep1", SMALL[::3], ids=str)
@pytest.mark.parametrize("irrep2", SMALL[::4], ids=str)
def test_characters_count_the_multiplicities_of_products(irrep1: Irrep, irrep2: Irrep) -> None:
    def character(irreps: Irreps) -> Tensor:
        traces = [
            mul * representation(irrep, g).diagonal(dim1=-2, dim2=-1).sum(-1)
            for mul, irrep in irreps
        ]
        return torch.stack(traces).sum(0)

    g = _elements(10)
    product = character(Irreps(irrep1)) * character(Irreps(irrep2))
    torch.testing.assert_close(
        character(irrep1 * irrep2) + 0j, product + 0j, rtol=1e-10, atol=1e-10
    )
