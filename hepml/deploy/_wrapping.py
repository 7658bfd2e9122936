"""What surrounds the records of an awkward array: taken off, and put around their scores."""

from collections.abc import Callable
from typing import Any

import awkward as ak
import numpy as np


def unwrapped(array: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The records of an array one after the other, without lists and missing ones around them.

    Also what puts one value for each of them in their place: lists are as before, and None is where
    a record, or a list of them, is missing.
    """
    steps: list[tuple[Callable[[Any, Any], Any], Any]] = []
    while not array.layout.is_record:
        layout = array.layout
        if layout.is_option:
            steps.append((_with_missing, np.asarray(ak.is_none(array, axis=0))))
            array = ak.drop_none(array, axis=0)
        elif layout.is_list:
            steps.append((ak.unflatten, ak.num(array, axis=1)))
            array = ak.flatten(array, axis=1)
        else:
            array = ak.Array(layout.project(), behavior=array.behavior, attrs=array.attrs)

    def wrap(values: Any) -> Any:
        for step, what in reversed(steps):
            values = step(values, what)
        return values

    return array, wrap


def _with_missing(values: Any, missing: Any) -> Any:
    """None where it is missing, and the values one after the other elsewhere."""
    index = np.where(missing, -1, np.cumsum(~missing) - 1).astype(np.int64)
    return ak.Array(ak.contents.IndexedOptionArray(ak.index.Index64(index), values.layout))


def of_form_alone(function: Callable[..., Any], *arrays: Any) -> Any:
    """What a function gives for arrays without data, of which dask asks for the type alone."""
    nothing = [ak.Array(a.layout.form.length_zero_array(), behavior=a.behavior) for a in arrays]
    return ak.Array(function(*nothing).layout.to_typetracer(forget_length=True))


def has_form_alone(array: Any) -> bool:
    """Whether it is an array without data, from which dask learns types and needed fields."""
    return isinstance(array, ak.Array) and ak.backend(array) == "typetracer"


def is_dask(array: Any) -> bool:
    """Whether it is an array of dask_awkward, whose data are not there yet."""
    return type(array).__module__.partition(".")[0] == "dask_awkward"


def by_dask(function: Callable[..., Any], *arrays: Any) -> Any:
    """The function of each partition of arrays of dask_awkward."""
    from dask_awkward import map_partitions

    return map_partitions(function, *arrays, label="scores")
