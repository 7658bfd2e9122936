"""Lists of lists: for each entry a list of things, and for each of these a list of numbers."""

from typing import Any

import awkward as ak
import numpy as np

from hepml.errors import ColumnError
from hepml.io.formats._table import Column


def lengths_of(name: str) -> str:
    """The column with the lengths of the inner lists of a column of lists of lists."""
    return f"{name}[]"


def nested_columns(array: Any, name: str, source: str) -> dict[str, Column]:
    """Lists of lists as two columns: the numbers of each entry, and how many each thing has.

    Parameters
    ----------
    array
        An awkward array of entries.
    name, source
        The name of the column and where it is, for the result and for messages.

    Raises
    ------
    ColumnError
        If the entries are no lists of lists of numbers.

    Examples
    --------
    >>> columns = nested_columns(ak.Array([[[1, 2], []], [[3]]]), "next", "array")
    >>> [(name, *map(np.ndarray.tolist, column)) for name, column in columns.items()]
    [('next', [1, 2, 3], [0, 2, 3]), ('next[]', [2, 0, 1], [0, 2, 3])]
    """
    try:
        lengths = ak.num(array, axis=2)
        offsets = _bounds(ak.num(array, axis=1))
        counts = ak.to_numpy(ak.flatten(lengths, axis=1), allow_missing=False)
        values = ak.to_numpy(ak.flatten(ak.flatten(array, axis=2), axis=1), allow_missing=False)
    except (TypeError, ValueError) as error:
        raise _no_lists(array, name, source) from error
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise _no_lists(array, name, source)
    inner = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    return {
        name: Column(values, inner[offsets]),
        lengths_of(name): Column(np.asarray(counts, np.int64), offsets),
    }


def member_of(array: Any, member: str, name: str, source: str) -> Any:
    """A member of the records in lists."""
    if member in array.fields:
        return array[member]
    raise ColumnError(
        f"{source}, column {name!r}",
        expected=f"lists of records with a member {member!r}",
        got=f"entries of type {array.type.content}",
        fix=f"choose among the members {', '.join(array.fields) or '(none)'}",
    )


def _bounds(counts: Any) -> Any:
    """The running sum of lengths, from 0."""
    return np.concatenate([[0], np.cumsum(np.asarray(counts), dtype=np.int64)])


def _no_lists(array: Any, name: str, source: str) -> ColumnError:
    """The error of a column that holds something else."""
    return ColumnError(
        f"{source}, column {name!r}",
        expected="a list of lists of numbers in each entry",
        got=f"entries of type {array.type.content}",
        fix="name a column such as vector<vector<int>>, or one list of numbers as a pointer",
    )
