"""What a trace has found: the layers, and the first one that breaks a symmetry."""

from dataclasses import dataclass

from hepml.symmetry._readings import Fit
from hepml.symmetry._symmetry import Symmetry
from hepml.tables import aligned


@dataclass(frozen=True)
class Layer:
    """What was measured at one call of one layer: how far its output breaks the symmetry.

    Attributes
    ----------
    name, kind
        Its name in the network, and its class.
    inputs, output
        How far what went in and what came out are from the reading that fits best; None where
        nothing was a floating-point tensor.
    """

    name: str
    kind: str
    inputs: Fit | None
    output: Fit | None


@dataclass(frozen=True)
class Trace:
    """Where a network breaks a symmetry: the result of :func:`trace`.

    Attributes
    ----------
    model
        The class of the network.
    symmetry
        The symmetry.
    element
        The element that was applied, in words.
    layers
        All calls of layers, in the order in which they ended.
    violation
        Of the outputs of the network.
    tolerance
        What is allowed of each tensor.
    first
        The name of the layer in whose calculation the first tensor arises that fits no reading, ""
        for the network itself and "apply" for the function that feeds it; None if the outputs fit.
    where
        That in words: whether its output, or what it hands to another layer.
    """

    model: str
    symmetry: Symmetry
    element: str
    layers: tuple[Layer, ...]
    violation: float
    tolerance: float
    first: str | None
    where: str

    def __str__(self) -> str:
        rows = [["layer", "class", "inputs", "output", "fits best as", ""]]
        for layer in self.layers:
            ends = (layer.inputs, layer.output)
            figures = ["" if fit is None else f"{fit.violation:.1e}" for fit in ends]
            fits = layer.output is None or layer.output.violation <= self.tolerance
            reading = layer.output.reading if layer.output is not None and fits else ""
            mark = "" if fits else "first" if layer.name == self.first else "broken"
            rows.append([layer.name or "(whole)", layer.kind, *figures, reading, mark])
        title = f"{self.symmetry.name} of {self.model}: {self.where}"
        return "\n".join([title, *(f"  {line}" for line in aligned(rows))])

    def print(self) -> None:
        """Print the table of all layers."""
        print(self)
