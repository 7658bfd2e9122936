"""What a kernel is, and how one is chosen."""

import functools
import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hepml.errors import KernelError

ENVIRONMENT_VARIABLE = "HEPML_KERNEL"
# An operation need not have a kernel of each name.
NAMES = ("triton", "native", "onednn", "torch", "torch_scatter", "reference")


def _nothing(*_: Any) -> list[str]:
    """The reasons against a kernel that always runs."""
    return []


@dataclass(frozen=True)
class Kernel:
    """One way to compute one operation.

    Parameters
    ----------
    name
        The name by which the environment variable ``HEPML_KERNEL`` asks for it.
    operation
        The function of :mod:`hepml.ops` that it computes.
    function
        Takes the operation's arguments and computes its value; the first line of its docstring
        says how. It needs no derivatives: these belong to the operation.
    tolerance
        Largest deviation from the reference, in roundings of the dtype (``torch.finfo.eps``) of
        the sum of the magnitudes that enter a number. 0: bitwise the same.
    reasons
        Why it cannot run on these arguments; none: it can.
    """

    name: str
    operation: str
    function: Callable[..., Any]
    tolerance: float
    reasons: Callable[..., list[str]] = _nothing


@functools.cache
def import_failure(package: str, command: str) -> str | None:
    """Why a package, which the command installs, cannot be imported; None if it was."""
    try:
        importlib.import_module(package.replace("-", "_"))
    except ModuleNotFoundError:
        return f"{package} is not installed ({command})"
    except (ImportError, OSError, RuntimeError) as error:
        # A build for another torch or another CUDA ends so.
        return f"{package} does not load ({error})"
    return None


def choose_kernel(kernels: Sequence[Kernel], *arguments: Any) -> Kernel:
    """The first of an operation's kernels that has no reason against it.

    The environment variable ``HEPML_KERNEL`` holds the name of a kernel, or several names in order
    of preference with commas between them; then the choice is among these alone. One name at least
    has to be that of a kernel of the operation; the others may be those of other operations.

    Raises
    ------
    KernelError
        If none can run, with the reasons of each; if the variable names an unknown kernel.
    """
    names = os.environ.get(ENVIRONMENT_VARIABLE)
    if names:
        kernels = _named(names, kernels)
    for kernel in kernels:
        if not kernel.reasons(*arguments):
            return kernel
    values = arguments[0]
    raise KernelError(
        f"{kernels[0].operation} of {values.dtype} of shape {tuple(values.shape)} "
        f"on {values.device}",
        expected="a kernel that can run",
        got="; ".join(f"{k.name}: {', '.join(k.reasons(*arguments))}" for k in kernels),
        fix=f"unset {ENVIRONMENT_VARIABLE} (now {names!r}) or name another kernel; "
        "`python -m hepml.ops` lists them",
    )


def _named(names: str, kernels: Sequence[Kernel]) -> list[Kernel]:
    """The kernels of the given names, in the order of the names."""
    by_name = {kernel.name: kernel for kernel in kernels}
    wanted = [name.strip() for name in names.split(",")]
    unknown = [name for name in wanted if name not in by_name and name not in NAMES]
    found = [by_name[name] for name in wanted if name in by_name]
    if unknown or not found:
        raise KernelError(
            f"{ENVIRONMENT_VARIABLE} for {kernels[0].operation}",
            expected=f"names among {', '.join(by_name)}",
            got=", ".join(map(repr, unknown or wanted)),
            fix=f"correct or unset {ENVIRONMENT_VARIABLE}; `python -m hepml.ops` lists the kernels",
        )
    return found
