"""The Triton program that sums messages between pairs; importing this imports Triton."""

# mypy: ignore-errors

import triton.language as tl

from hepml.ops.pairs.triton._momenta_kernels import (
    minkowski,
    minus,
    momentum,
    plus,
    psi,
)
from hepml.ops.pairs.triton._shared_kernels import (
    affine,
    bounds,
    first,
    program,
    scaled,
    transformed,
)


@program
def set_of_tile(tile, offsets, sets, RECEIVERS: tl.constexpr):
    """The set of a tile of receivers, and which of its tiles it is.

    The tiles of set s start at ``offsets[s] // RECEIVERS + s``: there are always enough, one too
    many at most, and nobody has to count them.
    """
    low = tile * 0
    high = low + sets - 1
    while low < high:
        middle = (low + high + 1) // 2
        fits = tl.load(offsets + middle) // RECEIVERS + middle <= tile
        low = tl.where(fits, middle, low)
        high = tl.where(fits, high, middle - 1)
    return low, tl.maximum(tile - (tl.load(offsets + low) // RECEIVERS + low), 0)


@program
def zeros(ROWS: tl.constexpr, CHUNKS: tl.constexpr):
    """Rows of 0."""
    rows = ()
    for k in tl.static_range(len(CHUNKS)):
        rows += (tl.full((ROWS, CHUNKS[k][1]), 0.0, tl.float32),)
    return rows


@program
def stack(x, weights, LAYERS: tl.constexpr, CHUNKS: tl.constexpr, PRECISION: tl.constexpr):
    """x, and what each layer and its ReLU make of the last."""
    hidden = (x,)
    for k in tl.static_range(len(LAYERS)):
        hidden += (transformed(hidden[k], weights, LAYERS, k, False, CHUNKS, PRECISION),)
    return hidden


@program
def momentum_of_nothing(ROWS: tl.constexpr):
    """0, in double precision."""
    zero = tl.zeros((ROWS,), tl.float64)
    return zero, zero, zero, zero


@program
def to_receivers(pairs, RECEIVERS: tl.constexpr):
    """The sum over the senders of each receiver, of a number for each pair."""
    return tl.sum(tl.reshape(pairs, (RECEIVERS, pairs.shape[0] // RECEIVERS)), axis=1)


@program
def rows_to_receivers(pairs, RECEIVERS: tl.constexpr):
    """The sum over the senders of each receiver, of rows."""
    SENDERS: tl.constexpr = pairs.shape[0] // RECEIVERS
    return tl.sum(tl.reshape(pairs, (RECEIVERS, SENDERS, pairs.shape[1])), axis=1)


@program
def store_rows(into, row, there, rows, width, CHUNKS: tl.constexpr):
    """Write rows of a tensor (items, width)."""
    for k in tl.static_range(len(CHUNKS)):
        channel = CHUNKS[k][0] + tl.arange(0, CHUNKS[k][1])
        inside = there[:, None] & (channel < width)[None, :]
        tl.store(into + row[:, None] * width + channel, rows[k], mask=inside)


@program
def sum_messages(
    a,
    b,
    offsets,
    p4,
    weights,
    received,
    moved,
    items,
    sets,
    WIDTH: tl.constexpr,
    CHANNELS: tl.constexpr,
    INVARIANTS: tl.constexpr,
    LAYERS: tl.constexpr,
    GATE: tl.constexpr,
    STEPS: tl.constexpr,
    LAST: tl.constexpr,
    CHUNKS: tl.constexpr,
    RECEIVERS: tl.constexpr,
    SENDERS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """The sum of the messages to a few items of a set, and of their steps."""
    PAIRS: tl.constexpr = RECEIVERS * SENDERS
    number, tile = set_of_tile(tl.program_id(0), offsets, sets, RECEIVERS)
    start, stop = bounds(number, offsets, items)
    head = start + tile * RECEIVERS
    if head < stop:
        pair = tl.arange(0, PAIRS)
        i = head + pair // SENDERS
        total = zeros(PAIRS, CHUNKS)
        v = momentum_of_nothing(PAIRS)
        # The weights would take all registers if they were kept from one tile to the next.
        for tail in tl.range(start, stop, SENDERS, disable_licm=True):
            j = tail + pair % SENDERS
            there = (i < stop) & (j < stop) & (i != j)
            s = ()
            if INVARIANTS or len(LAST) > 0:
                p = momentum(p4, i, there)
                q = momentum(p4, j, there)
                difference = minus(p, q)
            if INVARIANTS:
                square = minkowski(difference, difference).to(tl.float32)
                s = (psi(square), psi(minkowski(p, q).to(tl.float32)))
            z = first(a, b, i, j, there, s, weights, WIDTH, INVARIANTS, CHUNKS)
            m = stack(z, weights, LAYERS, CHUNKS, PRECISION)[len(LAYERS)]
            if len(GATE) > 0:
                m = scaled(m, tl.sigmoid(affine(m, weights, GATE, CHUNKS)), CHUNKS)
            if len(LAST) > 0:
                t = stack(m, weights, STEPS, CHUNKS, PRECISION)[len(STEPS)]
                c = tl.where(there, affine(t, weights, LAST, CHUNKS), 0.0)
                v = plus(v, c.to(tl.float64), difference)
            more = ()
            for k in tl.static_range(len(CHUNKS)):
                more += (total[k] + tl.where(there[:, None], m[k], 0.0),)
            total = more
        row = head + tl.arange(0, RECEIVERS)
        sums = ()
        for k in tl.static_range(len(CHUNKS)):
            sums += (rows_to_receivers(total[k], RECEIVERS),)
        store_rows(received, row, row < stop, sums, CHANNELS, CHUNKS)
        if len(LAST) > 0:
            for k in tl.static_range(4):
                step = to_receivers(v[k], RECEIVERS)
                tl.store(moved + 4 * row + k, step.to(moved.dtype.element_ty), mask=row < stop)
