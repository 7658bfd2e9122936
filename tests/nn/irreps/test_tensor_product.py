"""The tensor product commutes with the group, loses nothing, and is the Clebsch-Gordan product."""

import pytest
import torch
from support.equivariance import equivariance_error, tensors

from hepml.errors import InputError
from hepml.lorentz import Irrep, Irreps, clebsch_gordan, minkowski_dot
from hepml.nn import IrrepsTensorProduct
from hepml.ops import all_pairs, segment_mean
from hepml.symmetry import Lorentz
from hepml.testing import assert_symmetric

VECTOR = Irreps("1x(1/2,1/2)")
ALL = Irreps("2x(0,0) + 2x(1/2,0) + 2x(0,1/2) + 2x(1/2,1/2) + 2x(1,0) + 2x(0,1) + 2x(1,1)")
MIXED = Irreps("2x(1/2,1/2) + 1x(0,0) + 1x(1,1) + 2x(0,1) + 2x(1,0)")


@pytest.mark.parametrize("factors", [(ALL, ALL), (MIXED, MIXED[1:3]), (VECTOR, ALL)], ids=str)
def test_it_commutes_with_the_lorentz_group(factors: tuple[Irreps, Irreps]) -> None:
    product = IrrepsTensorProduct(*factors).double()
    assert equivariance_error(product, factors, product.irreps_out) < 1e-12


def test_the_check_sees_a_wrong_sign() -> None:
    product = IrrepsTensorProduct(ALL, ALL).double()
    matrix = product.groups[0].get_buffer("matrix")
    matrix[int(matrix[:, 40].abs().argmax()), 40] *= -1
    assert equivariance_error(product, [ALL, ALL], product.irreps_out) > 1e-3


def test_it_loses_nothing() -> None:
    """All products of components, in another basis."""
    product = IrrepsTensorProduct(ALL, ALL)
    matrix = product.groups[0].get_buffer("matrix")
    half = ALL.dim // 2
    assert matrix.shape == (half**2, half**2)
    assert product.irreps_out.dim == 2 * half**2
    one = Irreps((1, irrep) for _, irrep in ALL)
    assert product.irreps_out == 2 * (one * one)
    assert int(torch.linalg.matrix_rank(matrix)) == half**2


def test_vectors_make_their_inner_product_and_clebsch_gordan_products() -> None:
    p, q = tensors([VECTOR, VECTOR])
    product = IrrepsTensorProduct(VECTOR, VECTOR).double()
    z = product(p, q)
    torch.testing.assert_close(z[:, 0], minkowski_dot(p, q) / 2)
    chiral = torch.einsum(
        "ijk,ni,nj->nk", clebsch_gordan("(1/2,1/2)", "(1/2,1/2)", "(1,0)"), p + 0j, q + 0j
    )
    # Of unit variance: real and imaginary part share that of the complex product.
    torch.testing.assert_close(z[:, 1:7], 2**0.5 * torch.cat([chiral.real, chiral.imag], 1))
    tensor = torch.einsum("ijk,ni,nj->nk", clebsch_gordan("(1/2,1/2)", "(1/2,1/2)", "(1,1)"), p, q)
    torch.testing.assert_close(z[:, 7:], tensor)


def test_two_fields_have_two_invariants() -> None:
    field = Irreps("1x(1,0) + 1x(0,1)")
    a, b = tensors([field, field])
    z = IrrepsTensorProduct(field, field, only="(0,0)").double()(a, b)
    (e1, b1), (e2, b2) = a.split(3, 1), b.split(3, 1)
    expected = torch.stack([(e1 * e2 - b1 * b2).sum(1), (e1 * b2 + b1 * e2).sum(1)], 1)
    torch.testing.assert_close(z, expected / 6**0.5)


def test_output_has_unit_variance() -> None:
    x, y = tensors([ALL, ALL], items=4000)
    product = IrrepsTensorProduct(ALL, ALL).double()
    z = product(x, y)
    for columns in product.irreps_out.slices():
        assert float(z[:, columns].square().mean()) == pytest.approx(1, rel=0.1)


def test_a_single_copy_is_paired_with_every_channel() -> None:
    many, one = Irreps("3x(1/2,1/2)"), VECTOR
    product = IrrepsTensorProduct(many, one, only="(0,0) + (1,1)").double()
    x, y = tensors([many, one])
    z = product(x, y)
    assert product.irreps_out == Irreps("3x(0,0) + 3x(1,1)")
    torch.testing.assert_close(
        z[:, :3], torch.stack([minkowski_dot(p, y) / 2 for p in x.split(4, 1)], 1)
    )
    swapped = IrrepsTensorProduct(one, many, only="(0,0) + (1,1)").double()
    torch.testing.assert_close(swapped(y, x), z)
    assert product(x[:, None], y).shape == (7, 7, 30)


def test_given_paths_are_the_columns_of_all_paths() -> None:
    paths = [("(1,1)", "(1/2,1/2)", "(1/2,1/2)"), ("(0,1)", "(1,0)", "(1,1)")]
    given = IrrepsTensorProduct(ALL, ALL, paths=paths).double()
    assert given.irreps_out == Irreps("2x(1/2,1/2) + 4x(1,1)")
    assert equivariance_error(given, [ALL, ALL], given.irreps_out) < 1e-12
    conjugates = [tuple(Irrep(each).conjugate for each in path) for path in paths]
    again = IrrepsTensorProduct(ALL, ALL, paths=conjugates).double()
    x, y = tensors([ALL, ALL])
    assert torch.equal(again(x, y), given(x, y))


def test_weights_scale_copies_shared_or_per_item() -> None:
    shared = IrrepsTensorProduct(ALL, ALL, only="(0,0) + (1,0) + (0,1)", shared_weights=True)
    plain = IrrepsTensorProduct(ALL, ALL, only="(0,0) + (1,0) + (0,1)").double()
    x, y = tensors([ALL, ALL])
    assert torch.equal(shared.double()(x, y), plain(x, y))
    assert plain.weights == shared.weight.numel() == sum(t.mul for t in plain.irreps_out[:2])
    weights = torch.randn(7, plain.weights, dtype=torch.float64)
    shared.weight.data = weights[3].clone()
    torch.testing.assert_close(shared(x, y)[3], plain(x, y, weights)[3])
    assert (
        equivariance_error(lambda a, b: plain(a, b, weights), [ALL, ALL], plain.irreps_out) < 1e-12
    )


def test_errors_name_irreps_and_paths() -> None:
    with pytest.raises(InputError, match=r"copies of .* got 2 and 3"):
        IrrepsTensorProduct("2x(0,0)", "3x(0,0)")
    with pytest.raises(InputError, match=r"path \(1/2,1/2\), \(1/2,1/2\), \(2,2\)"):
        IrrepsTensorProduct(VECTOR, VECTOR, paths=[("(1/2,1/2)", "(1/2,1/2)", "(2,2)")])
    with pytest.raises(InputError, match="at least one path"):
        IrrepsTensorProduct(VECTOR, VECTOR, only="(2,2)")
    with pytest.raises(InputError, match="irreps2: expected each"):
        IrrepsTensorProduct(VECTOR, "1x(1,0)")


def test_derivatives_to_second_order() -> None:
    product = IrrepsTensorProduct(VECTOR, ALL).double()
    x, y = (each.requires_grad_() for each in tensors([VECTOR, ALL], items=2))
    assert torch.autograd.gradcheck(product, (x, y), fast_mode=True)
    assert torch.autograd.gradgradcheck(product, (x, y), fast_mode=True)


def test_coefficients_keep_double_precision() -> None:
    """In a network that is made in single precision and converted."""
    product = IrrepsTensorProduct(ALL, ALL)
    x, y = (each.float() for each in tensors([ALL, ALL]))
    assert product(x, y).dtype == torch.float32
    assert product.double().groups[0].get_buffer("matrix").dtype == torch.float64


@pytest.mark.parametrize("sizes", [[4, 0, 1, 3], [40, 2, 17, 18], [0, 0]], ids=str)
def test_a_message_is_the_mean_of_products(sizes: list[int]) -> None:
    product = IrrepsTensorProduct(MIXED[:2], MIXED).double()
    items = sum(sizes)
    pairs = all_pairs(torch.tensor([0, *sizes]).cumsum(0), items)
    edge, _ = tensors([MIXED[:2], MIXED], items=len(pairs.senders))
    _, x = tensors([MIXED[:2], MIXED], items=items)
    weights = torch.randn(items, product.weights, dtype=torch.float64)
    received = product.message(edge, x, pairs, weights)
    expected = segment_mean(
        product(edge, x[pairs.senders], weights[pairs.receivers]), pairs.offsets
    )
    assert received.shape == (items, product.irreps_out.dim)
    torch.testing.assert_close(received, expected)


def test_derivatives_of_messages_to_second_order() -> None:
    product = IrrepsTensorProduct(VECTOR, VECTOR, only="(0,0) + (1,0) + (0,1)").double()
    pairs = all_pairs(torch.tensor([0, 3, 4]), 4)
    edge, _ = tensors([VECTOR, VECTOR], items=6)
    _, x = tensors([VECTOR, VECTOR], items=4)
    inputs = (edge.requires_grad_(), x.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: product.message(a, b, pairs), inputs)
    assert torch.autograd.gradgradcheck(
        lambda a, b: product.message(a, b, pairs), inputs, fast_mode=True
    )


def test_users_can_assert_that_it_commutes() -> None:
    irreps = "2x(0,0) + 2x(1/2,1/2) + 1x(1,1)"
    product = IrrepsTensorProduct(irreps, irreps)
    pair = tuple(tensors([Irreps(irreps), Irreps(irreps)]))
    symmetry = Lorentz(inputs=(irreps, irreps), outputs=str(product.irreps_out))
    assert_symmetric(
        product, pair, symmetry, apply=lambda layer, xy: layer(*xy), strengths=[2.0, 10.0]
    )
