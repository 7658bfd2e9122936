"""The multilayer perceptron."""

from collections.abc import Sequence
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from hepml.ops import check_rows


class MLP(nn.Sequential):
    """Linear layers with a ReLU between each two of them, none after the last.

    Parameters
    ----------
    inputs
        Number of input channels.
    widths
        Number of channels after each linear layer; the last is the output's.

    Examples
    --------
    >>> MLP(7, [100, 2])
    MLP(
      (0): Linear(in_features=7, out_features=100, bias=True)
      (1): ReLU()
      (2): Linear(in_features=100, out_features=2, bias=True)
    )
    """

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Linear(inputs, width), nn.ReLU()]
            inputs = width
        super().__init__(*layers[:-1])

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """The output channels of each row."""
        if len(self):
            first = cast(nn.Linear, self[0])
            check_rows("x", x, first.in_features, weight=first.weight)
        outputs: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return outputs
