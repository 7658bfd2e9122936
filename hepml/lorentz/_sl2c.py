"""Lorentz matrices and the elements of SL(2,C) behind them."""

import torch
from jaxtyping import Complex, Complex128, Float
from torch import Tensor

from hepml.errors import InputError
from hepml.lorentz._su2 import spin_matrices

# What products of a few matrices lose, in units of rounding.
_ROUNDING = 256


def lorentz_from_sl2c(
    element: Complex[Tensor, "*batch 2 2"],
) -> Float[Tensor, "*batch 4 4"]:
    """The Lorentz matrix of g in SL(2,C): the action ``g (E + p·sigma) g†`` on (E, px, py, pz).

    Raises
    ------
    InputError
        If a determinant is not 1.

    Examples
    --------
    >>> lorentz_from_sl2c(torch.diag(torch.tensor([2. + 0j, 0.5])))
    tensor([[2.1250, 0.0000, 0.0000, 1.8750],
            [0.0000, 1.0000, 0.0000, 0.0000],
            [0.0000, 0.0000, 1.0000, 0.0000],
            [1.8750, 0.0000, 0.0000, 2.1250]])
    """
    check_sl2c(element)
    sigma = _pauli().to(element)
    image = element[..., None, :, :] @ sigma @ element.mH[..., None, :, :]
    return torch.einsum("mab,...nba->...mn", sigma, image).real / 2


def sl2c_from_lorentz(
    transformation: Float[Tensor, "*batch 4 4"],
) -> Complex[Tensor, "*batch 2 2"]:
    """An element g of SL(2,C) for each Lorentz matrix, the one with Re tr g >= 0.

    Parameters
    ----------
    transformation
        Matrices of SO(1,3)+, acting on columns (E, px, py, pz).

    Raises
    ------
    InputError
        If a matrix does not keep the metric, or reverses time or space.

    Notes
    -----
    -g belongs to the same matrix. The choice is not continuous: the trace of a rotation by pi,
    boosted across its axis or not, is 0 or imaginary.

    Examples
    --------
    >>> sl2c_from_lorentz(torch.eye(4))
    tensor([[1.+0.j, 0.+0.j],
            [0.+0.j, 1.+0.j]])
    """
    _check_lorentz(transformation)
    precision = transformation.dtype.to_complex()
    sigma = _pauli().to(transformation.device)
    # The sum of Lambda^mu_nu sigma_mu sigma_k sigma_nu is 2 g tr(g sigma_k)*, for
    # each of the four k. At least one of the traces is not small.
    candidates = torch.einsum("...mn,mab,kbc,ncd->...kad", transformation.to(sigma), *[sigma] * 3)
    squares = torch.einsum("...kab,kba->...k", candidates, sigma).real
    best = squares.argmax(-1)[..., None, None, None].expand(*squares.shape[:-1], 1, 2, 2)
    candidate = candidates.gather(-3, best)[..., 0, :, :]
    candidate = candidate / squares.amax(-1)[..., None, None].sqrt()
    element = candidate / _determinant(candidate).sqrt()[..., None, None]
    trace = element[..., 0, 0] + element[..., 1, 1]
    return torch.where((trace.real < 0)[..., None, None], -element, element).to(precision)


def inverse_adjoint(
    element: Complex[Tensor, "*batch 2 2"],
) -> Complex[Tensor, "*batch 2 2"]:
    """``(g†)^-1`` of a matrix of determinant 1."""
    (a, b), (c, d) = ([row[..., i] for i in range(2)] for row in element.conj().unbind(-2))
    return torch.stack([torch.stack([d, -c], -1), torch.stack([-b, a], -1)], -2)


def check_sl2c(element: Complex[Tensor, "*batch 2 2"]) -> None:
    """Refuse matrices whose determinant is not 1, up to rounding."""
    check_matrices(element, 2)
    error = (_determinant(element) - 1).abs()
    allowed = _ROUNDING * torch.finfo(element.dtype).eps
    one = error <= allowed * element.abs().square().amax((-2, -1)).clamp(min=1.0)
    if not bool(one.all()):
        wrong = element[~one][0]
        raise InputError(
            "transformation",
            expected="matrices of SL(2,C), of determinant 1",
            got=f"{wrong.tolist()}, of determinant {complex(_determinant(wrong)):.6g}",
            fix="divide a matrix by the root of its determinant",
        )


def check_matrices(transformation: Tensor, size: int) -> None:
    """Refuse what are no square matrices: complex of two rows, or real of four."""
    if (
        not isinstance(transformation, Tensor)
        or transformation.layout != torch.strided
        or transformation.shape[-2:] != (size, size)
        or not (transformation.is_complex() if size == 2 else transformation.is_floating_point())
    ):
        tensor = isinstance(transformation, Tensor)
        got = f"{transformation.dtype} of shape {tuple(transformation.shape)}" if tensor else ""
        raise InputError(
            "transformation",
            expected=f"{'complex' if size == 2 else 'floating-point'} matrices ({size}, {size})",
            got=got or f"{' '.join(repr(transformation).split()):.60}",
            fix="give elements of SL(2,C), or of the Lorentz group",
        )


def _determinant(matrix: Complex[Tensor, "*batch 2 2"]) -> Complex[Tensor, "*batch"]:
    """Determinant of matrices of two rows."""
    return matrix[..., 0, 0] * matrix[..., 1, 1] - matrix[..., 0, 1] * matrix[..., 1, 0]


def _pauli() -> Complex128[Tensor, "4 2 2"]:
    """The identity and the Pauli matrices."""
    one = torch.eye(2, dtype=torch.complex128)
    return torch.cat([one[None], 2 * spin_matrices(1)])


def _check_lorentz(transformation: Float[Tensor, "*batch 4 4"]) -> None:
    """Refuse what is not in SO(1,3)+, up to rounding."""
    check_matrices(transformation, 4)
    metric = torch.diag(transformation.new_tensor([1.0, -1.0, -1.0, -1.0]))
    violation = transformation.mT @ metric @ transformation - metric
    # Of the products that cancel in it.
    scale = transformation.square().amax((-2, -1))
    tolerance = _ROUNDING * torch.finfo(transformation.dtype).eps
    keeps = violation.abs().amax((-2, -1)) <= tolerance * scale
    forward = (transformation[..., 0, 0] > 0) & (torch.linalg.det(transformation) > 0)
    if not bool((keeps & forward).all()):
        wrong = transformation[~(keeps & forward)][0]
        raise InputError(
            "transformation",
            expected="matrices of SO(1,3)+, which keep the metric (+,-,-,-) and the directions of "
            "time and of space",
            got=str(wrong.tolist()),
            fix="compose it of boosts and rotations; parity and time reversal have no matrix in "
            "SL(2,C)",
        )
