"""``python -m hepml.ops``: the kernels of each operation, and which of them can run here."""

import os
import sys
from collections.abc import Mapping, Sequence

import torch

from hepml.errors import KernelError
from hepml.ops._kernel import ENVIRONMENT_VARIABLE, Kernel, choose_kernel
from hepml.ops.edges._priority import EDGE_KERNELS
from hepml.ops.pairs._priority import PAIR_KERNELS
from hepml.ops.segments._priority import KERNELS


def report(device: str, dtype: torch.dtype = torch.float32) -> list[str]:
    """A line for each kernel: whether it can run, how or why not; a star marks the chosen one."""
    values = torch.zeros(4, 2, dtype=dtype, device=device)
    offsets = torch.tensor([0, 3, 3, 4], device=device)
    index = torch.tensor([2, 0, 0, 1], device=device)
    lines = []
    for operation, kernels in KERNELS.items():
        if operation == "segment_gather":
            arguments: tuple[object, ...] = (values[:3], offsets, 4)
        else:
            arguments = (values, offsets) if operation.startswith("segment") else (values, index, 3)
        lines += _lines(operation, device, kernels, arguments)
    return lines


def pair_report(
    device: str,
    dtype: torch.dtype = torch.float32,
    operations: Mapping[str, Sequence[Kernel]] = PAIR_KERNELS,
) -> list[str]:
    """The lines of the operations on pairs, or of others that take rows of numbers first."""
    values = torch.zeros(4, 2, dtype=dtype, device=device)
    return [
        line
        for operation, kernels in operations.items()
        for line in _lines(operation, device, kernels, (values,))
    ]


def _lines(
    operation: str, device: str, kernels: Sequence[Kernel], arguments: tuple[object, ...]
) -> list[str]:
    """The lines of one operation."""
    lines = [f"{operation} on {device}"]
    try:
        chosen = choose_kernel(kernels, *arguments)
    except KernelError as error:
        chosen = None
        lines.append(f"  {error}")
    for kernel in kernels:
        reasons = kernel.reasons(*arguments)
        how = (kernel.function.__doc__ or "").splitlines()[0].rstrip(".")
        lines.append(
            f"{' *'[kernel is chosen]} {kernel.name:<14}"
            + ("cannot: " + ", ".join(reasons) if reasons else f"can: {how}")
        )
    return lines


def main() -> None:
    """Print the report for every kind of device that is there."""
    names = os.environ.get(ENVIRONMENT_VARIABLE)
    print(
        f"{ENVIRONMENT_VARIABLE} is {names!r}: the first of these that can run is taken (*)."
        if names
        else f"The first kernel that can run is taken (*); {ENVIRONMENT_VARIABLE}=name forces one."
    )
    for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
        every = pair_report(device, operations={**PAIR_KERNELS, **EDGE_KERNELS})
        print(*report(device), *every, sep="\n")


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads any more, and Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
