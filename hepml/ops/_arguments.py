"""What every operation refuses of its arguments, without reading a number of them."""

import operator
from typing import Any, cast

import torch
from torch import Tensor

from hepml.errors import InputError
from hepml.ops._memory import check_memory

_REAL = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
# So many rows fit everywhere.
_FEW = 1 << 24


def described(value: object) -> str:
    """A value in few words."""
    if isinstance(value, Tensor):
        if value.is_nested:
            return f"a nested tensor of {value.dtype}"
        kind = "" if value.layout == torch.strided else f" {value.layout}"
        return f"{value.dtype}{kind} of shape {tuple(value.shape)}"
    # An array has lines.
    return f"{type(value).__name__} {' '.join(repr(value).split()):.60}"


def is_dense(value: object) -> bool:
    """Whether it is a tensor whose numbers all lie in memory."""
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_nested


def is_real(value: object) -> bool:
    """Whether it is such a tensor of real numbers that torch can add."""
    return is_dense(value) and cast(Tensor, value).dtype in _REAL


def check_values(values: Tensor, *, name: str = "values", complex_too: bool = False) -> None:
    """Refuse anything but rows of floating-point numbers, or of complex ones where they are taken.

    Parameters
    ----------
    values
        One row for each item.
    name
        What the message calls them.
    complex_too
        Whether they may be complex.
    """
    if is_dense(values) and values.dim() > 0:
        if values.dtype in _REAL or (complex_too and values.is_complex()):
            return
        if values.is_complex():
            raise InputError(
                name,
                expected="real floating point, since complex numbers have no order",
                got=described(values),
                fix="pass .abs() or .real",
            )
    raise InputError(
        name,
        expected="floating point of shape (items, ...)",
        got=described(values),
        fix="give one row for each item; convert integers with .float()",
    )


def check_rows(
    name: str,
    rows: Tensor,
    channels: int | None = None,
    *,
    weight: Tensor | None = None,
    axes: int | None = None,
    like: Tensor | None = None,
) -> None:
    """Refuse anything but rows of so many real numbers, in the precision of the weights they meet.

    Parameters
    ----------
    name
        What the message calls them.
    rows
        One row along the last axis for each item.
    channels
        How many numbers a row has; any number by default.
    weight
        Of a layer, which multiplies the rows: torch takes both in one precision alone, but under
        autocast.
    axes
        The number of axes; any number by default.
    like
        What has a row for each of the same items.

    Raises
    ------
    InputError
        If the rows are something else.

    Examples
    --------
    >>> check_rows("x", torch.ones(5, 3), 3, axes=2)
    """
    if (
        not is_real(rows)
        or (rows.dim() != axes if axes else rows.dim() == 0)
        or (channels is not None and rows.shape[-1] != channels)
    ):
        batch = "..." if axes is None else ", ".join(["rows"] * (axes - 1))
        raise InputError(
            name,
            expected="floating point of shape "
            f"({batch}, {'channels' if channels is None else channels})",
            got=described(rows),
            fix="give one row for each item; convert integers with .float()",
        )
    beside = weight if like is None else like
    if beside is not None and rows.device != beside.device:
        raise InputError(
            name,
            expected=f"device {beside.device}, where the "
            + ("weights" if like is None else "other rows")
            + " are",
            got=str(rows.device),
            fix="move one of them",
        )
    # Of what is being compiled, the number of rows may be unknown.
    if like is not None and not torch.compiler.is_compiling() and len(rows) != len(like):
        raise InputError(
            name,
            expected=f"{len(like)} rows, one for each item",
            got=described(rows),
            fix="give the rows of the same items everywhere",
        )
    if weight is None or rows.dtype == weight.dtype:
        return
    if not torch.is_autocast_enabled(rows.device.type):
        raise InputError(
            name,
            expected=f"{weight.dtype}, the type of the weights",
            got=str(rows.dtype),
            fix="convert the rows with .to(dtype), or the layer",
        )


def checked_number(name: str, number: Any, like: Tensor) -> int:
    """The number of rows of a result that are like others, from 0 on."""
    # A compiler has symbols for numbers.
    if torch.compiler.is_compiling() or isinstance(number, torch.SymInt):
        return cast(int, number)
    check_size(name, number)
    whole = operator.index(number)
    if whole > _FEW:
        row = like[:1].numel() * like.element_size()
        fix = "pass the number of rows that there are"
        check_memory(f"{name} of {whole}", row * whole, like.device, fix)
    return whole


def check_size(name: str, number: Any) -> None:
    """Refuse what is no number of rows."""
    # A compiler has symbols for numbers.
    if torch.compiler.is_compiling() or isinstance(number, torch.SymInt):
        return
    try:
        whole = operator.index(number)
    except (TypeError, RuntimeError, ValueError):
        whole = -1
    if not 0 <= whole < 2**63:
        got = repr(number) if isinstance(number, int | float) else described(number)
        raise InputError(
            name, expected="a whole number from 0 on", got=got, fix="pass the number of rows"
        )


def by_parts(operation: Any, values: Tensor, *others: Any) -> Tensor:
    """A linear operation with real factors, of complex values: of both parts as columns."""
    if not values.is_complex():
        return cast(Tensor, operation(values, *others))
    parts = torch.view_as_real(values.resolve_conj())
    return torch.view_as_complex(operation(parts, *others).contiguous())
