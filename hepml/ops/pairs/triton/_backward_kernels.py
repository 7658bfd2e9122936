"""The Triton program for the gradients of messages between pairs; imports Triton.

A program owns every groups-th tile of receivers of a set. What it finds it adds in memory that no
other program writes, so that all sums are taken in the same order in every run. What the layers
make of a tile it saves and reads again: all of it together would not fit into the registers.
"""

# mypy: ignore-errors

import triton.language as tl

from hepml.ops.pairs.triton._momenta_kernels import after_messages, before_messages
from hepml.ops.pairs.triton._shared_kernels import (
    add,
    affine,
    bounds,
    dot,
    first,
    numbers,
    program,
    rows_of,
    scaled,
    times,
    transformed,
)


@program
def add_affine(parts, d, x, LAYER: tl.constexpr, CHUNKS: tl.constexpr):
    """Add the gradients for weight and bias of ``weight · x + bias``."""
    for k in tl.static_range(len(CHUNKS)):
        channel = CHUNKS[k][0] + tl.arange(0, CHUNKS[k][1])
        add(
            parts + LAYER[0][0] + channel,
            tl.sum(d[:, None] * x[k], axis=0),
            channel < LAYER[0][1],
        )
    bias = parts + LAYER[0][0] + LAYER[0][1]
    tl.store(bias, tl.load(bias) + tl.sum(d, axis=0))


@program
def save(into, rows, CHUNKS: tl.constexpr):
    """Write the rows of a tile."""
    row = tl.arange(0, rows[0].shape[0])[:, None]
    for k in tl.static_range(len(CHUNKS)):
        channel = CHUNKS[k][0] + tl.arange(0, CHUNKS[k][1])
        tl.store(into + row * CHUNKS[0][2] + channel, rows[k])


@program
def saved(tile, PAIRS: tl.constexpr, CHUNKS: tl.constexpr):
    """The rows of a tile."""
    row = tl.arange(0, PAIRS)[:, None]
    rows = ()
    for k in tl.static_range(len(CHUNKS)):
        channel = CHUNKS[k][0] + tl.arange(0, CHUNKS[k][1])
        rows += (tl.load(tile + row * CHUNKS[0][2] + channel),)
    return rows


@program
def saved_stack(
    x, weights, into, LAYERS: tl.constexpr, CHUNKS: tl.constexpr, PRECISION: tl.constexpr
):
    """What the last of the layers makes of x; what all of them and their ReLUs make is saved."""
    save(into, x, CHUNKS)
    for k in tl.static_range(len(LAYERS)):
        x = transformed(x, weights, LAYERS, k, False, CHUNKS, PRECISION)
        save(into + (k + 1) * x[0].shape[0] * CHUNKS[0][2], x, CHUNKS)
    return x


@program
def add_layer(
    parts,
    d,
    x,
    LAYERS: tl.constexpr,
    which: tl.constexpr,
    PAIRS: tl.constexpr,
    CHUNKS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Add the gradient for the weight of a layer, from tiles that were saved."""
    place: tl.constexpr = LAYERS[which][0]
    inputs: tl.constexpr = LAYERS[which][1]
    outputs: tl.constexpr = LAYERS[which][2]
    pair = tl.arange(0, PAIRS)
    for n in tl.static_range(len(CHUNKS)):
        # As many rows as the first chunk has, also for the second: tensor cores want 64.
        to = CHUNKS[n][0] + CHUNKS[n][1] - CHUNKS[0][1] + tl.arange(0, CHUNKS[0][1])
        across = tl.load(d + pair[None, :] * CHUNKS[0][2] + to[:, None])
        for k in tl.static_range(len(CHUNKS)):
            of = CHUNKS[k][0] + tl.arange(0, CHUNKS[k][1])
            weight = parts + place + to[:, None] * inputs + of[None, :]
            inside = ((to >= CHUNKS[n][0]) & (to < outputs))[:, None] & (of < inputs)[None, :]
            before = tl.load(weight, mask=inside, other=0.0)
            rows = tl.load(x + pair[:, None] * CHUNKS[0][2] + of[None, :])
            tl.store(weight, dot(across, rows, before, PRECISION), mask=inside)


@program
def behind_relu(d, y, CHUNKS: tl.constexpr):
    """The gradient for the input of a ReLU, from those for its output and that output."""
    result = ()
    for k in tl.static_range(len(CHUNKS)):
        result += (tl.where(y[k] <= 0, 0.0, d[k]),)
    return result


@program
def behind_stack(
    d,
    hidden,
    weights,
    parts,
    scratch,
    LAYERS: tl.constexpr,
    CHUNKS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """The gradient for the input, from that for the output; adds those for the layers."""
    PAIRS: tl.constexpr = d[0].shape[0]
    TILE: tl.constexpr = PAIRS * CHUNKS[0][2]
    for step in tl.static_range(len(LAYERS)):
        k: tl.constexpr = len(LAYERS) - 1 - step
        d = behind_relu(d, saved(hidden + (k + 1) * TILE, PAIRS, CHUNKS), CHUNKS)
        bias: tl.constexpr = LAYERS[k][0] + LAYERS[k][1] * LAYERS[k][2]
        for n in tl.static_range(len(CHUNKS)):
            to = CHUNKS[n][0] + tl.arange(0, CHUNKS[n][1])
            add(parts + bias + to, tl.sum(d[n], axis=0), to < LAYERS[k][2])
        tl.debug_barrier()
        save(scratch, d, CHUNKS)
        tl.debug_barrier()
        add_layer(parts, scratch, hidden + k * TILE, LAYERS, k, PAIRS, CHUNKS, PRECISION)
        d = transformed(d, weights, LAYERS, k, True, CHUNKS, PRECISION)
    return d


@program
def behind_invariants(d, s, weights, parts, which: tl.constexpr, WIDTH, CHUNKS: tl.constexpr):
    """The gradient for an invariant, from that for the first layer; adds those for its weights."""
    w = numbers(weights + which, WIDTH, 2, CHUNKS)
    for k in tl.static_range(len(CHUNKS)):
        channel = CHUNKS[k][0] + tl.arange(0, CHUNKS[k][1])
        found = tl.sum(d[k] * s[which][:, None], axis=0)
        add(parts + 2 * channel + which, found, channel < WIDTH)
    return times(d, w, CHUNKS)


@program
def add_gradients(
    d_received,
    d_moved,
    a,
    b,
    offsets,
    p4,
    weights,
    d_a,
    d_b,
    d_p4,
    parts,
    scratch,
    items,
    sets,
    groups,
    number_of_weights,
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
    SCRATCH: tl.constexpr,
):
    """All gradients: d_b and d_p4 of senders for each group, then d_p4 of receivers."""
    PAIRS: tl.constexpr = RECEIVERS * SENDERS
    parts += tl.program_id(0).to(tl.int64) * number_of_weights
    # Of this program: a gradient, what the layers made, and six numbers of each pair.
    TILE: tl.constexpr = PAIRS * CHUNKS[0][2]
    scratch += tl.program_id(0).to(tl.int64) * SCRATCH
    hidden = scratch + TILE
    steps = hidden + (len(LAYERS) + 1) * TILE
    of_pairs = steps + (len(STEPS) + 1) * TILE
    # Places beyond 2^31 have to be told.
    size = items.to(tl.int64)
    pair = tl.arange(0, PAIRS)
    for work in range(tl.program_id(0), sets * groups, tl.num_programs(0)):
        start, stop = bounds(work // groups, offsets, items)
        group = work % groups
        for head in range(start + group * RECEIVERS, stop, groups * RECEIVERS):
            i = head + pair // SENDERS
            row = head + tl.arange(0, RECEIVERS)
            # The weights would take all registers if they were kept from one tile to the next.
            for tail in tl.range(start, stop, SENDERS, disable_licm=True):
                j = tail + pair % SENDERS
                there = (i < stop) & (j < stop) & (i != j)
                sender = tail + tl.arange(0, SENDERS)
                s = ()
                if INVARIANTS or len(LAST) > 0:
                    before_messages(
                        of_pairs, p4, d_moved, head, tail, stop,
                        INVARIANTS, LAST, RECEIVERS, SENDERS,
                    )  # fmt: skip
                    tl.debug_barrier()
                if INVARIANTS:
                    s = (tl.load(of_pairs + pair), tl.load(of_pairs + PAIRS + pair))
                z = first(a, b, i, j, there, s, weights, WIDTH, INVARIANTS, CHUNKS)
                m = saved_stack(z, weights, hidden, LAYERS, CHUNKS, PRECISION)
                if len(GATE) > 0:
                    gate = tl.sigmoid(affine(m, weights, GATE, CHUNKS))
                    m = scaled(m, gate, CHUNKS)
                if len(LAST) > 0:
                    t = saved_stack(m, weights, steps, STEPS, CHUNKS, PRECISION)
                    d_c = tl.load(of_pairs + 2 * PAIRS + pair)
                    tl.store(of_pairs + 3 * PAIRS + pair, affine(t, weights, LAST, CHUNKS))
                    add_affine(parts, d_c, t, LAST, CHUNKS)
                    d = outer(d_c, numbers(weights + LAST[0][0], LAST[0][1], 1, CHUNKS), CHUNKS)
                    tl.debug_barrier()
                    d = behind_stack(d, steps, weights, parts, scratch, STEPS, CHUNKS, PRECISION)
                    d = sum_of(d, rows_of(d_received, i, there, CHANNELS, CHUNKS), CHUNKS)
                else:
                    d = rows_of(d_received, i, there, CHANNELS, CHUNKS)
                    tl.debug_barrier()
                if len(GATE) > 0:
                    m = saved(hidden + len(LAYERS) * TILE, PAIRS, CHUNKS)
                    d_logit = times(d, m, CHUNKS) * gate * (1 - gate)
                    add_affine(parts, d_logit, m, GATE, CHUNKS)
                    w = numbers(weights + GATE[0][0], GATE[0][1], 1, CHUNKS)
                    d = sum_of(scaled(d, gate, CHUNKS), outer(d_logit, w, CHUNKS), CHUNKS)
                d = behind_stack(d, hidden, weights, parts, scratch, LAYERS, CHUNKS, PRECISION)
                d = behind_relu(d, saved(hidden, PAIRS, CHUNKS), CHUNKS)
                for k in tl.static_range(len(CHUNKS)):
                    channel = CHUNKS[k][0] + tl.arange(0, CHUNKS[k][1])
                    inside = (sender < stop)[:, None] & (channel < WIDTH)[None, :]
                    split = tl.reshape(d[k], (RECEIVERS, SENDERS, CHUNKS[k][1]))
                    place = d_a + row[:, None] * WIDTH + channel
                    add(place, tl.sum(split, axis=1), (row < stop)[:, None] & (channel < WIDTH))
                    place = d_b + (group * size + sender[:, None]) * WIDTH + channel
                    add(place, tl.sum(split, axis=0), inside)
                if INVARIANTS:
                    for which in tl.static_range(2):
                        d_s = behind_invariants(d, s, weights, parts, which, WIDTH, CHUNKS)
                        tl.store(of_pairs + (4 + which) * PAIRS + pair, d_s)
                if INVARIANTS or len(LAST) > 0:
                    tl.debug_barrier()
                    after_messages(
                        of_pairs, p4, d_moved, d_p4 + groups * size * 4, d_p4 + group * size * 4,
                        head, tail, stop, INVARIANTS, LAST, RECEIVERS, SENDERS,
                    )  # fmt: skip
                # What one thread has written, another may read next.
                tl.debug_barrier()


@program
def outer(d, row, CHUNKS: tl.constexpr):
    """A multiple of the row for each pair."""
    result = ()
    for k in tl.static_range(len(CHUNKS)):
        result += (d[:, None] * row[k][None, :],)
    return result


@program
def sum_of(x, y, CHUNKS: tl.constexpr):
    """x + y."""
    result = ()
    for k in tl.static_range(len(CHUNKS)):
        result += (x[k] + y[k],)
    return result
