"""What modules of torch, which users put together, say of their input."""

from torch import Tensor, nn

from hepml.nn._mlp import MLP
from hepml.ops import check_rows


def check_input(name: str, x: Tensor, module: nn.Module) -> None:
    """Refuse rows that a module cannot take, if it begins with a linear layer.

    What other modules take, torch does not say.
    """
    first = module
    while type(first) in (nn.Sequential, MLP) and len(first):  # type: ignore[arg-type]
        first = first[0]  # type: ignore[index]
    if isinstance(first, nn.Linear) and not isinstance(first, nn.LazyLinear):
        check_rows(name, x, first.in_features, weight=first.weight, axes=2)
