"""The Triton programs of the invariants' moments over all pairs; importing this imports Triton."""

# mypy: ignore-errors

import triton.language as tl

from hepml.ops.pairs.triton._forward_kernels import set_of_tile
from hepml.ops.pairs.triton._momenta_kernels import (
    lowered,
    minkowski,
    minus,
    momentum,
    plus,
    psi,
    tile_of_pairs,
)
from hepml.ops.pairs.triton._shared_kernels import bounds, program


@program
def sum_invariants(
    p4,
    offsets,
    sums,
    squares,
    items,
    sets,
    RECEIVERS: tl.constexpr,
    SENDERS: tl.constexpr,
):
    """The sums over the senders of each receiver, and the squares of all pairs of the program."""
    number, tile = set_of_tile(tl.program_id(0), offsets, sets, RECEIVERS)
    start, stop = bounds(number, offsets, items)
    head = start + tile * RECEIVERS
    if head < stop:
        zero = tl.zeros((RECEIVERS, SENDERS), tl.float64)
        first = zero
        second = zero
        first_first = zero
        first_second = zero
        second_second = zero
        for tail in range(start, stop, SENDERS):
            i, j, there, _ = tile_of_pairs(head, tail, stop, RECEIVERS, SENDERS)
            p = momentum(p4, i, i < stop)
            q = momentum(p4, j, j < stop)
            difference = minus(p, q)
            square = psi(minkowski(difference, difference).to(p4.dtype.element_ty))
            product = psi(minkowski(p, q).to(p4.dtype.element_ty))
            s = tl.where(there, square.to(tl.float64), 0.0)
            t = tl.where(there, product.to(tl.float64), 0.0)
            first += s
            second += t
            first_first += s * s
            first_second += s * t
            second_second += t * t
        row = head + tl.arange(0, RECEIVERS)
        tl.store(sums + 2 * row, tl.sum(first, axis=1), mask=row < stop)
        tl.store(sums + 2 * row + 1, tl.sum(second, axis=1), mask=row < stop)
        place = squares + 4 * tl.program_id(0)
        mixed = tl.sum(tl.sum(first_second, axis=1), axis=0)
        tl.store(place, tl.sum(tl.sum(first_first, axis=1), axis=0))
        tl.store(place + 1, mixed)
        tl.store(place + 2, mixed)
        tl.store(place + 3, tl.sum(tl.sum(second_second, axis=1), axis=0))


@program
def add_gradient(
    d_sums,
    d_squares,
    p4,
    offsets,
    d_p4,
    items,
    sets,
    RECEIVERS: tl.constexpr,
    SENDERS: tl.constexpr,
):
    """The gradient for the momenta of a few items, as receivers and as senders.

    The invariants of (i, j) are those of (j, i): whoever owns i finds both here.
    """
    number, tile = set_of_tile(tl.program_id(0), offsets, sets, RECEIVERS)
    start, stop = bounds(number, offsets, items)
    head = start + tile * RECEIVERS
    if head < stop:
        first = 4 * tl.load(d_squares)
        mixed = 2 * (tl.load(d_squares + 1) + tl.load(d_squares + 2))
        second = 4 * tl.load(d_squares + 3)
        zero = tl.zeros((RECEIVERS, SENDERS), tl.float64)
        d_p = (zero, zero, zero, zero)
        for tail in range(start, stop, SENDERS):
            i, j, there, _ = tile_of_pairs(head, tail, stop, RECEIVERS, SENDERS)
            p = momentum(p4, i, i < stop)
            q = momentum(p4, j, j < stop)
            difference = minus(p, q)
            square = minkowski(difference, difference)
            product = minkowski(p, q)
            s = psi(square.to(p4.dtype.element_ty)).to(tl.float64)
            t = psi(product.to(p4.dtype.element_ty)).to(tl.float64)
            d_s = tl.load(d_sums + 2 * i, mask=i < stop, other=0.0)
            d_s += tl.load(d_sums + 2 * j, mask=j < stop, other=0.0)
            d_t = tl.load(d_sums + 2 * i + 1, mask=i < stop, other=0.0)
            d_t += tl.load(d_sums + 2 * j + 1, mask=j < stop, other=0.0)
            d_square = (d_s + first * s + mixed * t) / (tl.abs(square) + 1)
            d_product = (d_t + mixed * s + second * t) / (tl.abs(product) + 1)
            d_p = plus(d_p, tl.where(there, 2 * d_square, 0.0), lowered(difference))
            d_p = plus(d_p, tl.where(there, d_product, 0.0), lowered(q))
        row = head + tl.arange(0, RECEIVERS)
        for k in tl.static_range(4):
            result = tl.sum(d_p[k], axis=1).to(d_p4.dtype.element_ty)
            tl.store(d_p4 + 4 * row + k, result, mask=row < stop)
