"""Messages between all pairs in C: tiles that stay in the cache of a core, one thread for each.

Against the same tiles by torch and oneDNN, nothing waits for Python, and what is done to the
numbers between two matrix products does not go through memory.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hepml.ops._bounds import check_bounds
from hepml.ops.native import _library

# As in the source.
_MOST_LAYERS = 16
# Of a batch with less, starting a thread would take longer than its share.
_PAIRS_PER_THREAD = 512


class _Stack(ctypes.Structure):
    """Linear layers."""

    _fields_ = (
        ("layers", ctypes.c_int64),
        ("widths", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("biases", ctypes.c_void_p),
        ("d_weights", ctypes.c_void_p),
        ("d_biases", ctypes.c_void_p),
    )


class _Arguments(ctypes.Structure):
    """What the library reads and writes, in its order."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("items", "sets", "width", "channels", "threads")),
        *((name, ctypes.c_void_p) for name in ("offsets", "a", "b", "p4", "invariants")),
        *((name, _Stack) for name in ("layers", "gate", "step")),
        *((name, ctypes.c_void_p) for name in ("received", "moved", "d_received", "d_moved")),
        *((name, ctypes.c_void_p) for name in ("d_a", "d_b", "d_p4", "d_invariants")),
    )


def why_not(a: Tensor, *rest: Any) -> list[str]:
    """Why the library cannot take these arguments."""
    if a.dtype != torch.float32:
        return [f"it is for float32, not {a.dtype}"]
    reasons = _library.why_not_here(a)
    for layers in rest[-3:]:
        if len(layers) > 2 * _MOST_LAYERS:
            reasons.append(f"it takes {_MOST_LAYERS} layers, not {len(layers) // 2}")
    return reasons


def pair_messages(
    a: Tensor,
    b: Tensor,
    offsets: Tensor,
    p4: Tensor,
    invariants: Tensor,
    layers: Sequence[Tensor],
    gate: Sequence[Tensor],
    step: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """Tiles that stay in the cache, in C."""
    channels = layers[-2].shape[0] if layers else a.shape[1]
    received = a.new_zeros(a.shape[0], channels)
    moved = p4.new_zeros(p4.shape, dtype=torch.float64)
    _run(
        (a, b, offsets, p4, invariants, layers, gate, step),
        ((), (), ()),
        {"received": received, "moved": moved},
    )
    return received, moved.to(p4.dtype)


def pair_messages_backward(
    d_received: Tensor,
    d_moved: Tensor,
    a: Tensor,
    b: Tensor,
    offsets: Tensor,
    p4: Tensor,
    invariants: Tensor,
    layers: Sequence[Tensor],
    gate: Sequence[Tensor],
    step: Sequence[Tensor],
) -> list[Tensor]:
    """Tiles that stay in the cache and are worked out again, in C."""
    d_a, d_b, d_invariants = (x.new_zeros(x.shape) for x in (a, b, invariants))
    d_p4 = p4.new_zeros(p4.shape, dtype=torch.float64)
    d_lists = [[x.new_zeros(x.shape) for x in each] for each in (layers, gate, step)]
    _run(
        (a, b, offsets, p4, invariants, layers, gate, step),
        d_lists,
        {
            "d_received": _library.plain(d_received),
            "d_moved": _library.plain(d_moved.double()),
            **{"d_a": d_a, "d_b": d_b, "d_p4": d_p4, "d_invariants": d_invariants},
        },
    )
    return [d_a, d_b, d_p4.to(p4.dtype), d_invariants, *(d for each in d_lists for d in each)]


class _Moments(ctypes.Structure):
    """What the library reads and writes for the moments, in its order."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("items", "sets", "threads", "single")),
        *((name, ctypes.c_void_p) for name in ("offsets", "p4", "sums", "squares")),
        *((name, ctypes.c_void_p) for name in ("d_sums", "both", "d_p4")),
    )


def pair_moments(p4: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Pair by pair in C, with the sums in double precision."""
    sums = p4.new_zeros(p4.shape[0], 2, dtype=torch.float64)
    threads = torch.get_num_threads()
    parts = p4.new_zeros(threads, 3, dtype=torch.float64)
    _run_moments(p4, offsets, threads, sums=sums, squares=parts)
    return sums, parts.sum(0)[[0, 1, 1, 2]].reshape(2, 2)


def pair_moments_backward(d_sums: Tensor, d_squares: Tensor, p4: Tensor, offsets: Tensor) -> Tensor:
    """Pair by pair in C, with the sums in double precision."""
    d_p4 = p4.new_zeros(p4.shape, dtype=torch.float64)
    both = _library.plain((d_squares + d_squares.T).double())
    sums = _library.plain(d_sums.double())
    _run_moments(p4, offsets, torch.get_num_threads(), d_sums=sums, both=both, d_p4=d_p4)
    return d_p4.to(p4.dtype)


def _run_moments(p4: Tensor, offsets: Tensor, threads: int, **tensors: Tensor) -> None:
    """Call the library."""
    wide, offsets = _library.plain(p4.double()), offsets.contiguous()
    pairs = _pairs(offsets, p4.shape[0])
    call = _Moments(
        items=p4.shape[0],
        sets=offsets.shape[0] - 1,
        threads=_worth(threads, pairs, 8 * _PAIRS_PER_THREAD),
        single=p4.dtype != torch.float64,
        offsets=offsets.data_ptr(),
        p4=wide.data_ptr(),
        **{name: tensor.data_ptr() for name, tensor in tensors.items()},
    )
    if pairs and _library.library().hepml_pair_moments(ctypes.byref(call)):
        raise MemoryError("pair_moments: no memory for the shares of its threads")


def _worth(threads: int, pairs: int, least: int) -> int:
    """So many threads, unless their shares would be smaller than the least."""
    return max(1, min(threads, pairs // least))


def _run(
    arguments: Sequence[Any], d_lists: Sequence[Sequence[Tensor]], results: dict[str, Tensor]
) -> None:
    """Call the library."""
    a, b, offsets, p4, invariants = map(_library.plain, arguments[:5])
    lists = [[_library.plain(x) for x in each] for each in arguments[5:]]
    pairs = _pairs(offsets, a.shape[0])
    needs_p4 = bool(invariants.numel() or lists[2])
    wide = p4.double() if needs_p4 else None
    stacks = [_stack(each, d) for each, d in zip(lists, d_lists, strict=True)]
    call = _Arguments(
        items=a.shape[0],
        sets=offsets.shape[0] - 1,
        width=a.shape[1],
        channels=lists[0][-2].shape[0] if lists[0] else a.shape[1],
        threads=_worth(torch.get_num_threads(), pairs, _PAIRS_PER_THREAD),
        offsets=offsets.data_ptr(),
        a=a.data_ptr(),
        b=b.data_ptr(),
        p4=_library.address(wide),
        invariants=invariants.data_ptr() if invariants.numel() else None,
        **dict(zip(("layers", "gate", "step"), (stack for stack, _ in stacks), strict=True)),
        **{name: tensor.data_ptr() for name, tensor in results.items()},
    )
    if pairs and _library.library().hepml_pair_messages(ctypes.byref(call)):
        raise MemoryError("pair_messages: no memory for the tiles of its threads")


def _stack(layers: Sequence[Tensor], d_layers: Sequence[Tensor]) -> tuple[_Stack, object]:
    """The layers for the library, and what must live as long as the call."""
    if not layers:
        return _Stack(layers=0), None
    number = len(layers) // 2
    widths = [layers[0].shape[1], *(weight.shape[0] for weight in layers[::2])]
    keep: list[Any] = [(ctypes.c_int64 * (number + 1))(*widths)]
    for tensors in (layers[::2], layers[1::2], d_layers[::2], d_layers[1::2]):
        keep.append((ctypes.c_void_p * number)(*(x.data_ptr() for x in tensors)))
    return _Stack(number, *(ctypes.addressof(array) for array in keep)), keep


def _pairs(offsets: Tensor, items: int) -> int:
    """The number of pairs, of bounds beyond which the library will not read."""
    check_bounds(offsets, items)
    counts = offsets.diff()
    return int((counts * (counts - 1)).sum())
