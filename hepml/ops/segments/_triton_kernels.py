"""The Triton programs behind :mod:`hepml.ops.segments._triton`; importing this imports Triton.

A program reduces a tile of segments, items and channels at a time. A segment of more than LONG
items is cut at the multiples of PIECE: programs of their own reduce the pieces, and another one
reduces what they found, in the order of the pieces. No number depends on which program was first.
"""

# mypy: ignore-errors

import inspect

import torch
import triton
import triton.language as tl


def _program(function):
    """A function that Triton compiles, without what wraps it to check shapes while tests run."""
    return triton.jit(inspect.unwrap(function))


def wide_type(dtype: torch.dtype):
    """The type in which values are computed."""
    return tl.float64 if dtype == torch.float64 else tl.float32


@_program
def _segment_of(item, offsets, segments):
    """The segment that holds an item, by bisection."""
    low = item * 0
    high = low + segments - 1
    while low < high:
        middle = (low + high + 1) // 2
        fits = tl.load(offsets + middle) <= item
        low = tl.where(fits, middle, low)
        high = tl.where(fits, high, middle - 1)
    return low


@_program
def _largest(tile):
    """The largest over the items of a tile; NaN if one is."""
    nan = tl.max((tile != tile).to(tl.int32), axis=1)
    largest = tl.max(tl.where(tile != tile, -float("inf"), tile), axis=1)
    return tl.where(nan > 0, float("nan"), largest)


@_program
def _finite(shift):
    """What exponents are shifted by: -inf - -inf is not a number."""
    return tl.where(shift == -float("inf"), 0.0, shift)


@_program
def _tile(first, head, start, length, channel, channels, ITEMS: tl.constexpr):
    """Where the numbers of a tile are, and which of them are there.

    The rows of a segment lie from `start`, save its first, which lies at `head`.
    """
    item = first + tl.arange(0, ITEMS)[None, :]
    row = tl.where(item == 0, head[:, None], start[:, None] + item)
    inside = (item < length[:, None])[:, :, None] & (channel < channels)[None, None, :]
    return row[:, :, None] * channels + channel[None, None, :], inside


@_program
def _reduced(
    values,
    weights,
    head,
    start,
    length,
    channel,
    channels,
    OPERATION: tl.constexpr,
    SEGMENTS: tl.constexpr,
    ITEMS: tl.constexpr,
    CHANNELS: tl.constexpr,
    WIDE: tl.constexpr,
):
    """The sum, the maximum, or the negated minimum over each segment, twice.

    For "exponential", the maximum and the sum of exponentials after a shift by it; the weights are
    such sums already found, with the values as their shifts.
    """
    NOTHING: tl.constexpr = 0.0 if OPERATION == "sum" else -float("inf")
    found = tl.full((SEGMENTS, ITEMS, CHANNELS), NOTHING, WIDE)
    total = tl.zeros((SEGMENTS, ITEMS, CHANNELS), WIDE)
    for first in range(0, tl.max(length, axis=0), ITEMS):
        place, inside = _tile(first, head, start, length, channel, channels, ITEMS)
        x = tl.load(values + place, mask=inside, other=NOTHING).to(WIDE)
        if OPERATION == "sum":
            found += x
        else:
            if OPERATION == "min":
                x = tl.where(inside, -x, x)
            larger = tl.where((x > found) | (x != x), x, found)
            if OPERATION == "exponential":
                weight = tl.full((SEGMENTS, ITEMS, CHANNELS), 1.0, WIDE)
                if weights is not None:
                    weight = tl.load(weights + place, mask=inside, other=0.0)
                shift = _finite(larger)
                total = total * tl.exp(found - shift) + weight * tl.exp(x - shift)
            found = larger
    if OPERATION == "sum":
        reduced = tl.sum(found, axis=1)
        return reduced, reduced
    largest = _largest(found)
    if OPERATION == "exponential":
        shift = _finite(largest)
        return shift, tl.sum(total * tl.exp(found - shift[:, None, :]), axis=1)
    return largest, largest


@_program
def _store(result, reduced, total, segment, length, there, channel, channels, FINISH: tl.constexpr):
    """Write the row of each segment."""
    row = segment[:, None] * channels + channel[None, :]
    inside = there[:, None] & (channel < channels)[None, :]
    empty = length[:, None] == 0
    if FINISH == "mean":
        reduced = reduced / tl.maximum(length, 1)[:, None].to(reduced.dtype)
    elif FINISH == "max":
        reduced = tl.where(empty, 0.0, reduced)
    elif FINISH == "min":
        reduced = tl.where(empty, 0.0, -reduced)
    elif FINISH == "logsumexp":
        nothing = total == 0
        logarithm = tl.log(tl.where(nothing, 1.0, total)) + reduced
        # Where the largest is inf: inf - inf is not a number.
        logarithm = tl.where(reduced == float("inf"), reduced, logarithm)
        reduced = tl.where(nothing, -float("inf"), logarithm)
    tl.store(result + row, reduced.to(result.dtype.element_ty), mask=inside)


@_program
def _store_weights(
    values,
    result,
    shift,
    total,
    start,
    length,
    channel,
    channels,
    ITEMS: tl.constexpr,
    WIDE: tl.constexpr,
):
    """Write the softmax of each item."""
    total = tl.where(total == 0, 1.0, total)
    for first in range(0, tl.max(length, axis=0), ITEMS):
        place, inside = _tile(first, start, start, length, channel, channels, ITEMS)
        x = tl.load(values + place, mask=inside, other=0.0).to(WIDE)
        weight = tl.exp(x - shift[:, None, :]) / total[:, None, :]
        tl.store(result + place, weight.to(result.dtype.element_ty), mask=inside)


@_program
def _store_copies(rows, result, segment, start, length, channel, channels, ITEMS: tl.constexpr):
    """Write the row of each segment at each of its items."""
    row = segment[:, None] * channels + channel[None, :]
    x = tl.load(rows + row, mask=(length > 0)[:, None] & (channel < channels)[None, :])
    for first in range(0, tl.max(length, axis=0), ITEMS):
        place, inside = _tile(first, start, start, length, channel, channels, ITEMS)
        tl.store(result + place, tl.broadcast_to(x[:, None, :], place.shape), mask=inside)


@_program
def _short(group, offsets, segments, SEGMENTS: tl.constexpr, LONG: tl.constexpr):
    """The segments of a group, where they start, how long they are, which of them are short."""
    segment = group.to(tl.int64) * SEGMENTS + tl.arange(0, SEGMENTS)
    start = tl.load(offsets + segment, mask=segment < segments, other=0)
    length = tl.load(offsets + segment + 1, mask=segment < segments, other=0) - start
    there = (segment < segments) & (length <= LONG)
    return segment, start, tl.where(there, length, 0), there


@_program
def _part(piece, end, offsets, items, segments, PIECE: tl.constexpr, LONG: tl.constexpr):
    """What lies in a piece of the long segment at one of its ends (0, 1); nothing if it is short.

    A long segment that both ends belong to counts for the first.
    """
    first = piece.to(tl.int64) * PIECE
    stop = tl.minimum(first + PIECE, items)
    segment = _segment_of(first, offsets, segments)
    fresh = segment >= 0
    if end == 1:
        last = _segment_of(stop - 1, offsets, segments)
        fresh = last != segment
        segment = last
    start = tl.load(offsets + segment)
    until = tl.load(offsets + segment + 1)
    long = fresh & (until - start > LONG)
    start = tl.maximum(start, first)
    length = tl.where(long, tl.minimum(until, stop) - start, 0)
    one = tl.zeros((1,), tl.int64)
    return segment + one, start + one, length + one


@_program
def reduce_segments(
    values,
    offsets,
    result,
    parts,
    weights,
    items,
    segments,
    channels,
    groups,
    OPERATION: tl.constexpr,
    FINISH: tl.constexpr,
    SEGMENTS: tl.constexpr,
    ITEMS: tl.constexpr,
    CHANNELS: tl.constexpr,
    PIECE: tl.constexpr,
    LONG: tl.constexpr,
    WIDE: tl.constexpr,
):
    """The short segments; of the long ones, what lies at the two ends of each piece, to `parts`.

    The parts hold the first end of all pieces, then the second. A piece within one segment has it
    at its first end alone.
    """
    program = tl.program_id(0)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    if program < groups:
        segment, start, length, short = _short(program, offsets, segments, SEGMENTS, LONG)
        reduced, total = _reduced(
            values, None, start, start, length, channel, channels,
            OPERATION, SEGMENTS, ITEMS, CHANNELS, WIDE,
        )  # fmt: skip
        if FINISH == "softmax":
            _store_weights(
                values, result, reduced, total, start, length, channel, channels, ITEMS, WIDE
            )
        else:
            _store(result, reduced, total, segment, length, short, channel, channels, FINISH)
    else:
        piece = program - groups
        for end in tl.static_range(2):
            # Other names than above: to Triton, the shapes of a name must agree in all branches.
            _, begin, size = _part(piece, end, offsets, items, segments, PIECE, LONG)
            if tl.max(size, axis=0) > 0:
                part, weight = _reduced(
                    values, None, begin, begin, size, channel, channels,
                    OPERATION, 1, SEGMENTS * ITEMS, CHANNELS, WIDE,
                )  # fmt: skip
                row = end * tl.cdiv(items, PIECE) + piece.to(tl.int64)
                place = row * channels + channel
                there = channel < channels
                tl.store(parts + place, tl.reshape(part, (CHANNELS,)), mask=there)
                if OPERATION == "exponential":
                    tl.store(weights + place, tl.reshape(weight, (CHANNELS,)), mask=there)


@_program
def combine_parts(
    parts,
    weights,
    offsets,
    result,
    result_weights,
    items,
    segments,
    channels,
    OPERATION: tl.constexpr,
    FINISH: tl.constexpr,
    ITEMS: tl.constexpr,
    CHANNELS: tl.constexpr,
    PIECE: tl.constexpr,
    LONG: tl.constexpr,
    WIDE: tl.constexpr,
):
    """The long segments, each by the program of the piece in which it starts."""
    piece = tl.program_id(0).to(tl.int64)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    first = piece * PIECE
    last = tl.minimum(first + PIECE, items) - 1
    segment = _segment_of(last, offsets, segments)
    begin = tl.load(offsets + segment)
    length = tl.load(offsets + segment + 1) - begin
    if (length > LONG) & (begin >= first):
        one = tl.zeros((1,), tl.int64)
        number = (begin + length - 1) // PIECE - piece + 1
        # Where it does not start with the piece, the first end belongs to another segment.
        head = tl.where(begin > first, tl.cdiv(items, PIECE) + piece, piece)
        reduced, total = _reduced(
            parts, weights, head + one, piece + one, number + one, channel, channels,
            "max" if OPERATION == "min" else OPERATION, 1, ITEMS, CHANNELS, WIDE,
        )  # fmt: skip
        there = one == 0
        if FINISH == "softmax":
            # What the weights of the items need: the shift, and the sum after it.
            _store(
                result, reduced, total, segment + one, length + one, there, channel, channels, "sum"
            )
            _store(
                result_weights,
                total,
                total,
                segment + one,
                length + one,
                there,
                channel,
                channels,
                "sum",
            )
        else:
            _store(
                result,
                reduced,
                total,
                segment + one,
                length + one,
                there,
                channel,
                channels,
                FINISH,
            )


@_program
def weigh_long_segments(
    values,
    offsets,
    result,
    shifts,
    totals,
    items,
    segments,
    channels,
    ITEMS: tl.constexpr,
    CHANNELS: tl.constexpr,
    PIECE: tl.constexpr,
    LONG: tl.constexpr,
    WIDE: tl.constexpr,
):
    """The softmax of the items of long segments."""
    piece = tl.program_id(0)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    for end in tl.static_range(2):
        segment, start, length = _part(piece, end, offsets, items, segments, PIECE, LONG)
        if tl.max(length, axis=0) > 0:
            place = segment[:, None] * channels + channel[None, :]
            there = (channel < channels)[None, :]
            shift = tl.load(shifts + place, mask=there, other=0.0)
            total = tl.load(totals + place, mask=there, other=1.0)
            _store_weights(
                values, result, shift, total, start, length, channel, channels, ITEMS, WIDE
            )


@_program
def copy_rows(
    rows,
    offsets,
    result,
    items,
    segments,
    channels,
    groups,
    SEGMENTS: tl.constexpr,
    ITEMS: tl.constexpr,
    CHANNELS: tl.constexpr,
    PIECE: tl.constexpr,
    LONG: tl.constexpr,
):
    """The row of each segment, at each of its items."""
    program = tl.program_id(0)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    if program < groups:
        segment, start, length, _ = _short(program, offsets, segments, SEGMENTS, LONG)
        _store_copies(rows, result, segment, start, length, channel, channels, ITEMS)
    else:
        for end in tl.static_range(2):
            one, begin, size = _part(program - groups, end, offsets, items, segments, PIECE, LONG)
            _store_copies(rows, result, one, begin, size, channel, channels, SEGMENTS * ITEMS)
