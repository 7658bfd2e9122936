"""The violations of one element of a symmetry, row by row."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Inexact
from torch import Generator, Tensor, nn

from hepml.errors import InputError
from hepml.symmetry._nested import in_precision, map_tensors
from hepml.symmetry._network import EXACT, Network, Outputs
from hepml.symmetry._precision import Precision
from hepml.symmetry._report import Measurement, Worst
from hepml.symmetry._symmetry import Symmetry

# By so many units of the last place numbers are changed whose sums swallow a single one.
_UNITS = 1024
# Outputs that vary by less of their size do nothing that could be seen.
_BLIND = 1e-9


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
            rounded = in_precision((self._inputs, dict(self._references)), dtype)
            if dtype != EXACT.inputs and not self._given:
                found = self._change(rounded)
            else:
                # Rounding to this precision changes nothing.
                found = self._change(other_last_digits(rounded, generator))
            if self._given:
                # Sums of numbers of a grid are exact, and swallow a last digit of one of them.
                larger = other_last_digits(rounded, generator, units=_UNITS)
                found = max(found, self._change(larger) / _UNITS)
            self._rounding[dtype] = found
        return self._rounding[dtype]

    def _change(self, changed: Any) -> float:
        """What other inputs and references change at most, by the exact network."""
        change = self._network(EXACT, *changed) - self._exact
        # Where the exact output is no number, rounding is not the reason.
        sound = (
            self._exact.flatten(1).isfinite().all(1)
            if self._exact.dim() > 1
            else (self._exact.isfinite())
        )
        return _largest(self._errors(change)[sound])

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


def other_last_digits(tree: Any, generator: Generator, *, units: int = 1) -> Any:
    """The inputs with the last digits of all numbers raised, lowered or left at random.

    Parameters
    ----------
    units
        By how many units of the last place.
    """

    def change(tensor: Tensor) -> Tensor:
        if tensor.is_complex():
            return torch.view_as_complex(change(torch.view_as_real(tensor)))
        if not tensor.is_floating_point():
            return tensor
        steps = torch.randint(-1, 2, tensor.shape, generator=generator).to(tensor)
        return tensor * (1 + units * torch.finfo(tensor.dtype).eps * steps)

    return map_tensors(change, tree)
