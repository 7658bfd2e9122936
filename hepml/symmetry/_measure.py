"""The violations of one element of a symmetry, row by row."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Complex128, Float64, Inexact
from torch import Generator, Tensor, nn

from hepml.errors import InputError
from hepml.symmetry._precision import PRECISIONS, Precision, arithmetic
from hepml.symmetry._randomise import randomise
from hepml.symmetry._report import Measurement, Worst
from hepml.symmetry._symmetry import Symmetry
from hepml.symmetry._tree import first_tensor, in_precision, map_tensors

Apply = Callable[[Any, Any], Tensor]

EXACT = PRECISIONS["float64"]
# Outputs that vary by less of their size do nothing that could be seen.
_BLIND = 1e-9

Outputs = Float64[Tensor, "rows *components"] | Complex128[Tensor, "rows *components"]


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


class Violations(NamedTuple):
    """The violation of each row, what rounding does, and the outputs that were compared."""

    violations: Float64[Tensor, " rows"]
    rounding: float
    blind: bool
    element: str
    expected: Outputs
    got: Outputs


class Untransformed(NamedTuple):
    """The outputs for the inputs as they are.

    Attributes
    ----------
    plain
        In each precision.
    other_digits
        In each precision, with other last digits of the inputs, several times.
    exchanged
        With the numbers of each particle in the place of another's, exactly.
    """

    plain: Mapping[Precision, Outputs]
    other_digits: Mapping[Precision, Sequence[Outputs]]
    exchanged: Outputs


class Comparison:
    """One element of a symmetry, applied before and after the network."""

    def __init__(
        self,
        symmetry: Symmetry,
        element: Any,
        network: Network,
        inputs: Any,
        before: Untransformed,
        images: Any = None,
    ) -> None:
        self._symmetry, self._element, self._network = symmetry, element, network
        self._before, self._plain = before, before.plain
        # Those that are given are exact.
        self._given = images is not None
        self._inputs = images if self._given else symmetry.act(element, inputs)
        self._references: Mapping[str, Tensor] = {}
        if isinstance(network.model, nn.Module):
            self._references = symmetry.act_on_references(element, network.model)
        held = {*self._references, *(inputs if isinstance(inputs, Mapping) else ())}
        if missing := {*getattr(symmetry, "references", ())} - held:
            raise InputError(
                f"references of the symmetry {symmetry.name!r}",
                expected="buffers or parameters of the model, or entries of the inputs",
                got=f"none called {', '.join(sorted(missing))}",
                fix="give their names as in model.named_buffers()",
            )
        self._exact = network(EXACT, self._inputs, self._references)
        self._blocks = symmetry.blocks(before.plain[EXACT].flatten(1).shape[1])
        self._size, self._blind = self._spread()
        self._rounding: dict[torch.dtype, float] = {}

    def __call__(self, precision: Precision, generator: Generator) -> Violations:
        """The violations in a precision."""
        expected = self._transformed(self._plain[precision])
        got = self._exact
        if precision != EXACT:
            got = self._network(precision, self._inputs, self._references)
        if got.shape != expected.shape:
            raise InputError(
                f"outputs after the symmetry {self._symmetry.name!r}",
                expected=f"shape {tuple(expected.shape)}",
                got=str(tuple(got.shape)),
                fix="say whether outputs belong to sets or to particles, as in "
                'Permutation(outputs="particles")',
            )
        changes = [
            self._errors(other - self._plain[precision])
            for other in self._before.other_digits.get(precision, ())
        ]
        rounding = self._of_rounding(precision, generator)
        if changes:
            # Where rounding decides between two particles it may change everything, or nothing: of
            # each row the smallest change. Else a sort that goes wrong for ties could not be told
            # from it.
            rounding = max(_largest(torch.stack(changes).amin(0)), rounding)
        return Violations(
            self._errors(got - expected),
            rounding,
            self._blind,
            self._symmetry.describe(self._element),
            expected.flatten(1),
            got.flatten(1),
        )

    def _of_rounding(self, precision: Precision, generator: Generator) -> float:
        """What rounding the transformed inputs changes, by the exact network."""
        dtype = precision.inputs
        if self._symmetry.exact:
            return 0.0
        if dtype not in self._rounding:
            rounded, references = in_precision((self._inputs, dict(self._references)), dtype)
            if dtype == EXACT.inputs or self._given:
                # Rounding to this precision changes nothing.
                rounded, references = other_last_digits((rounded, references), generator)
            change = self._network(EXACT, rounded, references) - self._exact
            # Where the exact output is no number, rounding is not the reason.
            sound = (
                self._exact.flatten(1).isfinite().all(1)
                if self._exact.dim() > 1
                else (self._exact.isfinite())
            )
            self._rounding[dtype] = _largest(self._errors(change)[sound])
        return self._rounding[dtype]

    def _transformed(self, outputs: Outputs) -> Inexact[Tensor, "new_rows *components"]:
        return self._symmetry.act_on_outputs(self._element, outputs)

    def _spread(self) -> tuple[Float64[Tensor, " blocks"], bool]:
        """What the network does, for each block; and whether it is nothing."""
        outputs = self._plain[EXACT]
        if not len(outputs):
            return torch.ones(len(self._blocks), dtype=torch.float64), True
        changes = [outputs, outputs - outputs.mean(0, keepdim=True)]
        # A network that counts particles and hardly looks at them differs from set to set, too.
        changes.append(self._before.exchanged - outputs)
        if any(block.stop - block.start > 1 for block in self._blocks):
            changes = [self._transformed(change) for change in changes]
        size, *spreads = (_norms(t, self._blocks).square().mean(0).sqrt() for t in changes)
        spread = torch.minimum(*spreads)
        blind = not bool((spread > _BLIND * size).any())
        spread = torch.maximum(spread, _BLIND * size)
        return torch.where(spread > 0, spread, spread.amax() if len(spread) else 1.0), blind

    def _errors(self, difference: Outputs) -> Float64[Tensor, " rows"]:
        """The largest error of each row over its blocks; infinite for nan."""
        if self._blind:
            return torch.zeros(len(difference), dtype=torch.float64, device=difference.device)
        errors = (_norms(difference, self._blocks) / self._size).nan_to_num(nan=torch.inf)
        return errors.amax(1) if errors.shape[1] else errors.new_zeros(len(errors))


class Pool:
    """The violations of many elements and draws of weights."""

    def __init__(self) -> None:
        self._violations: list[Tensor] = []
        self._rounding, self._blind = 0.0, True
        self._largest = -1.0
        self._worst = Worst(0, "", (), (), 0)
        self._exact, self._grid = False, ""

    def add(self, found: Violations, draw: int, grid: str | None = None) -> None:
        """Take in those of one element; of one that rounds nothing, on inputs of a grid."""
        self._exact, self._grid = grid is not None, grid or ""
        self._violations.append(found.violations.cpu())
        self._rounding = max(self._rounding, found.rounding)
        self._blind &= found.blind
        largest = _largest(found.violations)
        if largest > self._largest and len(found.violations):
            row = int(found.violations.argmax())
            self._largest = largest
            self._worst = Worst(
                row,
                found.element,
                tuple(found.expected[row].tolist()),
                tuple(found.got[row].tolist()),
                draw,
            )

    def measurement(
        self, weights: str, precision: Precision, strength: float | None, tolerance: float | None
    ) -> Measurement:
        """All of them in figures."""
        violations = torch.cat(self._violations).numpy()
        # Without rows nothing can be seen.
        quantiles = np.quantile(
            violations if violations.size else [0.0], [0.5, 0.9], method="higher"
        )
        return Measurement(
            weights,
            precision.name,
            strength,
            largest=max(self._largest, 0.0),
            median=float(quantiles[0]),
            quantile90=float(quantiles[1]),
            rounding=self._rounding,
            tolerance=precision.tolerance if tolerance is None else tolerance,
            blind=self._blind,
            worst=self._worst,
            exact=self._exact,
            grid=self._grid,
        )


def _norms(outputs: Outputs, blocks: Sequence[slice]) -> Float64[Tensor, "rows blocks"]:
    """The Euclidean norm of each row in each block."""
    flat = outputs.flatten(1)
    norms = [flat[:, block].norm(dim=1) for block in blocks]
    return torch.stack(norms, 1) if norms else flat[:, :0].abs()


def _largest(values: Float64[Tensor, " rows"]) -> float:
    """The largest of the values; 0 of none."""
    return float(values.max()) if len(values) else 0.0


def exchanged(tree: Any) -> Any:
    """The inputs with their rows in each other's places, but for whole numbers: bounds of sets."""

    def roll(tensor: Tensor) -> Tensor:
        if not (tensor.is_floating_point() or tensor.is_complex()) or tensor.dim() == 0:
            return tensor
        # By half of them, so that most that are together stay together.
        return tensor.roll(tensor.shape[0] // 2, 0)

    return map_tensors(roll, tree)


def other_last_digits(tree: Any, generator: Generator) -> Any:
    """The inputs with the last digits of all numbers raised, lowered or left at random."""

    def change(tensor: Tensor) -> Tensor:
        if tensor.is_complex():
            return torch.view_as_complex(change(torch.view_as_real(tensor)))
        if not tensor.is_floating_point():
            return tensor
        steps = torch.randint(-1, 2, tensor.shape, generator=generator).to(tensor)
        return tensor * (1 + torch.finfo(tensor.dtype).eps * steps)

    return map_tensors(change, tree)
