"""What the Triton programs do with momenta, which are four numbers; imports Triton."""

# mypy: ignore-errors

import triton.language as tl

from hepml.ops.pairs.triton._shared_kernels import (
    add,
    program,
)


@program
def momentum(p4, item, there):
    """E, px, py and pz in double precision; 0 where the item is not there."""
    e = tl.load(p4 + 4 * item, mask=there, other=0.0).to(tl.float64)
    x = tl.load(p4 + 4 * item + 1, mask=there, other=0.0).to(tl.float64)
    y = tl.load(p4 + 4 * item + 2, mask=there, other=0.0).to(tl.float64)
    z = tl.load(p4 + 4 * item + 3, mask=there, other=0.0).to(tl.float64)
    return e, x, y, z


@program
def single(p):
    """The momentum in single precision."""
    return p[0].to(tl.float32), p[1].to(tl.float32), p[2].to(tl.float32), p[3].to(tl.float32)


@program
def minus(p, q):
    """The difference of two momenta."""
    return p[0] - q[0], p[1] - q[1], p[2] - q[2], p[3] - q[3]


@program
def plus(p, factor, q):
    """A momentum and a multiple of another."""
    return (
        p[0] + factor * q[0],
        p[1] + factor * q[1],
        p[2] + factor * q[2],
        p[3] + factor * q[3],
    )


@program
def minkowski(p, q):
    """<p, q>."""
    return p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3]


@program
def lowered(p):
    """The momentum with a lower index."""
    return p[0], -p[1], -p[2], -p[3]


@program
def psi(x):
    """``sign(x) ln(|x| + 1)``."""
    size = tl.abs(x)
    more = size + 1
    # What the addition has lost; without it, small numbers would lose all their digits.
    lost = tl.where(more == size, 0.0, size - (more - 1))
    result = tl.log(more) + lost / more
    return tl.where(x < 0, -result, result)


@program
def tile_of_pairs(head, tail, stop, RECEIVERS: tl.constexpr, SENDERS: tl.constexpr):
    """Receivers, senders, which of their pairs are there, and the numbers of the pairs."""
    i = head + tl.arange(0, RECEIVERS)[:, None]
    j = tail + tl.arange(0, SENDERS)[None, :]
    number = tl.arange(0, RECEIVERS)[:, None] * SENDERS + tl.arange(0, SENDERS)[None, :]
    return i, j, (i < stop) & (j < stop) & (i != j), number


@program
def before_messages(
    of_pairs,
    p4,
    d_moved,
    head,
    tail,
    stop,
    INVARIANTS: tl.constexpr,
    LAST: tl.constexpr,
    RECEIVERS: tl.constexpr,
    SENDERS: tl.constexpr,
):
    """Save both invariants of each pair, and the gradient for c.

    Numbers of pairs pass through memory, in both directions: otherwise the compiler finds them anew
    in every place and every layout, with all momenta in registers.
    """
    i, j, there, number = tile_of_pairs(head, tail, stop, RECEIVERS, SENDERS)
    p = momentum(p4, i, i < stop)
    q = momentum(p4, j, j < stop)
    difference = minus(p, q)
    place = of_pairs + number
    if INVARIANTS:
        square = psi(minkowski(difference, difference).to(tl.float32))
        tl.store(place, tl.where(there, square, 0.0))
        product = psi(minkowski(p, q).to(tl.float32))
        tl.store(place + RECEIVERS * SENDERS, tl.where(there, product, 0.0))
    if len(LAST) > 0:
        d_c = minkowski(lowered(momentum(d_moved, i, i < stop)), difference).to(tl.float32)
        tl.store(place + 2 * RECEIVERS * SENDERS, tl.where(there, d_c, 0.0))


@program
def after_messages(
    of_pairs,
    p4,
    d_moved,
    d_receivers,
    d_senders,
    head,
    tail,
    stop,
    INVARIANTS: tl.constexpr,
    LAST: tl.constexpr,
    RECEIVERS: tl.constexpr,
    SENDERS: tl.constexpr,
):
    """Add the gradients for the momenta, from those for both invariants and from c."""
    i, j, there, number = tile_of_pairs(head, tail, stop, RECEIVERS, SENDERS)
    PAIRS: tl.constexpr = RECEIVERS * SENDERS
    place = of_pairs + number
    p = single(momentum(p4, i, i < stop))
    q = single(momentum(p4, j, j < stop))
    zero = tl.zeros((RECEIVERS, SENDERS), tl.float32)
    d_difference = (zero, zero, zero, zero)
    d_p = d_difference
    d_q = d_difference
    if len(LAST) > 0:
        c = tl.where(there, tl.load(place + 3 * PAIRS), 0.0)
        d_difference = plus(d_difference, c, single(momentum(d_moved, i, i < stop)))
    if INVARIANTS:
        # 1 / (|x| + 1) is the derivative of psi.
        d_square = tl.load(place + 4 * PAIRS) * tl.exp(-tl.abs(tl.load(place)))
        d_product = tl.load(place + 5 * PAIRS) * tl.exp(-tl.abs(tl.load(place + PAIRS)))
        difference = single(minus(momentum(p4, i, i < stop), momentum(p4, j, j < stop)))
        d_difference = plus(d_difference, 2 * d_square, lowered(difference))
        d_p = plus(d_p, d_product, lowered(q))
        d_q = plus(d_q, d_product, lowered(p))
    d_p = plus(d_p, 1.0, d_difference)
    d_q = minus(d_q, d_difference)
    receiver = head + tl.arange(0, RECEIVERS)
    sender = tail + tl.arange(0, SENDERS)
    for k in tl.static_range(4):
        add(d_receivers + 4 * receiver + k, tl.sum(d_p[k], axis=1), receiver < stop)
        add(d_senders + 4 * sender + k, tl.sum(d_q[k], axis=0), sender < stop)
