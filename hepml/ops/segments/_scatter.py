"""Reductions of the values that an index sends to the same place, in any order."""

import torch
from jaxtyping import Float, Inexact, Int64
from torch import Tensor

from hepml.errors import InputError
from hepml.ops._arguments import by_parts, check_values, checked_number, described, is_dense
from hepml.ops.segments import _operators


def scatter_sum(
    values: Inexact[Tensor, "items *channels"], index: Int64[Tensor, " items"], size: int
) -> Inexact[Tensor, "{size} *channels"]:
    """Sum of the values that go to each place; 0 where none goes.

    Parameters
    ----------
    values
        One row for each item, real or complex. Half precision is summed in float32.
    index
        The place of each item, from 0 to ``size - 1``.
    size
        The number of places. It is an argument because a GPU would have to be waited for to know
        the largest index.

    Raises
    ------
    InputError
        If the values are not floating point or complex, if the index is not int64, on the same
        device, and one number for each item, or (checked on the CPU alone) if a place is not one
        of these.

    Notes
    -----
    Where the items of a place lie one after another, :func:`segment_sum` is faster.

    Examples
    --------
    >>> scatter_sum(torch.tensor([1., 2., 3.]), torch.tensor([2, 0, 2]), 4)
    tensor([2., 0., 4., 0.])
    """
    check_values(values, complex_too=True)
    _check_index(index, values)
    return by_parts(_operators.scatter_sum, values, index, checked_number("size", size, values))


def scatter_mean(
    values: Inexact[Tensor, "items *channels"], index: Int64[Tensor, " items"], size: int
) -> Inexact[Tensor, "{size} *channels"]:
    """Mean of the values that go to each place; 0 where none goes.

    Parameters
    ----------
    values
        One row for each item, real or complex. Half precision is summed in float32.
    index
        The place of each item, from 0 to ``size - 1``.
    size
        The number of places.

    Raises
    ------
    InputError
        As :func:`scatter_sum`.

    Examples
    --------
    >>> scatter_mean(torch.tensor([1., 2., 3.]), torch.tensor([2, 0, 2]), 4)
    tensor([2., 0., 2., 0.])
    """
    check_values(values, complex_too=True)
    _check_index(index, values)
    return by_parts(_operators.scatter_mean, values, index, checked_number("size", size, values))


def scatter_max(
    values: Float[Tensor, "items *channels"], index: Int64[Tensor, " items"], size: int
) -> Float[Tensor, "{size} *channels"]:
    """Largest of the values that go to each place; 0 where none goes.

    Parameters
    ----------
    values
        One row for each item.
    index
        The place of each item, from 0 to ``size - 1``.
    size
        The number of places.

    Raises
    ------
    InputError
        As :func:`scatter_sum`; if the values are complex.

    Notes
    -----
    Items that tie for the largest value share the gradient equally. A place to which a NaN goes
    holds NaN.

    Examples
    --------
    >>> scatter_max(torch.tensor([-1., -2., -3.]), torch.tensor([2, 0, 2]), 4)
    tensor([-2.,  0., -1.,  0.])
    """
    check_values(values)
    _check_index(index, values)
    return _operators.scatter_max(values, index, checked_number("size", size, values))


def scatter_min(
    values: Float[Tensor, "items *channels"], index: Int64[Tensor, " items"], size: int
) -> Float[Tensor, "{size} *channels"]:
    """Smallest of the values that go to each place; 0 where none goes.

    Parameters
    ----------
    values
        One row for each item.
    index
        The place of each item, from 0 to ``size - 1``.
    size
        The number of places.

    Raises
    ------
    InputError
        As :func:`scatter_sum`; if the values are complex.

    Notes
    -----
    Ties and NaN as in :func:`scatter_max`.

    Examples
    --------
    >>> scatter_min(torch.tensor([1., 2., 3.]), torch.tensor([2, 0, 2]), 4)
    tensor([2., 0., 1., 0.])
    """
    check_values(values)
    _check_index(index, values)
    return _operators.scatter_min(values, index, checked_number("size", size, values))


def _check_index(index: Tensor, values: Tensor) -> None:
    """Refuse what can be seen without reading a number."""
    if (
        not is_dense(index)
        or index.dtype != torch.int64
        or index.dim() != 1
        or index.shape[0] != values.shape[0]
    ):
        raise InputError(
            "index",
            expected=f"int64 of shape ({values.shape[0]},), a place for each item",
            got=described(index),
            fix="give one int64 number for each row of the values",
        )
    if index.device != values.device:
        raise InputError(
            "index",
            expected=f"device {values.device}, where the values are",
            got=str(index.device),
            fix="move one of them",
        )
