"""Kernels in Triton, for CUDA: the values are read once, nothing is added by atomics.

So the result is bitwise the same from run to run. Narrow tensors put several segments into a
program; a segment of more than 1024 items is shared out among programs of 512 items each, and a
second launch reduces what they found. Half precision is computed in float32.
"""

import os
from typing import Any

import torch
from torch import Tensor

from hepml.ops._kernel import import_failure
from hepml.ops.segments._reference import widened

PIECE = 512
LONG = 1024  # at least PIECE, so that a piece has a part in two long segments at most
_TILE = 2048  # numbers that a program holds
# Triton looks at this variable once, when it reads a program. Interpreting is slow, on any device.
_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def why_not(values: Tensor, *_: Any) -> list[str]:
    """Why Triton cannot take these values; empty if it can."""
    if values.device.type != "cuda" and not _INTERPRETED:
        return [f"it needs a CUDA device, and the values are on {values.device.type}"]
    if values.dtype not in _DTYPES:
        return [f"it does not take {values.dtype}"]
    failure = import_failure("triton", "pip install triton")
    return [failure] if failure else []


def segment_sum(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass; long segments in pieces."""
    return _reduced("sum", values, offsets)


def segment_mean(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass; long segments in pieces."""
    return _reduced("mean", values, offsets)


def segment_max(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass; long segments in pieces."""
    return _reduced("max", values, offsets)


def segment_min(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass; long segments in pieces."""
    return _reduced("min", values, offsets)


def segment_softmax(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass over what fits into the cache; long segments in pieces, in two."""
    return _reduced("softmax", values, offsets)


def segment_logsumexp(values: Tensor, offsets: Tensor) -> Tensor:
    """One pass with a running maximum; long segments in pieces."""
    return _reduced("logsumexp", values, offsets)


def _reduced(finish: str, values: Tensor, offsets: Tensor) -> Tensor:
    """A reduction, and what is done to it at the end."""
    from hepml.ops.segments import _triton_kernels as kernels

    operation = {"mean": "sum", "softmax": "exponential", "logsumexp": "exponential"}
    core = {"OPERATION": operation.get(finish, finish), "FINISH": finish}
    values = values.contiguous()
    items, segments = values.shape[0], offsets.shape[0] - 1
    channels = values.numel() // items
    wide = widened(values.new_empty(0))
    core["WIDE"] = kernels.wide_type(wide.dtype)
    groups, pieces, tiles, tile = _layout(items, segments, channels)
    shape = values.shape if finish == "softmax" else (segments, *values.shape[1:])
    result = values.new_empty(shape)
    parts, weights = (wide.new_empty((2 * pieces, channels)) for _ in range(2))
    sizes = (items, segments, channels)
    with torch.cuda.device_of(values):  # type: ignore[no-untyped-call]
        kernels.reduce_segments[(groups + pieces, tiles)](
            values, offsets, result, parts, weights, *sizes, groups, **core, **tile
        )
        if not pieces:
            return result
        # A piece is of one segment, and has the place of several.
        tile["ITEMS"] *= tile.pop("SEGMENTS")
        rows = [result, result]
        if finish == "softmax":
            rows = [wide.new_empty((segments, channels)) for _ in range(2)]
        kernels.combine_parts[(pieces, tiles)](
            parts, weights, offsets, *rows, *sizes, **core, **tile
        )
        if finish == "softmax":
            kernels.weigh_long_segments[(pieces, tiles)](
                values, offsets, result, *rows, *sizes, **tile, WIDE=core["WIDE"]
            )
    return result


def segment_gather(rows: Tensor, offsets: Tensor, items: int) -> Tensor:
    """One pass; long segments in pieces."""
    from hepml.ops.segments import _triton_kernels as kernels

    rows = rows.contiguous()
    segments = rows.shape[0]
    channels = rows.numel() // segments
    groups, pieces, tiles, tile = _layout(items, segments, channels)
    result = rows.new_empty((items, *rows.shape[1:]))
    with torch.cuda.device_of(rows):  # type: ignore[no-untyped-call]
        kernels.copy_rows[(groups + pieces, tiles)](
            rows, offsets, result, items, segments, channels, groups, **tile
        )
    return result


def _layout(items: int, segments: int, channels: int) -> tuple[int, int, int, dict[str, int]]:
    """The numbers of groups of segments, of pieces and of tiles of channels; the shape of a tile.

    Its sizes are powers of two: channels first, then items up to 64, then segments.
    """
    wide = min(128, 1 << (channels - 1).bit_length())
    long = min(64, _TILE // wide)
    several = _TILE // (wide * long)
    # Without an item too many for a short segment, nobody has to look for long ones.
    pieces = -(-items // PIECE) if items > LONG else 0
    tile = {"SEGMENTS": several, "ITEMS": long, "CHANNELS": wide, "PIECE": PIECE, "LONG": LONG}
    return -(-segments // several), pieces, -(-channels // wide), tile
