"""Networks that are built from arguments that nobody has checked, for weights that are there."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.overrides import TorchFunctionMode

_FACTORIES = (
    *(torch.empty, torch.zeros, torch.ones, torch.full, torch.eye),
    *(torch.rand, torch.randn, torch.arange, torch.linspace),
)
# What a network may take beside its weights: tables, and numbers on the way to them.
_LEAST_BYTES = 2**26
_LEAST_MODULES = 1000


class TooLarge(ValueError):
    """A network has more of something than the weights that it is built for."""


@contextmanager
def no_larger_than(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Stop the building of a network that has no room for these weights, before it takes memory.

    Parameters
    ----------
    weights
        What the network is to be filled with.

    Raises
    ------
    TooLarge
        In the block, as soon as there are more parameters, or more numbers in them, than twice
        those of the weights; 20 modules for each of the weights and 1000 more; or a tensor of more
        than 64 MiB that is larger than all of the weights together.
    """
    tensors, numbers = len(weights), sum(tensor.numel() for tensor in weights.values())
    thread = threading.get_ident()
    count = {"parameters": 2 * tensors, "numbers": 2 * numbers}
    modules = [20 * tensors + _LEAST_MODULES]

    def parameter(module: nn.Module, name: str, value: nn.Parameter | None) -> None:  # noqa: ARG001
        if value is None or threading.get_ident() != thread:
            return
        count["parameters"] -= 1
        count["numbers"] -= value.numel()
        if min(count.values()) < 0:
            raise TooLarge(f"more than the {tensors} weights of {numbers} numbers in the file")

    def module(parent: nn.Module, name: str, value: nn.Module | None) -> None:  # noqa: ARG001
        if threading.get_ident() == thread:
            modules[0] -= 1
            if modules[0] < 0:
                raise TooLarge(f"more modules than the {tensors} weights in the file belong to")

    with ExitStack() as stack:
        for handle in (
            register_module_parameter_registration_hook(parameter),
            register_module_module_registration_hook(module),
        ):
            stack.callback(handle.remove)
        stack.enter_context(_Bounded(max(_LEAST_BYTES, 16 * numbers)))
        yield


class _Bounded(TorchFunctionMode):
    """Tensors of limited size: it is asked for on the device that has no memory first."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Make a tensor if it is small enough."""
        kwargs = kwargs or {}
        if func in _FACTORIES:
            other = {"generator", "out", "pin_memory"}
            shape = {name: value for name, value in kwargs.items() if name not in other}
            size = func(*args, **shape | {"device": "meta"}).nbytes
            if size > self.most:
                raise TooLarge(f"a tensor of {size:,} bytes, more than the weights in the file")
        return func(*args, **kwargs)
