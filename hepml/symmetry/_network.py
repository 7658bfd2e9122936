"""A copy of a model that is measured, in every precision, and its outputs as tensors."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex128, Float64
from torch import Generator, Tensor, nn

from hepml.errors import InputError
from hepml.symmetry._nested import first_tensor, in_precision
from hepml.symmetry._precision import PRECISIONS, Precision, arithmetic
from hepml.symmetry._randomise import randomise
from hepml.symmetry._symmetry import Symmetry

Apply = Callable[[Any, Any], Tensor]
Outputs = Float64[Tensor, "rows *components"] | Complex128[Tensor, "rows *components"]

EXACT = PRECISIONS["float64"]


class Network:
    """A copy of a model in every precision that is asked for, in evaluation mode."""

    def __init__(self, model: Any, apply: Apply) -> None:
        self._apply = apply
        if isinstance(model, nn.Module):
            model = in_storage(copy.deepcopy(model).eval(), torch.float64)
        self.model = model
        self._at: dict[torch.dtype, Any] = {}
        # That of the outputs for inputs in float64: lower if the model calculates in it anyway.
        self.computes = torch.float64

    def randomise(self, generator: Generator, inputs: Any) -> None:
        """Give the copy weights of order one."""
        randomise(self.model, generator, inputs, apply=self._apply)

    def held(self, symmetry: Symmetry) -> dict[str, Tensor]:
        """The buffers and parameters that are references of the symmetry."""
        if not isinstance(self.model, nn.Module):
            return {}
        own = dict(self.model.named_buffers()) | dict(self.model.named_parameters())
        return {name: own[name] for name in getattr(symmetry, "references", ()) if name in own}

    def with_references(self, references: Mapping[str, Tensor]) -> "Network":
        """The network with other values of these buffers and parameters."""
        if not references:
            return self
        other = Network(self.model, self._apply)
        other.computes = self.computes
        held = dict(other.model.named_buffers()) | dict(other.model.named_parameters())
        with torch.no_grad():
            for name, value in references.items():
                held[name].copy_(value)
        return other

    def __call__(
        self, precision: Precision, inputs: Any, references: Mapping[str, Tensor] | None = None
    ) -> Outputs:
        """The outputs, with other reference vectors in the place of the model's."""
        model, storage = self.model, precision.storage
        inputs = in_precision(inputs, precision.inputs)
        if isinstance(model, nn.Module) and storage != EXACT.storage:
            if storage not in self._at:
                self._at[storage] = in_storage(copy.deepcopy(model), storage)
            model = self._at[storage]
        with arithmetic(precision, first_tensor(inputs).device):
            if references:
                held = {f"model.{name}": value for name, value in references.items()}
                applied = _Applied(model, self._apply)
                outputs = torch.func.functional_call(
                    applied, in_precision(held, precision.inputs), inputs
                )
            else:
                outputs = self._applied(model, inputs, precision)
        outputs = as_tensor(outputs)
        if precision == EXACT:
            self.computes = _lower(self.computes, outputs.dtype)
        outputs = outputs.to(torch.complex128 if outputs.is_complex() else torch.float64)
        return outputs if outputs.dim() > 1 else outputs[:, None]

    def _applied(self, model: Any, inputs: Any, precision: Precision) -> Any:
        """What the model gives; other precisions inside it than that of the inputs are refused."""
        try:
            return self._apply(model, inputs)
        except RuntimeError as error:
            if not any(word in str(error) for word in ("dtype", "scalar type", "ScalarType")):
                raise
            raise InputError(
                "precision of the model",
                expected=f"a model that takes inputs in {precision.inputs} as they come",
                got=f"{type(error).__name__}: {str(error).splitlines()[0]}",
                fix="convert the weights that a function holds, or the inputs in `apply`; or "
                'measure in the precision that it has: dtypes="float32"',
            ) from error


def in_storage(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The module with its numbers in a precision, complex ones, too, which ``.double()`` leaves."""
    # As ``.double()`` does, which some modules extend.
    model._apply(lambda tensor: in_precision(tensor, dtype))  # type: ignore[no-untyped-call]
    return model


def as_tensor(outputs: Any) -> Tensor:
    """The outputs as a tensor, also arrays of numpy and JAX."""
    if not isinstance(outputs, Tensor) and hasattr(outputs, "__array__"):
        array = np.asarray(outputs)
        if array.dtype.kind in "fciub":
            # Not writable where it is JAX's.
            outputs = torch.from_numpy(np.array(array))
    if not isinstance(outputs, Tensor) or outputs.dim() < 1:
        raise InputError(
            "outputs of the model",
            expected="a tensor or an array with a row for each set or particle",
            got=str(tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs)),
            fix="choose or stack them in `apply`",
        )
    return outputs


def _lower(one: torch.dtype, other: torch.dtype) -> torch.dtype:
    """The precision with fewer digits; whole numbers have any."""
    real = other.to_real() if other.is_complex else other
    if not real.is_floating_point:
        return one
    return max(one, real, key=lambda dtype: torch.finfo(dtype).eps)


class _Applied(nn.Module):
    """A model and how it is applied, as one module."""

    def __init__(self, model: nn.Module, apply: Apply) -> None:
        super().__init__()
        self.model, self._function = model, apply

    def forward(self, inputs: Any) -> Tensor:
        """The outputs."""
        return self._function(self.model, inputs)
