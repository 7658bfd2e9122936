"""What the Triton programs of messages between pairs share; importing this imports Triton.

A program works on tiles of pairs: RECEIVERS items of a set times SENDERS of the same set. The
numbers of a tile have a row for each pair and lie in chunks of channels, each a power of two wide:
72 channels take a chunk of 64 and one of 16 instead of one of 128, which has 2.6 times the
products. ``(first channel, channels, channels of all)`` describes a chunk.

``(place, inputs, outputs)`` describes a layer: its weight (outputs, inputs) starts at that place of
`weights`, and the bias lies behind it.
"""

# mypy: ignore-errors

import inspect

import triton
import triton.language as tl

# Compiling takes seconds: not again for every number that is 1 or a multiple of 16.
_SIZES = ("items", "sets", "groups", "number_of_weights")


def program(function):
    """A function that Triton compiles, without what wraps it to check shapes while tests run."""
    function = inspect.unwrap(function)
    sizes = [name for name in _SIZES if name in inspect.signature(function).parameters]
    return triton.jit(function, do_not_specialize=sizes)


@program
def bounds(number, offsets, items):
    """Where a set starts and ends; never outside of the items."""
    start = tl.maximum(tl.load(offsets + number), 0)
    return start, tl.minimum(tl.load(offsets + number + 1), items)


@program
def rows_of(values, row, there, width, CHUNKS: tl.constexpr):
    """Rows of a tensor (items, width); 0 where they are not there."""
    rows = ()
    for k in tl.static_range(len(CHUNKS)):
        channel = CHUNKS[k][0] + tl.arange(0, CHUNKS[k][1])
        inside = there[:, None] & (channel < width)[None, :]
        rows += (tl.load(values + row[:, None] * width + channel, mask=inside, other=0.0),)
    return rows


@program
def numbers(weights, width, stride, CHUNKS: tl.constexpr):
    """A number for each channel, a stride apart."""
    found = ()
    for k in tl.static_range(len(CHUNKS)):
        channel = CHUNKS[k][0] + tl.arange(0, CHUNKS[k][1])
        found += (tl.load(weights + channel * stride, mask=channel < width, other=0.0),)
    return found


@program
def times(x, y, CHUNKS: tl.constexpr):
    """``x · y`` of each row; y has a row, too, or is the same for all."""
    total = tl.sum(x[0] * y[0], axis=1)
    for k in tl.static_range(1, len(CHUNKS)):
        total += tl.sum(x[k] * y[k], axis=1)
    return total


@program
def dot(x, y, into, PRECISION: tl.constexpr):
    """``into + x @ y`` on tensor cores."""
    # The compiler reads on after a return.
    if PRECISION == "bf16":
        result = tl.dot(x.to(tl.bfloat16), y.to(tl.bfloat16), into)
    else:
        result = tl.dot(x, y, into, input_precision=PRECISION)
    return result


@program
def relu(x):
    """The larger of x and 0; NaN stays."""
    return tl.maximum(x, 0.0, propagate_nan=tl.PropagateNan.ALL)


@program
def first(a, b, i, j, there, s, weights, WIDTH, INVARIANTS: tl.constexpr, CHUNKS: tl.constexpr):
    """The first layer and its ReLU; the weights of the invariants lie at the start of all."""
    on_i = rows_of(a, i, there, WIDTH, CHUNKS)
    on_j = rows_of(b, j, there, WIDTH, CHUNKS)
    result = ()
    for k in tl.static_range(len(CHUNKS)):
        z = on_i[k] + on_j[k]
        if INVARIANTS:
            channel = CHUNKS[k][0] + tl.arange(0, CHUNKS[k][1])
            for which in tl.static_range(2):
                w = tl.load(weights + 2 * channel + which, mask=channel < WIDTH, other=0.0)
                z += s[which][:, None] * w[None, :]
        result += (relu(z),)
    return result


@program
def transformed(
    x,
    weights,
    LAYERS: tl.constexpr,
    which: tl.constexpr,
    BACK: tl.constexpr,
    CHUNKS: tl.constexpr,
    PRECISION,
):
    """``x @ weight.T``, with the bias and a ReLU; back, ``x @ weight`` alone."""
    place: tl.constexpr = LAYERS[which][0]
    inputs: tl.constexpr = LAYERS[which][1]
    outputs: tl.constexpr = LAYERS[which][2]
    result = ()
    for n in tl.static_range(len(CHUNKS)):
        to = CHUNKS[n][0] + tl.arange(0, CHUNKS[n][1])[None, :]
        y = tl.full((x[0].shape[0], CHUNKS[n][1]), 0.0, tl.float32)
        for k in tl.static_range(len(CHUNKS)):
            of = CHUNKS[k][0] + tl.arange(0, CHUNKS[k][1])[:, None]
            if BACK:
                weight = tl.load(
                    weights + place + of * inputs + to,
                    mask=(of < outputs) & (to < inputs),
                    other=0.0,
                )
            else:
                weight = tl.load(
                    weights + place + to * inputs + of,
                    mask=(to < outputs) & (of < inputs),
                    other=0.0,
                )
            y = dot(x[k], weight, y, PRECISION)
        if not BACK:
            bias = tl.load(weights + place + inputs * outputs + to, mask=to < outputs, other=0.0)
            y = relu(y + bias)
        result += (y,)
    return result


@program
def affine(x, weights, LAYER: tl.constexpr, CHUNKS: tl.constexpr):
    """``weight · x + bias``, a number for each row."""
    weight = numbers(weights + LAYER[0][0], LAYER[0][1], 1, CHUNKS)
    return times(x, weight, CHUNKS) + tl.load(weights + LAYER[0][0] + LAYER[0][1])


@program
def scaled(x, factor, CHUNKS: tl.constexpr):
    """Each row times a factor."""
    result = ()
    for k in tl.static_range(len(CHUNKS)):
        result += (x[k] * factor[:, None],)
    return result


@program
def add(into, value, inside):
    """Add to what is there."""
    tl.store(into, tl.load(into, mask=inside, other=0.0) + value, mask=inside)
