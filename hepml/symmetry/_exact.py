"""Elements of the Lorentz group that round nothing, on momenta that have few enough digits.

A boost along an axis with cosh = (2^k + 2^-k)/2 and sinh = (2^k - 2^-k)/2 multiplies E + p by 2^k
and E - p by 2^-k; a turn of a cube changes places and signs. Matrices of such elements are binary
fractions, and so are the images of momenta that are.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Inexact
from torch import Generator, Tensor

from hepml.errors import InputError
from hepml.lorentz import Irreps, representation, sl2c_from_lorentz

Matrix = Float64[Tensor, "4 4"]

# The finest grid of momenta is 2^-10 GeV: an MeV, as detectors have them at best.
_FINEST = -10
# The matrix of a boost by 2^k has 2k + 1 binary digits.
_MOST_DOUBLINGS = 26
# Momenta of fewer digits than this are hardly momenta any more.
_FEWEST_DIGITS = 3


class Exactly(NamedTuple):
    """An element, and inputs on which it rounds nothing.

    Attributes
    ----------
    element
        The element, as :meth:`Symmetry.act` takes it.
    inputs, images
        The inputs and what the element makes of them, in float64; every number is one of the
        precision that was asked for.
    references
        Values of the model's references that transform without rounding, too.
    grid
        What momenta were rounded to, in words; empty if they were not.
    """

    element: Any
    inputs: Any
    images: Any
    references: dict[str, Tensor]
    grid: str


class Dyadic(NamedTuple):
    """The Lorentz transformation ``left · (boost along z that doubles E + pz so often) · right``.

    Attributes
    ----------
    left, right
        Turns of a cube.
    doublings
        k of the boost; negative for one backwards.
    even
        Whether both parts of the boost double an even number of times, as spinors need: they are
        multiplied with the roots of 2^k and 2^-k.
    """

    left: Matrix
    doublings: int
    right: Matrix
    even: bool = False

    @property
    def first(self) -> int:
        """The doublings of the first part of the boost, which is half of it."""
        return 2 * round(self.doublings / 4) if self.even else self.doublings // 2

    @property
    def matrix(self) -> Matrix:
        """The transformation."""
        product: Matrix = self.left @ doubling_boost(self.doublings) @ self.right
        return product

    @property
    def backwards(self) -> Matrix:
        """The inverse of the first part, in the frame before the element acts."""
        product: Matrix = self.right.mT @ doubling_boost(-self.first) @ self.right
        return product

    def digits(self, dtype: torch.dtype) -> int:
        """The binary digits that are left for momenta.

        A boost by 2^h adds 2h + 1: the sum of 2^h x and 2^-h y, halved. Sums of two or four such
        numbers add two at most.
        """
        most = max(abs(self.first), abs(self.doublings - self.first))
        return _digits(dtype) - (2 * most + 1) - 2


def doubling_boost(doublings: int) -> Matrix:
    """The boost along z that multiplies E + pz by 2^k, and E - pz by 2^-k."""
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[0, 0] = matrix[3, 3] = (2.0**doublings + 2.0**-doublings) / 2
    matrix[0, 3] = matrix[3, 0] = (2.0**doublings - 2.0**-doublings) / 2
    return matrix


def doublings_of(gamma: float, *, even: bool = False) -> int:
    """The k >= 1 of the boost whose Lorentz factor ``(2^k + 2^-k) / 2`` is nearest in rapidity."""
    if not gamma >= 1:
        raise InputError(
            "strength", expected="a Lorentz factor of 1 or more", got=str(gamma), fix="raise it"
        )
    exact = math.acosh(gamma) / math.log(2)
    doublings = max(2, 2 * round(exact / 2)) if even else max(1, round(exact))
    if doublings > _MOST_DOUBLINGS:
        raise InputError(
            "strength of exact elements",
            expected=f"a Lorentz factor of {lorentz_factor(_MOST_DOUBLINGS):.4g} at most, whose "
            "matrix float64 holds",
            got=f"{gamma:g}",
            fix="take a smaller one, or random elements",
        )
    return doublings


def lorentz_factor(doublings: int) -> float:
    """The Lorentz factor of a boost by 2^k."""
    return (2.0**doublings + 2.0**-doublings) / 2


def cube_turn(generator: Generator, *, even: bool = False) -> Matrix:
    """One of the 24 rotations of a cube; of the 12 that do not exchange two axes, if even.

    The others multiply spinors with the root of 1/2.
    """
    order = torch.randperm(3, generator=generator)
    parity = int(torch.linalg.det(torch.eye(3)[order]).round())
    if even and parity < 0:
        order, parity = order.flip(0), 1
    signs = 1.0 - 2.0 * torch.randint(0, 2, (3,), generator=generator).double()
    signs[2] = parity * signs[0] * signs[1]
    matrix = torch.zeros(4, 4, dtype=torch.float64)
    matrix[0, 0] = 1.0
    matrix[1:, 1:] = signs[:, None] * torch.eye(3, dtype=torch.float64)[order]
    return matrix


def describe_grid(digits: int) -> str:
    """The grid in words."""
    return f"2^{_FINEST} GeV, {digits} binary digits"


def on_grid(
    tensor: Inexact[Tensor, "*batch components"], digits: int, *, momenta: bool
) -> Inexact[Tensor, "*batch components"]:
    """The tensor, rounded to so many binary digits of the largest component of each row.

    The grid is nowhere finer than 2^-10 GeV. Momenta that are not space-like stay so: their
    energies are rounded upwards.
    """
    if digits < _FEWEST_DIGITS:
        raise InputError(
            "strength",
            expected="a boost of which the precision of the inputs holds the images",
            got=f"one that leaves {max(digits, 0)} binary digits for momenta",
            fix="take a smaller one, or measure in float64",
        )
    if tensor.is_complex():
        parts = torch.view_as_real(tensor.to(torch.complex128)).flatten(-2)
        rounded = on_grid(parts, digits, momenta=False)
        return torch.complex(rounded[..., ::2], rounded[..., 1::2])
    wide = tensor.detach().double()
    exponent = torch.frexp(wide.abs().amax(-1, keepdim=True)).exponent - digits
    unit = torch.ldexp(torch.ones_like(wide[..., :1]), exponent.clamp(min=_FINEST))
    rounded = (wide / unit).round() * unit
    if momenta:
        # What the energy is above the momentum, on top of the rounded momentum.
        above = wide[..., :1] - wide[..., 1:].norm(dim=-1, keepdim=True)
        energy = (rounded[..., 1:].norm(dim=-1, keepdim=True) + above) / unit
        rounded = torch.cat([energy.ceil() * unit, rounded[..., 1:]], -1)
    return rounded


def dyadic_matrix(irreps: Irreps, matrix: Matrix) -> Inexact[Tensor, "dim dim"]:
    """The matrix on irreps of an exact element, whose entries are binary fractions, too.

    Raises
    ------
    InputError
        If they are not.
    """
    doublings = math.log2(float(matrix[0, 0])) + 1
    element = sl2c_from_lorentz(matrix)
    # Of spinors, or of their products alone: those are the root of 2 times binary fractions.
    for root in (1.0, math.sqrt(2)):
        found = _snapped(element * root, doublings / 2)
        if found is not None:
            action = _snapped(representation(irreps, found / root), doublings)
            if action is not None:
                return action
    raise InputError(
        f"inputs of {irreps}",
        expected="irreps whose matrices are binary fractions: (0,0), (1/2,1/2), (1/2,0), (1,0) and "
        "their conjugates",
        got="irrational entries",
        fix="measure with random elements",
    )


def _snapped(
    matrix: Inexact[Tensor, " *shape"], doublings: float
) -> Inexact[Tensor, " *shape"] | None:
    """The multiples of 2^-(doublings + 2) that the entries are, up to rounding; None if not."""
    unit = 2.0 ** -(math.ceil(doublings) + 2)
    if matrix.is_complex():
        parts = _snapped(torch.view_as_real(matrix).flatten(), doublings)
        return None if parts is None else torch.view_as_complex(parts.view(*matrix.shape, 2))
    exact = (matrix / unit).round() * unit
    return exact if float((exact - matrix).abs().max()) < 1e-3 * unit else None


def exact_product(
    matrix: Inexact[Tensor, "dim dim"], vectors: Inexact[Tensor, "*batch dim"], dtype: torch.dtype
) -> Inexact[Tensor, "*batch dim"]:
    """The matrix times each vector, in whole numbers.

    Raises
    ------
    InputError
        If an image, or a vector, is no number of the precision.
    """
    if vectors.is_complex():
        square = matrix.to(torch.complex128)
        real = torch.cat(
            [torch.cat([square.real, -square.imag], 1), torch.cat([square.imag, square.real], 1)]
        )
        parts = exact_product(real, torch.cat([vectors.real, vectors.imag], -1), dtype)
        return torch.complex(*parts.chunk(2, -1))
    if matrix.is_complex():
        raise InputError(
            "inputs",
            expected="complex tensors, for irreps that are not real",
            got=str(vectors.dtype),
            fix="convert them with .to(torch.complex128)",
        )
    factors, low = _whole_numbers(matrix)
    numbers, low2 = _whole_numbers(vectors)
    product = numbers.reshape(-1, matrix.shape[1]) @ factors.T
    # Python rounds a whole number once, to the nearest.
    rounded = np.array([float(n) for n in product.flat])
    images = torch.from_numpy(np.ldexp(rounded, low + low2)).reshape(vectors.shape)
    same = all(int(r) == n for r, n in zip(rounded, product.flat, strict=True))
    for name, tensor in (("images", images), ("inputs", vectors.detach().double().cpu())):
        if not (same and torch.equal(tensor.to(dtype).double(), tensor)):
            raise InputError(
                f"{name} of an exact element",
                expected=f"numbers that {dtype} holds",
                got="some that would be rounded",
                fix="use momenta of ordinary sizes, or a smaller strength",
            )
    return images.to(vectors.device)


def exact_reference(
    vectors: Inexact[Tensor, "*batch components"], digits: int, mass: float
) -> Float64[Tensor, "*batch 4"]:
    """Reference vectors on the grid; three-momenta become multiples of ln 2 in rapidity on an axis.

    A mass shell has few points of a grid: cosh and sinh of these are among them.
    """
    if vectors.shape[-1] == 4:
        return on_grid(vectors, digits, momenta=True)
    wide = vectors.detach().double()
    size, axis = wide.abs().max(-1, keepdim=True)
    k = (torch.asinh(size / mass) / math.log(2)).round()
    k = torch.where(size > 0, k.clamp(min=1), 0.0)
    energy = mass * (2.0**k + 2.0**-k) / 2
    momentum = mass * (2.0**k - 2.0**-k) / 2 * wide.gather(-1, axis).sign()
    return torch.cat([energy, torch.zeros_like(wide).scatter(-1, axis, momentum)], -1)


def _digits(dtype: torch.dtype) -> int:
    """The binary digits of a floating-point number."""
    return 1 - int(math.log2(torch.finfo(dtype).eps))


def _whole_numbers(tensor: Tensor) -> tuple[Any, int]:
    """Whole numbers n and an exponent e of the values ``n 2^e``, without rounding."""
    mantissa, exponent = np.frexp(tensor.detach().double().cpu().numpy())
    whole = (mantissa * 2.0**53).astype(np.int64)
    low = int(exponent[whole != 0].min()) if (whole != 0).any() else 0
    shifts = np.where(whole != 0, exponent - low, 0)
    powers = np.array([1 << int(shift) for shift in shifts.flat], dtype=object)
    return whole.astype(object) * powers.reshape(whole.shape), low - 53
