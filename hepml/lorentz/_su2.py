"""Representations of SU(2) and SL(2,C) of one spin, and the coefficients that couple two."""

import math
from fractions import Fraction
from functools import cache

import torch
from jaxtyping import Complex, Float64
from torch import Tensor

from hepml.lorentz._irrep import Irrep, Spin


def su2_clebsch_gordan(j1: Spin, j2: Spin, j: Spin) -> Float64[Tensor, "spin1 spin2 spin"]:
    """Clebsch-Gordan coefficients ``<j1 m1; j2 m2 | j m>`` of SU(2), in the Condon-Shortley phase.

    Parameters
    ----------
    j1, j2, j
        Spins, half-integers included.

    Returns
    -------
    Tensor
        Indexed by m1, m2 and m, each from the spin down to its negative, on the CPU; 0 where j is
        not among the spins that j1 and j2 couple to.

    Raises
    ------
    InputError
        If a spin is negative or not a multiple of one half.

    Notes
    -----
    The square of each coefficient is a fraction of integers; it is computed as such, and rounded
    once.

    References
    ----------
    G. Racah, Phys. Rev. 62 (1942) 438, eq. 16.

    Examples
    --------
    >>> su2_clebsch_gordan(0.5, 0.5, 0)[..., 0]
    tensor([[ 0.0000,  0.7071],
            [-0.7071,  0.0000]], dtype=torch.float64)
    """
    pair = Irrep(j1, j2)
    return coupling(pair.twice_j1, pair.twice_j2, Irrep(j, 0).twice_j1).clone()


@cache
def coupling(twice_j1: int, twice_j2: int, twice_j: int) -> Float64[Tensor, "spin1 spin2 spin"]:
    """What :func:`su2_clebsch_gordan` returns, for doubled spins; not to be written to."""
    size = (twice_j1 + 1, twice_j2 + 1, twice_j + 1)
    out = torch.zeros(size, dtype=torch.float64)
    if twice_j not in range(abs(twice_j1 - twice_j2), twice_j1 + twice_j2 + 1, 2):
        return out
    for i1 in range(size[0]):
        for i2 in range(size[1]):
            # The index of m counts down from j, and m = m1 + m2.
            i = i1 + i2 - (twice_j1 + twice_j2 - twice_j) // 2
            if 0 <= i < size[2]:
                out[i1, i2, i] = _racah((twice_j1, twice_j2, twice_j), (i1, i2, i))
    return out


def _racah(twice_spins: tuple[int, int, int], lowered: tuple[int, int, int]) -> float:
    """One coefficient; ``lowered`` are the integers j1 - m1, j2 - m2 and j - m."""
    (t1, t2, t), (low1, low2, low) = twice_spins, lowered
    up1, up2, up = t1 - low1, t2 - low2, t - low
    # j1 + j2 - j, j + j1 - j2 and j + j2 - j1.
    excess, left, right = (t1 + t2 - t) // 2, (t + t1 - t2) // 2, (t + t2 - t1) // 2
    f = math.factorial
    total = sum(
        Fraction(
            (-1) ** k,
            f(k) * f(excess - k) * f(low1 - k) * f(up2 - k)
            * f(left - low1 + k) * f(right - up2 + k),
        )
        for k in range(max(0, low1 - left, up2 - right), min(excess, low1, up2) + 1)
    )  # fmt: skip
    triangle = Fraction((t + 1) * f(left) * f(right) * f(excess), f(excess + t + 1))
    projections = f(up1) * f(low1) * f(up2) * f(low2) * f(up) * f(low)
    return math.copysign(math.sqrt(triangle * projections * total**2), total)


def spin_matrices(twice_j: int) -> Complex[Tensor, "3 spin spin"]:
    """The Hermitian (Jx, Jy, Jz), for m from j down to -j."""
    j = twice_j / 2
    m = j - torch.arange(twice_j + 1, dtype=torch.float64)
    raising = torch.diag((j * (j + 1) - m[1:] * (m[1:] + 1)).sqrt(), 1).to(torch.complex128)
    lowering = raising.mT
    jx, jy = (raising + lowering) / 2, (raising - lowering) / 2j
    return torch.stack([jx, jy, torch.diag(m).to(torch.complex128)])


def spin_representation(
    twice_j: int, element: Complex[Tensor, "*batch 2 2"]
) -> Complex[Tensor, "*batch spin spin"]:
    """The representation (j, 0) of matrices of SL(2,C): their symmetric power of degree 2j.

    ``|j, m>`` is ``u^(j+m) d^(j-m) / sqrt((j+m)! (j-m)!)``, and the matrix ``[[a, b], [c, d]]``
    takes the spinor u to ``a u + c d`` and d to ``b u + d d``.
    """
    powers = [torch.ones_like(element)]
    for _ in range(twice_j):
        powers.append(powers[-1] * element)
    a, b = ([power[..., 0, i] for power in powers] for i in range(2))
    c, d = ([power[..., 1, i] for power in powers] for i in range(2))
    rows = []
    for to_down in range(twice_j + 1):
        to_up, row = twice_j - to_down, []
        for down in range(twice_j + 1):
            up = twice_j - down
            norm = math.sqrt(
                Fraction(
                    math.factorial(to_up) * math.factorial(to_down),
                    math.factorial(up) * math.factorial(down),
                )
            )
            # k of the ups stay up, and to_up - k of the downs turn up.
            terms = [
                (norm * math.comb(up, k) * math.comb(down, to_up - k))
                * (a[k] * c[up - k] * b[to_up - k] * d[down - to_up + k])
                for k in range(max(0, to_up - down), min(up, to_up) + 1)
            ]
            row.append(torch.stack(terms).sum(0))
        rows.append(torch.stack(row, -1))
    return torch.stack(rows, -2)


def real_harmonics(degree: int) -> Complex[Tensor, "spin spin"]:
    """Unitary matrix from the real basis of an integer spin to its m, descending.

    The columns are the real spherical harmonics of e3nn: for spin 1 in the order x, y, z, and for
    every spin with y as the polar axis.
    """
    out = torch.zeros(2 * degree + 1, 2 * degree + 1, dtype=torch.complex128)
    out[degree, degree] = 1
    for m in range(1, degree + 1):
        plus, minus, sign = degree - m, degree + m, (-1) ** m
        out[[plus, minus], degree + m] = torch.tensor([sign, 1], dtype=out.dtype)
        out[[plus, minus], degree - m] = torch.tensor([-1j * sign, 1j], dtype=out.dtype)
        out[:, [degree - m, degree + m]] /= math.sqrt(2)
    # These have the polar axis z; the rotation takes z to y, x to z and y to x.
    cycle = torch.tensor([[1 + 1j, 1 + 1j], [-1 + 1j, 1 - 1j]], dtype=torch.complex128) / 2
    return spin_representation(2 * degree, cycle) @ out
