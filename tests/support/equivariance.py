"""How far a layer is from commuting with the Lorentz group, relative to what it puts out."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from hepml.lorentz import Irreps, random_lorentz, representation, sl2c_from_lorentz


def tensors(irreps: Sequence[Irreps], seed: int = 1, items: int = 7) -> list[Tensor]:
    """Normal random tensors of irreps, in float64."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(items, each.dim, dtype=torch.float64, generator=generator) for each in irreps
    ]


def equivariance_error(
    function: Callable[..., Tensor], irreps_in: Sequence[Irreps], irreps_out: Irreps
) -> float:
    """The largest ``|f(D x) - D f(x)| / |D f(x)|`` over irreps and transformations."""
    errors = []
    for matrix in random_lorentz(2.0, (4,), generator=torch.Generator().manual_seed(2)):
        # Of one sign for all spinors.
        element = sl2c_from_lorentz(matrix)
        inputs = tensors(irreps_in)
        turned = [
            x @ representation(each, element).mT for x, each in zip(inputs, irreps_in, strict=True)
        ]
        with torch.no_grad():
            before = function(*inputs) @ representation(irreps_out, element).mT
            after = function(*turned)
        for columns in irreps_out.slices():
            scale = before[:, columns].abs().max()
            assert float(scale) > 1e-2
            errors.append(float((after - before)[:, columns].abs().max() / scale))
    return max(errors)
