"""What is certified: a network, and what it is measured on."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hepml.data import Per, Ragged


def _called(model: nn.Module, inputs: Any) -> Tensor:
    """The outputs of a network that is a function of the inputs."""
    outputs: Tensor = model(inputs)
    return outputs


class Subject(NamedTuple):
    """A trained network, and inputs of its kind.

    Attributes
    ----------
    name
        What the network is called.
    noun, source
        What the inputs are, and where they come from.
    apply
        How the network is applied to the inputs, where it is not a function of them.
    example
        A symmetry that such inputs have.
    rows
        What the network has a row of outputs for.
    """

    name: str
    model: nn.Module
    inputs: Ragged
    noun: str
    source: str
    device: torch.device
    apply: Callable[[Any, Any], Tensor] = _called
    example: str = "permutation"
    rows: Per = "set"

    @property
    def described(self) -> str:
        """How many inputs, and from where."""
        return f"{len(self.inputs)} {self.source}"
