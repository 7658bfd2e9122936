"""The precisions in which a symmetry is measured."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch

from hepml.errors import InputError


class Precision(NamedTuple):
    """How numbers are held and multiplied, and which violation nobody would notice."""

    name: str
    # Of weights, and of inputs.
    storage: torch.dtype
    inputs: torch.dtype
    autocast: torch.dtype | None
    tolerance: float


# Violations below the tolerance are not looked into. In float64 it is far above the rounding of any
# calculation whose digits do not cancel (some 1e4 roundings) and far below any bug. In the others
# it is what the score of a jet may change, in units of the spread of the scores, before anybody
# sees it in an efficiency: 1e-3; and as many times more as matrix products there have fewer digits.
PRECISIONS = {
    precision.name: precision
    for precision in (
        Precision("float64", torch.float64, torch.float64, None, 1e-10),
        Precision("wide", torch.float32, torch.float64, None, 1e-3),
        Precision("float32", torch.float32, torch.float32, None, 1e-3),
        Precision("tf32", torch.float32, torch.float32, None, 1e-2),
        Precision("bfloat16", torch.float32, torch.float32, torch.bfloat16, 1e-1),
    )
}


def find_precisions(
    dtypes: Sequence[str | torch.dtype] | str | torch.dtype, device: torch.device
) -> list[Precision]:
    """The precisions of these names, the most exact first.

    Raises
    ------
    InputError
        If there is none, if a name is unknown, or for tf32 without a GPU.
    """
    if isinstance(dtypes, str | torch.dtype):
        dtypes = [dtypes]
    names = {str(dtype).removeprefix("torch.") for dtype in dtypes}
    if not names or not names <= PRECISIONS.keys():
        raise InputError(
            "dtypes",
            expected=f"one or more of {', '.join(PRECISIONS)}",
            got=", ".join(sorted(names)) or "none",
            fix="choose among these",
        )
    if "tf32" in names and device.type != "cuda":
        raise InputError(
            "dtypes",
            expected="tf32 on a GPU only",
            got=f"inputs on {device}",
            fix="move model and inputs to a GPU, or leave it out",
        )
    return [precision for name, precision in PRECISIONS.items() if name in names]


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Matrix products as the precision has them; all settings as before afterwards."""
    matmul, convolution = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, convolution.allow_tf32
    matmul.allow_tf32 = convolution.allow_tf32 = precision.name == "tf32"
    try:
        with torch.autocast(
            device.type, dtype=precision.autocast, enabled=precision.autocast is not None
        ):
            yield
    finally:
        matmul.allow_tf32, convolution.allow_tf32 = before
