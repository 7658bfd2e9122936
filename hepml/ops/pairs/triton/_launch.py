"""Messages between all pairs in Triton, for CUDA: tiles of pairs that live in registers.

A program owns a few receivers of one set and goes through all senders of that set, so that nothing
is padded beyond a tile, and no result depends on which program was first. The backward pass works
the messages out again. It adds up what it finds for senders in at most 16 copies of the items, and
what it finds for weights in a copy of them for each program, of which there are four for each
multiprocessor at most.

Products of momenta are taken in double precision. Matrices are multiplied on tensor cores, with the
precision that :func:`torch.set_float32_matmul_precision` asks for: "highest" takes three products
in TF32 for one, which together are as good as one in float32; "high" takes one in TF32; "medium"
takes one in bfloat16. Sums are float32 in each case.
"""

import functools
import importlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hepml.ops._kernel import import_failure
from hepml.ops.segments import _triton

WIDEST = 128
# In the code that Triton 3.9 makes of LorentzNet for an H100, tiles of this size on 4 warps take as
# few instructions for each pair as any tried; on 8 warps they take 1.6 times as many.
_RECEIVERS, _SENDERS = 8, 8
# Stages would spill registers. Triton 3.9 warns where fusion is left to its default.
_LAUNCH = {"num_warps": 4, "num_stages": 1, "enable_fp_fusion": True}
_MOMENTS = {"RECEIVERS": 16, "SENDERS": 16, "num_warps": 4, "enable_fp_fusion": True}
# Copies of the items for the gradients of senders.
_GROUPS = 16
_PRECISIONS = {"highest": "tf32x3", "high": "tf32", "medium": "bf16"}


def why_not(values: Tensor, *others: Any) -> list[str]:
    """Why Triton cannot take these; empty if it can."""
    if reasons := why_not_moments(values):
        return reasons
    if values.dtype != torch.float32:
        return [f"it is for float32, not {values.dtype}"]
    lists = (each if isinstance(each, Sequence) else [each] for each in others)
    tensors = [values, *(tensor for each in lists for tensor in each)]
    widest = max(tensor.shape[-1] for tensor in tensors if tensor.is_floating_point())
    return [f"it holds {WIDEST} channels at most, not {widest}"] if widest > WIDEST else []


def why_not_moments(values: Tensor, *others: Any) -> list[str]:
    """Why Triton cannot take these; empty if it can."""
    if values.device.type != "cuda" and not _triton._INTERPRETED:
        return [f"it needs a CUDA device, and the values are on {values.device.type}"]
    for dtype in (tensor.dtype for tensor in (values, *others)):
        if dtype.is_floating_point and dtype not in (torch.float32, torch.float64):
            return [f"it does not take {dtype}"]
    failure = import_failure("triton", "pip install triton") or _version_failure()
    return [failure] if failure else []


@functools.cache
def _version_failure() -> str | None:
    """Why this Triton is too old; None if it is not."""
    version: str = importlib.import_module("triton").__version__
    if tuple(map(int, version.split(".")[:2])) >= (3, 5):
        return None
    # Before, a loop could not be told to leave what does not change inside.
    return f"it needs triton 3.5, not {version} (pip install -U triton)"


def pair_messages(
    a: Tensor, b: Tensor, offsets: Tensor, p4: Tensor, invariants: Tensor, *lists: Any
) -> tuple[Tensor, Tensor]:
    """Tiles in registers, on tensor cores."""
    from hepml.ops.pairs.triton import _forward_kernels as kernels

    items, sets = a.shape[0], offsets.shape[0] - 1
    constants = _constants(a, invariants, *lists)
    momenta = _momenta(p4)
    received = a.new_empty(items, constants["CHANNELS"])
    moved = torch.empty_like(momenta) if constants["LAST"] else torch.zeros_like(momenta)
    with torch.cuda.device_of(a):  # type: ignore[no-untyped-call]
        kernels.sum_messages[(items // _RECEIVERS + sets,)](
            *(a.contiguous(), b.contiguous(), offsets, momenta, _weights(invariants, *lists)),
            *(received, moved, items, sets),
            **constants,
            **_LAUNCH,
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
    *lists: Any,
) -> list[Tensor]:
    """Tiles in registers, on tensor cores; they are worked out again."""
    from hepml.ops.pairs.triton import _backward_kernels as kernels

    (items, width), sets = a.shape, offsets.shape[0] - 1
    constants = _constants(a, invariants, *lists)
    weights = _weights(invariants, *lists)
    programs = 4 * _multiprocessors(a.device)
    groups = min(-(-programs // max(sets, 1)), _GROUPS)
    programs = min(programs, sets * groups)
    d_a, d_b = a.new_zeros(items, width), a.new_zeros(groups, items, width)
    d_p4 = a.new_zeros(groups + 1, items, 4)
    parts = weights.new_zeros(programs, weights.shape[0])
    # Of one tile: a gradient, the numbers before and after each layer, and six of each pair.
    tiles = 3 + len(constants["LAYERS"]) + len(constants["STEPS"])
    pairs, channels = _RECEIVERS * _SENDERS, constants["CHUNKS"][0][2]
    scratch = a.new_empty(programs, (tiles * channels + 6) * pairs)
    with torch.cuda.device_of(a):  # type: ignore[no-untyped-call]
        kernels.add_gradients[(programs,)](
            *(d_received.contiguous(), d_moved.contiguous()),
            *(a.contiguous(), b.contiguous(), offsets, _momenta(p4), weights),
            *(d_a, d_b, d_p4, parts, scratch, items, sets, groups, weights.shape[0]),
            **constants,
            **_LAUNCH,
            SCRATCH=scratch.shape[1],
        )
    shapes = [tensor.shape for tensor in (invariants, *(t for each in lists for t in each))]
    sizes = [shape.numel() for shape in shapes]
    flat: list[Tensor] = torch.ops.aten.split_with_sizes_copy(parts.sum(0), sizes)
    return [
        *(d_a, d_b.sum(0), d_p4.sum(0).to(p4.dtype)),
        *(each.view(shape) for each, shape in zip(flat, shapes, strict=True)),
    ]


def pair_moments(p4: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Tiles in registers, with the sums in double precision."""
    from hepml.ops.pairs.triton import _moments_kernels as kernels

    items, sets = p4.shape[0], offsets.shape[0] - 1
    programs = items // _MOMENTS["RECEIVERS"] + sets
    sums = p4.new_empty(items, 2, dtype=torch.float64)
    squares = p4.new_zeros(programs, 4, dtype=torch.float64)
    with torch.cuda.device_of(p4):  # type: ignore[no-untyped-call]
        kernels.sum_invariants[(programs,)](
            p4.contiguous(), offsets, sums, squares, items, sets, **_MOMENTS
        )
    return sums, squares.sum(0).view(2, 2)


def pair_moments_backward(d_sums: Tensor, d_squares: Tensor, p4: Tensor, offsets: Tensor) -> Tensor:
    """Tiles in registers, with the sums in double precision."""
    from hepml.ops.pairs.triton import _moments_kernels as kernels

    items, sets = p4.shape[0], offsets.shape[0] - 1
    p4 = p4.contiguous()
    d_p4 = torch.empty_like(p4)
    with torch.cuda.device_of(p4):  # type: ignore[no-untyped-call]
        kernels.add_gradient[(items // _MOMENTS["RECEIVERS"] + sets,)](
            *(d_sums.contiguous(), d_squares.contiguous(), p4, offsets, d_p4, items, sets),
            **_MOMENTS,
        )
    return d_p4


def _momenta(p4: Tensor) -> Tensor:
    """Momenta in a precision that the programs read."""
    return (p4 if p4.dtype == torch.float64 else p4.float()).contiguous()


def _weights(invariants: Tensor, *lists: Sequence[Tensor]) -> Tensor:
    """All weights and biases, one after another."""
    return torch.cat([each.reshape(-1) for each in (invariants, *(t for x in lists for t in x))])


def _constants(a: Tensor, invariants: Tensor, *lists: Sequence[Tensor]) -> dict[str, Any]:
    """What the programs are compiled for."""
    place = invariants.numel()
    network = []
    for weights in lists:
        described = []
        for weight in weights[::2]:
            outputs, inputs = weight.shape
            described.append((place, inputs, outputs))
            place += weight.numel() + outputs
        network.append(tuple(described))
    layers, gate, step = network
    width = a.shape[1]
    widest = max([width, *(size for _, *sizes in (*layers, *step) for size in sizes)])
    return {
        "WIDTH": width,
        "CHANNELS": layers[-1][2] if layers else width,
        "INVARIANTS": invariants.numel() > 0,
        "LAYERS": layers,
        "GATE": gate,
        "STEPS": step[:-1],
        "LAST": step[-1:],
        "CHUNKS": _chunks(widest),
        "RECEIVERS": _RECEIVERS,
        "SENDERS": _SENDERS,
        "PRECISION": _precision(),
    }


def _chunks(width: int) -> tuple[tuple[int, int, int], ...]:
    """First channel and size of the chunks, one or two powers of two, and the size of all.

    Tensor cores take 16 channels at least.
    """
    size = max(16, 1 << (width.bit_length() - 1))
    rest = max(16, 1 << (width - size - 1).bit_length())
    if width <= size:
        return ((0, size, size),)
    total = size + rest
    return ((0, total, total),) if rest == size else ((0, size, total), (size, rest, total))


def _precision() -> str:
    """How the programs multiply matrices."""
    if _triton._INTERPRETED:
        # It multiplies in float32 whatever it is told, and cannot multiply bfloat16.
        return _PRECISIONS["highest"]
    try:
        name = torch.get_float32_matmul_precision()
    except RuntimeError:
        # Torch does not tell what was set by its newer name, which knows no third choice.
        name = "high" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "highest"
    return _PRECISIONS[name]


@functools.cache
def _multiprocessors(device: torch.device) -> int:
    """How many programs run at the same time."""
    if device.type != "cuda":
        return 1
    return int(torch.cuda.get_device_properties(device).multi_processor_count)
