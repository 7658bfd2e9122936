"""Functions of every tensor in nested inputs, whatever holds them."""

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from hepml.errors import InputError


def map_tensors(function: Callable[[Tensor], Tensor], tree: Any) -> Any:
    """The same tuples, lists, dicts and dataclasses with the function of every tensor in them."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, Mapping):
        return {key: map_tensors(function, value) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        values = [map_tensors(function, value) for value in tree]
        return type(tree)(*values) if hasattr(tree, "_fields") else type(tree)(values)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        # Not by the constructor, which may check, convert, or want other arguments.
        new = copy.copy(tree)
        for field in dataclasses.fields(tree):
            value = map_tensors(function, getattr(tree, field.name))
            object.__setattr__(new, field.name, value)
        return new
    return tree


def map_by_place(function: Callable[[str | int, Tensor], Tensor], tree: Any) -> Any:
    """The same inputs with the function of the place and the value of every tensor in them.

    A place is the key in a mapping, the name of a field of a dataclass, or the position in a tuple
    or list; 0 for a tensor alone. What lies deeper stays.
    """
    if isinstance(tree, Tensor):
        return function(0, tree)
    places = iter(tensors_by_place(tree))
    held = {id(tensor) for tensor in tensors_by_place(tree).values()}
    return map_tensors(lambda t: function(next(places), t) if id(t) in held else t, tree)


def tensors_by_place(tree: Any) -> dict[str | int, Tensor]:
    """The tensors that the inputs hold themselves, by their places.

    Raises
    ------
    InputError
        If there is none.
    """
    if isinstance(tree, Mapping):
        entries: dict[str | int, Any] = dict(tree)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        entries = {field.name: getattr(tree, field.name) for field in dataclasses.fields(tree)}
    else:
        entries = dict(enumerate(tree if isinstance(tree, tuple | list) else [tree]))
    found = {place: value for place, value in entries.items() if isinstance(value, Tensor)}
    return found if found else {0: first_tensor(tree)}


def in_precision(tree: Any, dtype: torch.dtype) -> Any:
    """The inputs with all floating-point and complex tensors in a precision."""

    def convert(tensor: Tensor) -> Tensor:
        if tensor.is_complex():
            return tensor.to(dtype.to_complex())
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    return map_tensors(convert, tree)


def first_tensor(tree: Any) -> Tensor:
    """The first tensor in nested inputs.

    Raises
    ------
    InputError
        If there is none.
    """
    found: list[Tensor] = []

    def collect(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(collect, tree)
    if not found:
        raise InputError(
            "inputs",
            expected="a ParticleSet, a tensor, or a tuple, list, mapping or dataclass of these",
            got=type(tree).__name__,
            fix="convert them to tensors",
        )
    return found[0]
