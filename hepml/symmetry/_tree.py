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


def in_precision(tree: Any, dtype: torch.dtype) -> Any:
    """The inputs with all floating-point tensors in a precision."""
    return map_tensors(lambda t: t.to(dtype) if t.is_floating_point() else t, tree)


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
