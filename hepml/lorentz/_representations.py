"""Matrices of the representations of the Lorentz group, and their generators."""

from functools import cache

import torch
from jaxtyping import Complex, Complex128, Float, Inexact
from torch import Tensor

from hepml.lorentz._irrep import Irrep
from hepml.lorentz._irreps import Irreps
from hepml.lorentz._sl2c import check_sl2c, inverse_adjoint, sl2c_from_lorentz
from hepml.lorentz._su2 import coupling, real_harmonics, spin_matrices, spin_representation


def representation(
    irreps: Irreps | Irrep | str,
    transformation: Float[Tensor, "*batch 4 4"] | Complex[Tensor, "*batch 2 2"],
) -> Inexact[Tensor, "*batch dim dim"]:
    """The matrices D that a Lorentz transformation acts with on columns of irreps.

    Parameters
    ----------
    irreps
        The representation.
    transformation
        Matrices of SO(1,3)+, acting on columns (E, px, py, pz); or matrices g of SL(2,C), which act
        on momenta by ``g (E + p·sigma) g†``.

    Returns
    -------
    Tensor
        Real where the irreps are (``Irreps.is_real``), else complex; in the precision of the
        transformation, computed in float64.

    Raises
    ------
    InputError
        If a real matrix does not keep the metric, or reverses time or space; or if the determinant
        of a complex one is not 1.

    Notes
    -----
    On SL(2,C) it is a homomorphism, ``D(g h) = D(g) D(h)``. A Lorentz matrix determines g up to a
    sign, and that of spinors (half-integer j1 + j2) with it: see :func:`sl2c_from_lorentz`.

    The basis: under rotations, (j1, j2) falls apart into the spins \\|j1 - j2\\|, ..., j1 + j2, and
    the components are ordered by them. Within an integer spin they are the real spherical harmonics
    of e3nn, so that D of a rotation is made of the matrices of ``e3nn.o3.Irrep``; within a
    half-integer spin, ``|j, m>`` for m descending. Signs are such that a boost mixes neighbouring
    spins with positive coefficients. D of (j2, j1) is the complex conjugate of D of (j1, j2). So

    * (1/2,1/2) has the components (E, px, py, pz): D is the Lorentz matrix itself;
    * (1,0) has those of ``E + iB`` of a field tensor ``F^i0 = E_i``, ``F^ij = -epsilon_ijk B_k``,
      and the real ``(1,0) + (0,1)`` the six (E, B);
    * (1,1) has those of a symmetric traceless tensor, its time-time component first.

    Examples
    --------
    >>> half_turn = torch.diag(torch.tensor([1., -1., -1., 1.]))
    >>> representation("(1/2,1/2)", half_turn).diagonal()
    tensor([ 1., -1., -1.,  1.])
    >>> representation("(1/2,0)", half_turn)
    tensor([[0.-1.j, 0.+0.j],
            [0.+0.j, 0.+1.j]])
    """
    irreps = Irreps(irreps)
    element = transformation
    if isinstance(transformation, Tensor) and transformation.is_complex():
        check_sl2c(transformation)
    else:
        element = sl2c_from_lorentz(transformation)
    element = element.to(torch.complex128)
    blocks = {}
    for irrep in _up_to_conjugation(irreps):
        left = spin_representation(irrep.twice_j1, element)
        right = spin_representation(irrep.twice_j2, inverse_adjoint(element))
        blocks[irrep] = _in_basis(irrep, _kron(left, right))
    precision = transformation.dtype.to_real()
    out = _direct_sum(irreps, blocks, element.shape[:-2])
    return out.to(precision.to_complex() if out.is_complex() else precision)


def generators(
    irreps: Irreps | Irrep | str,
) -> tuple[Inexact[Tensor, "3 dim dim"], Inexact[Tensor, "3 dim dim"]]:
    """Generators of rotations and of boosts about and along x, y, z.

    ``D = exp(angle · rotations)`` turns by an angle about its direction, and
    ``D = exp(rapidity · boosts)`` boosts along it.

    Parameters
    ----------
    irreps
        The representation.

    Returns
    -------
    rotations, boosts
        In float64 where the irreps are real, else complex128, in the basis of
        :func:`representation`. The Hermitian generators of the textbooks are ``J = i rotations``;
        ``K = i boosts`` is anti-Hermitian.

    Examples
    --------
    >>> rotations, boosts = generators("(1/2,1/2)")
    >>> boosts[2].round(decimals=9).abs()
    tensor([[0., 0., 0., 1.],
            [0., 0., 0., 0.],
            [0., 0., 0., 0.],
            [1., 0., 0., 0.]], dtype=torch.float64)
    """
    irreps = Irreps(irreps)
    rotations, boosts = {}, {}
    for irrep in _up_to_conjugation(irreps):
        ones = [torch.eye(t + 1, dtype=torch.complex128) for t in (irrep.twice_j1, irrep.twice_j2)]
        left = _kron(spin_matrices(irrep.twice_j1), ones[1])
        right = _kron(ones[0], spin_matrices(irrep.twice_j2))
        rotations[irrep] = _in_basis(irrep, -1j * (left + right))
        boosts[irrep] = _in_basis(irrep, left - right)
    batch = torch.Size([3])
    return _direct_sum(irreps, rotations, batch), _direct_sum(irreps, boosts, batch)


@cache
def basis(irrep: Irrep) -> Complex128[Tensor, "product dim"]:
    """Unitary matrix from the basis of an irrep (columns) to ``|j1, m1> |j2, m2>``; read only."""
    if irrep.j1 < irrep.j2:
        # The complex conjugate of (j2, j1): conjugation of a matrix of SL(2,C) turns it into its
        # inverse adjoint, up to a change of basis by i sigma_y.
        partner = basis(irrep.conjugate).conj().reshape(irrep.twice_j2 + 1, -1, irrep.dim)
        flip1, flip2 = _flip(irrep.twice_j1), _flip(irrep.twice_j2)
        return torch.einsum("pa,qb,bak->pqk", flip1.mT, flip2, partner).flatten(0, 1)
    m1 = irrep.twice_j1 / 2 - torch.arange(irrep.twice_j1 + 1, dtype=torch.float64)
    m2 = irrep.twice_j2 / 2 - torch.arange(irrep.twice_j2 + 1, dtype=torch.float64)
    columns: list[Tensor] = []
    last = None
    for spin in irrep.spins:
        block = coupling(irrep.twice_j1, irrep.twice_j2, int(2 * spin))
        # The boost along the quantisation axis, between m = 0 or 1/2 of neighbouring spins.
        state = block[..., int(spin)]
        if last is not None and float((last * (m1[:, None] - m2) * state).sum()) < 0:
            block, state = -block, -state
        last = state
        matrix = block.flatten(0, 1).to(torch.complex128)
        columns.append(matrix if irrep.is_spinor else matrix @ real_harmonics(int(spin)))
    return torch.cat(columns, 1)


def _flip(twice_j: int) -> Complex128[Tensor, "spin spin"]:
    """The representation of i sigma_y."""
    return spin_representation(twice_j, torch.tensor([[0, 1], [-1, 0]], dtype=torch.complex128))


def _in_basis(
    irrep: Irrep, product: Complex128[Tensor, "*batch product product"]
) -> Complex128[Tensor, "*batch dim dim"]:
    """An operator on ``|j1, m1> |j2, m2>``, in the basis of the irrep."""
    columns = basis(irrep).to(product.device)
    return columns.mH @ product @ columns


def _up_to_conjugation(irreps: Irreps) -> set[Irrep]:
    """The irreps (a,b), a >= b, that occur, or whose conjugates do."""
    return {irrep if irrep.j1 >= irrep.j2 else irrep.conjugate for _, irrep in irreps}


def _direct_sum(
    irreps: Irreps, blocks: dict[Irrep, Complex128[Tensor, "*batch dim dim"]], batch: torch.Size
) -> Inexact[Tensor, "*batch total total"]:
    """Operators on each irrep (a,b), a >= b, put together to one on all columns."""
    copies: dict[Irrep, list[slice]] = {}
    start = 0
    for mul, irrep in irreps:
        for _ in range(mul):
            copies.setdefault(irrep, []).append(slice(start, start + irrep.dim))
            start += irrep.dim
    device = next(iter(blocks.values())).device if blocks else None
    kind = torch.float64 if irreps.is_real else torch.complex128
    out = torch.zeros(*batch, irreps.dim, irreps.dim, dtype=kind, device=device)
    for irrep, columns in copies.items():
        block = blocks[irrep] if irrep.j1 >= irrep.j2 else blocks[irrep.conjugate].conj()
        for i, own in enumerate(columns):
            out[..., own, own] = block.real if irreps.is_real else block
            if irreps.is_real and irrep.j1 > irrep.j2:
                # The real part x of z and, in the place of the conjugate, its imaginary part y.
                other = copies[irrep.conjugate][i]
                out[..., own, other], out[..., other, own] = -block.imag, block.imag
    return out


def _kron(
    left: Complex128[Tensor, "*#batch rows rows"], right: Complex128[Tensor, "*#batch2 more more"]
) -> Complex128[Tensor, "*all product product"]:
    """Kronecker product of matrices, batch by batch."""
    product = left[..., :, None, :, None] * right[..., None, :, None, :]
    return product.flatten(-4, -3).flatten(-2, -1)
