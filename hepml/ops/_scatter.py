"""Reductions of the values that an index sends to the same place, in any order."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hepml.errors import InputError
from hepml.ops import _operators


def scatter_sum(
    values: Float[Tensor, "items *channels"], index: Int64[Tensor, " items"], size: int
) -> Float[Tensor, "{size} *channels"]:
    """Sum of the values that go to each place; 0 where none goes.

    Parameters
    ----------
    values
        One row for each item. Half precision is summed in float32.
    index
        The place of each item, from 0 to ``size - 1``.
    size
        The number of places. It is an argument because a GPU would have to be waited for to know
        the largest index.

    Raises
    ------
    InputError
        If the values are not floating point, or if the index is not int64, on the same device, and
        one number for each item.

    Notes
    -----
    Where the items of a place lie one after another, :func:`segment_sum` is faster.

    Examples
    --------
    >>> scatter_sum(torch.tensor([1., 2., 3.]), torch.tensor([2, 0, 2]), 4)
    tensor([2., 0., 4., 0.])
    """
    _check(values, index)
    return _operators.scatter_sum(values, index, size)


def scatter_mean(
    values: Float[Tensor, "items *channels"], index: Int64[Tensor, " items"], size: int
) -> Float[Tensor, "{size} *channels"]:
    """Mean of the values that go to each place; 0 where none goes.

    Parameters
    ----------
    values
        One row for each item. Half precision is summed in float32.
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
    _check(values, index)
    return _operators.scatter_mean(values, index, size)


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
        As :func:`scatter_sum`.

    Notes
    -----
    Items that tie for the largest value share the gradient equally. A place to which a NaN goes
    holds NaN.

    Examples
    --------
    >>> scatter_max(torch.tensor([-1., -2., -3.]), torch.tensor([2, 0, 2]), 4)
    tensor([-2.,  0., -1.,  0.])
    """
    _check(values, index)
    return _operators.scatter_max(values, index, size)


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
        As :func:`scatter_sum`.

    Notes
    -----
    Ties and NaN as in :func:`scatter_max`.

    Examples
    --------
    >>> scatter_min(torch.tensor([1., 2., 3.]), torch.tensor([2, 0, 2]), 4)
    tensor([2., 0., 1., 0.])
    """
    _check(values, index)
    return _operators.scatter_min(values, index, size)


def _check(values: Tensor, index: Tensor) -> None:
    """Refuse what can be seen without reading a number."""
    if not values.is_floating_point() or values.dim() == 0:
        raise InputError(
            "values",
            expected="floating point of shape (items, ...)",
            got=f"{values.dtype} of shape {tuple(values.shape)}",
            fix="give one row for each item; convert integers with .float()",
        )
    if index.dtype != torch.int64 or index.dim() != 1 or index.shape[0] != values.shape[0]:
        raise InputError(
            "index",
            expected=f"int64 of shape ({values.shape[0]},), a place for each item",
            got=f"{index.dtype} of shape {tuple(index.shape)}",
            fix="give one int64 number for each row of the values",
        )
    if index.device != values.device:
        raise InputError(
            "index",
            expected=f"device {values.device}, where the values are",
            got=str(index.device),
            fix="move one of them",
        )
