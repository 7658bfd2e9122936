"""Reductions over the segments of a ragged batch, and the gather that is their transpose.

The items of segment ``i`` are ``offsets[i]:offsets[i + 1]``.
"""

import torch
from jaxtyping import Float, Inexact, Int64, Shaped
from torch import Tensor

from hepml.errors import InputError
from hepml.ops._arguments import by_parts, check_values, checked_number, described, is_dense
from hepml.ops._bounds import check_bounds, check_offsets, last_bound
from hepml.ops.segments import _operators, _reference, _torch


def segment_sum(
    values: Inexact[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Inexact[Tensor, "bounds-1 *channels"]:
    """Sum over each segment; 0 for an empty one.

    Parameters
    ----------
    values
        One row for each item, real or complex. Half precision is summed in float32.
    offsets
        Bounds of the segments, from 0 to the number of items, never falling.

    Raises
    ------
    InputError
        If the values are not floating point or complex, if the offsets are not int64 on the same
        device, or (checked on the CPU alone) do not run from 0 to the number of items or fall.

    Examples
    --------
    >>> segment_sum(torch.tensor([1., 2., 3.]), torch.tensor([0, 2, 2, 3]))
    tensor([3., 0., 3.])
    """
    check_values(values, complex_too=True)
    check_offsets(offsets, values)
    return by_parts(_operators.segment_sum, values, offsets)


def segment_mean(
    values: Inexact[Tensor, "items *channels"], offsets: Int64[Tensor, " bounds"]
) -> Inexact[Tensor, "bounds-1 *channels"]:
    """Mean over each segment; 0 for an empty one.

    Parameters
    ----------
    values
        One row for each item, real or complex. Half precision is summed in float32.
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
    check_values(values, complex_too=True)
    check_offsets(offsets, values)
    return by_parts(_operators.segment_mean, values, offsets)


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
        As :func:`segment_sum`; if the values are complex.

    Notes
    -----
    Items that tie for the largest value share the gradient equally. A segment with a NaN gives NaN.

    Examples
    --------
    >>> segment_max(torch.tensor([-1., -2., -3.]), torch.tensor([0, 2, 2, 3]))
    tensor([-1.,  0., -3.])
    """
    check_values(values)
    check_offsets(offsets, values)
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
        As :func:`segment_max`.

    Notes
    -----
    Ties and NaN as in :func:`segment_max`.

    Examples
    --------
    >>> segment_min(torch.tensor([1., 2., 3.]), torch.tensor([0, 2, 2, 3]))
    tensor([1., 0., 3.])
    """
    check_values(values)
    check_offsets(offsets, values)
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
        As :func:`segment_max`.

    Notes
    -----
    Large values do not overflow, and a constant added to a segment changes nothing but rounding.
    An item of -inf weighs 0; in a segment of -inf alone, all weigh 0, with gradient 0.

    Examples
    --------
    >>> segment_softmax(torch.tensor([1000., 1000., 3.]), torch.tensor([0, 2, 2, 3]))
    tensor([0.5000, 0.5000, 1.0000])
    """
    check_values(values)
    check_offsets(offsets, values)
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
        As :func:`segment_max`.

    Notes
    -----
    Large values do not overflow. A segment of -inf alone gives -inf, with gradient 0; one with inf
    gives inf.

    Examples
    --------
    >>> segment_logsumexp(torch.tensor([1000., 1000., 3.]), torch.tensor([0, 2, 2, 3]))
    tensor([1000.6932,      -inf,    3.0000])
    """
    check_values(values)
    check_offsets(offsets, values)
    return _operators.segment_logsumexp(values, offsets)


def segment_counts(offsets: Int64[Tensor, " bounds"]) -> Int64[Tensor, "bounds-1"]:
    """The number of items of each segment.

    Parameters
    ----------
    offsets
        Bounds of the segments, from 0 to the number of items, never falling.

    Raises
    ------
    InputError
        If the offsets are not int64, or (checked on the CPU alone) do not start at 0 or fall.

    Examples
    --------
    >>> segment_counts(torch.tensor([0, 2, 2, 3]))
    tensor([2, 0, 1])
    """
    check_offsets(offsets, offsets)
    if offsets.device.type == "cpu" and not torch.compiler.is_compiling():
        check_bounds(offsets, last_bound(offsets))
    return offsets.diff()


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
    if not is_dense(rows) or rows.dim() == 0 or rows.shape[0] != offsets.shape[0] - 1:
        raise InputError(
            "rows",
            expected=f"{offsets.shape[0] - 1} rows, one for each segment",
            got=described(rows),
            fix="give one row for each segment, or the offsets that belong to the rows",
        )
    return by_parts(_operators.segment_gather, rows, offsets, checked_number("items", items, rows))


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
        If the offsets are not int64, or (checked on the CPU alone) do not run from 0 to the number
        of items or fall.

    Examples
    --------
    >>> segment_index(torch.tensor([0, 2, 2, 3]), 3)
    tensor([0, 0, 2])
    """
    check_offsets(offsets, offsets)
    items = checked_number("items", items, offsets)
    if torch.compiler.is_exporting():
        return _reference.segment_index(offsets, items)
    if offsets.device.type == "cpu" and not torch.compiler.is_compiling():
        check_bounds(offsets, items)
    return _torch.segment_index(offsets, items)
