"""The tensors that couple two irreps of the Lorentz group to a third."""

from functools import cache

import torch
from jaxtyping import Inexact
from torch import Tensor

from hepml.errors import InputError
from hepml.lorentz._irrep import Irrep
from hepml.lorentz._representations import basis
from hepml.lorentz._su2 import coupling


def clebsch_gordan(
    irrep1: Irrep | str, irrep2: Irrep | str, irrep: Irrep | str
) -> Inexact[Tensor, "dim1 dim2 dim"]:
    """Clebsch-Gordan tensor C of the Lorentz group: ``z_k = C_ijk x_i y_j`` transforms as irrep.

    Parameters
    ----------
    irrep1, irrep2
        The factors.
    irrep
        One of the irreps in their product.

    Returns
    -------
    Tensor
        On the CPU; float64 where all three irreps are real, (n, n), else complex128. In the bases
        of :func:`representation`.

    Raises
    ------
    InputError
        If the product does not contain the irrep.

    Notes
    -----
    An isometry, ``conj(C)_ijk C_ijl = delta_kl``, which fixes it up to a phase: its first component
    that is not 0 is positive. The tensor of the three conjugates is the complex conjugate.

    It is ``<j1 m1; j1' m1' | j1'' m1''> <j2 m2; j2' m2' | j2'' m2''>`` in these bases.

    Examples
    --------
    >>> (2 * clebsch_gordan("(1/2,1/2)", "(1/2,1/2)", "(0,0)")).squeeze().round(decimals=9)
    tensor([[ 1.,  0.,  0.,  0.],
            [ 0., -1.,  0.,  0.],
            [ 0.,  0., -1.,  0.],
            [ 0.,  0.,  0., -1.]], dtype=torch.float64)
    """
    irrep1, irrep2, irrep = (
        each if isinstance(each, Irrep) else Irrep(each) for each in (irrep1, irrep2, irrep)
    )
    product = irrep1 * irrep2
    if irrep not in product:
        raise InputError(
            "irrep",
            expected=f"one of {irrep1} x {irrep2} = {product}",
            got=str(irrep),
            fix="choose an irrep of the product",
        )
    return _coupling(irrep1, irrep2, irrep).clone()


@cache
def _coupling(irrep1: Irrep, irrep2: Irrep, irrep: Irrep) -> Inexact[Tensor, "dim1 dim2 dim"]:
    """What :func:`clebsch_gordan` returns; not to be written to."""
    left = coupling(irrep1.twice_j1, irrep2.twice_j1, irrep.twice_j1)
    right = coupling(irrep1.twice_j2, irrep2.twice_j2, irrep.twice_j2)
    # Axes: spins of the first factor, of the second, of the product.
    tensor = torch.einsum("abc,xyz->axbycz", left, right)
    tensor = tensor.reshape(irrep1.dim, irrep2.dim, irrep.dim).to(torch.complex128)
    tensor = torch.einsum(
        "pqr,pi,qj,rk->ijk", tensor, basis(irrep1), basis(irrep2), basis(irrep).conj()
    )
    first = tensor.flatten()[int((tensor.flatten().abs() > 1e-9).nonzero()[0])]
    tensor = tensor * (first.conj() / first.abs())
    # What rounding left of zeros.
    real, imag = (torch.where(part.abs() > 1e-14, part, 0.0) for part in (tensor.real, tensor.imag))
    is_real = irrep1.is_real and irrep2.is_real and irrep.is_real
    return real if is_real else torch.complex(real, imag)
