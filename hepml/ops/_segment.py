"""Reductions over the segments of a ragged batch, and the gather that is their transpose.

The items of segment ``i`` are ``offsets[i]:offsets[i + 1]``.
"""

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from hepml.errors import InputError
from hepml.ops import _operators, _reference, _torch
from hepml.ops._bounds import check_offsets


def segment_sum(
    values: Float[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "bounds-1 *channels"]:
    """Sum over each segment; 0 for an empty one.

    Parameters
    ----------
    values
        One row for each item. Half precision is summed in float32.
    offsets
        Bounds of the segments, from 0 to the number of items, never falling.

    Raises
    ------
    InputError
        If the values are not floating point, if the offsets are not int64 on the same device, or
        (checked on the CPU alone) do not run from 0 to the number of items or fall.

    Examples
    --------
    >>> segment_sum(torch.tensor([1., 2., 3.]), torch.tensor([0, 2, 2, 3]))
    tensor([3., 0., 3.])
    """
    _check(values, offsets)
    return _operators.segment_sum(values, offsets)


def segment_mean(
    values: Float[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "bounds-1 *channels"]:
    """Mean over each segment; 0 for an empty one.

    Parameters
    ----------
    values
        One row for each item. Half precision is summed in float32.
    offsets
        Bounds of the segments, from 0 to the number of items, never falling.

    Raises
    ------
    InputError
        As :func:`segment_sum`.

    Examples
    --------
    >>> segment_mean(torch.tensor([1., 2., 3.]), torch.tensor([0, 2, 2, 3]))
    tensor([1.5000, 0.0000, 3.0000])
    """
    _check(values, offsets)
    return _operators.segment_mean(values, offsets)


def segment_max(
    values: Float[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "bounds-1 *channels"]:
    """Largest value of each segment; 0 for an empty one.

    Parameters
    ----------
    values
        One row for each item.
    offsets
        Bounds of the segments, from 0 to the number of items, never falling.

    Raises
    ------
    InputError
        As :func:`segment_sum`.

    Notes
    -----
    Items that tie for the largest value share the gradient equally. A segment with a NaN gives NaN.

    Examples
    --------
    >>> segment_max(torch.tensor([-1., -2., -3.]), torch.tensor([0, 2, 2, 3]))
    tensor([-1.,  0., -3.])
    """
    _check(values, offsets)
    return _operators.segment_max(values, offsets)


def segment_min(
    values: Float[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "bounds-1 *channels"]:
    """Smallest value of each segment; 0 for an empty one.

    Parameters
    ----------
    values
        One row for each item.
    offsets
        Bounds of the segments, from 0 to the number of items, never falling.

    Raises
    ------
    InputError
        As :func:`segment_sum`.

    Notes
    -----
    Ties and NaN as in :func:`segment_max`.

    Examples
    --------
    >>> segment_min(torch.tensor([1., 2., 3.]), torch.tensor([0, 2, 2, 3]))
    tensor([1., 0., 3.])
    """
    _check(values, offsets)
    return _operators.segment_min(values, offsets)


def segment_softmax(
    values: Float[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "items *channels"]:
    """exp(values), divided by its sum over the segment, of each item and channel.

    Parameters
    ----------
    values
        One row for each item. Half precision is computed in float32.
    offsets
        Bounds of the segments, from 0 to the number of items, never falling.

    Raises
    ------
    InputError
        As :func:`segment_sum`.

    Notes
    -----
    Large values do not overflow, and a constant added to a segment changes nothing but rounding.
    An item of -inf weighs 0; in a segment of -inf alone, all weigh 0, with gradient 0.

    Examples
    --------
    >>> segment_softmax(torch.tensor([1000., 1000., 3.]), torch.tensor([0, 2, 2, 3]))
    tensor([0.5000, 0.5000, 1.0000])
    """
    _check(values, offsets)
    return _operators.segment_softmax(values, offsets)


def segment_logsumexp(
    values: Float[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Float[Tensor, "bounds-1 *channels"]:
    """Logarithm of the sum of exp(values) over each segment; -inf for an empty one.

    Parameters
    ----------
    values
        One row for each item. Half precision is computed in float32.
    offsets
        Bounds of the segments, from 0 to the number of items, never falling.

    Raises
    ------
    InputError
        As :func:`segment_sum`.

    Notes
    -----
    Large values do not overflow. A segment of -inf alone gives -inf, with gradient 0.

    Examples
    --------
    >>> segment_logsumexp(torch.tensor([1000., 1000., 3.]), torch.tensor([0, 2, 2, 3]))
    tensor([1000.6932,      -inf,    3.0000])
    """
    _check(values, offsets)
    return _operators.segment_logsumexp(values, offsets)


def segment_gather(
    rows: Shaped[Tensor, "segments *channels"], offsets: Int64[Tensor, " bounds"], items: int
) -> Shaped[Tensor, "{items} *channels"]:
    """The segment's row at each of its items: the transpose of :func:`segment_sum`.

    Parameters
    ----------
    rows
        One row for each segment, of any dtype.
    offsets
        Bounds of the segments, from 0 to the number of items, never falling.
    items
        The number of items. It is an argument because a GPU would have to be waited for to know it.

    Raises
    ------
    InputError
        If there is not one row for each segment, if the offsets are not int64 on the same device,
        or (checked on the CPU alone) do not run from 0 to the number of items or fall.

    Examples
    --------
    >>> segment_gather(torch.tensor([7, 8, 9]), torch.tensor([0, 2, 2, 3]), 3)
    tensor([7, 7, 9])
    """
    check_offsets(offsets, rows)
    if rows.dim() == 0 or rows.shape[0] != offsets.shape[0] - 1:
        raise InputError(
            "rows",
            expected=f"{offsets.shape[0] - 1} rows, one for each segment",
            got=f"shape {tuple(rows.shape)}",
            fix="give one row for each segment, or the offsets that belong to the rows",
        )
    return _operators.segment_gather(rows, offsets, items)


def segment_index(offsets: Int64[Tensor, " bounds"], items: int) -> Int64[Tensor, "{items}"]:
    """The segment that each item belongs to.

    Parameters
    ----------
    offsets
        Bounds of the segments, from 0 to the number of items, never falling.
    items
        The number of items. It is an argument because a GPU would have to be waited for to know it.

    Raises
    ------
    InputError
        If the offsets are not int64.

    Examples
    --------
    >>> segment_index(torch.tensor([0, 2, 2, 3]), 3)
    tensor([0, 0, 2])
    """
    check_offsets(offsets, offsets)
    if torch.compiler.is_exporting():
        return _reference.segment_index(offsets, items)
    return _torch.segment_index(offsets, items)


def _check(values: Tensor, offsets: Tensor) -> None:
    """Refuse what can be seen without reading a number."""
    if not values.is_floating_point() or values.dim() == 0:
        raise InputError(
            "values",
            expected="floating point of shape (items, ...)",
            got=f"{values.dtype} of shape {tuple(values.shape)}",
            fix="give one row for each item; convert integers with .float()",
        )
    check_offsets(offsets, values)
