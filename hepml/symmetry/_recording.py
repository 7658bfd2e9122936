"""What goes into the modules of a network, and what comes out of them."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from hepml.symmetry._nested import map_tensors
from hepml.symmetry._network import EXACT, Network

# What modules of hepml and e3nn call the irreps of their tensors.
_IRREPS = ("irreps_out", "irreps_in", "irreps_in1", "irreps_in2")


class Event(NamedTuple):
    """What goes into a module, or comes out of it."""

    module: str
    going: Literal["in", "out"]
    # The module that called it.
    caller: str | None
    irreps: tuple[Any, ...]
    tensors: tuple[Tensor, ...]


def record(
    network: Network, inputs: Any, references: Mapping[str, Tensor]
) -> tuple[list[Event], Tensor]:
    """What goes into the modules and comes out of them, in order; and the outputs."""
    names = {module: name for name, module in network.model.named_modules()}
    events: list[Event] = []
    callers: list[str] = []

    def note(module: nn.Module, going: Literal["in", "out"], tree: Any) -> None:
        # Also those of its own layers: a container does not say what its last one puts out.
        irreps = [getattr(each, name, None) for each in module.modules() for name in _IRREPS]
        caller = callers[-1] if callers else None
        events.append(Event(names[module], going, caller, tuple(irreps), tuple(tensors_of(tree))))

    def enter(module: nn.Module, arguments: Any, keywords: Any) -> None:
        note(module, "in", (arguments, keywords))
        callers.append(names[module])

    def leave(module: nn.Module, arguments: Any, keywords: Any, output: Any) -> None:  # noqa: ARG001
        callers.pop()
        note(module, "out", output)

    hooks = [module.register_forward_pre_hook(enter, with_kwargs=True) for module in names]
    hooks += [module.register_forward_hook(leave, with_kwargs=True) for module in names]
    try:
        outputs = network(EXACT, inputs, references)
    finally:
        for hook in hooks:
            hook.remove()
    return events, outputs


def tensors_of(tree: Any) -> list[Tensor]:
    """Copies of all tensors of numbers that are not whole: a later layer may write into them."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        if tensor.numel() and (tensor.is_floating_point() or tensor.is_complex()):
            found.append(tensor.detach().clone())
        return tensor

    map_tensors(keep, tree)
    return found
