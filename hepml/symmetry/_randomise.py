"""Weights of order one, with which a network does what at its initialisation it does not."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn


def call(model: Any, inputs: Any) -> Any:
    """``model(inputs)``."""
    return model(inputs)


def seeded(*numbers: int) -> Generator:
    """Random numbers that depend on these numbers alone."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return Generator().manual_seed(int(state[0]) >> 1)


def randomise(
    model: nn.Module,
    generator: Generator,
    inputs: Any = None,
    *,
    apply: Callable[[Any, Any], Any] = call,
) -> nn.Module:
    """Give every weight and every running statistic a random value of order one, in place.

    Matrices and kernels are normal with the standard deviation 1.5 / sqrt(fan-in), all else normal
    with 1.5; running means are normal, running variances uniform from 0.5 to 1.5. Then, if there
    are inputs, the weights of each layer are divided by the root mean square of its output on them,
    layer by layer in the order of the calculation: each output is of order one, however deep the
    network and however large the inputs.

    Parameters
    ----------
    model
        Changed in place, and returned.
    generator
        Where the random numbers come from; on the CPU.
    inputs
        What the weights are scaled on.
    apply
        How the model is applied to the inputs.

    Notes
    -----
    At the usual initialisation a test of a symmetry is blind: a network whose updates are small, or
    whose units do not saturate, cannot be seen to break it. Symmetry is a claim about all weights,
    so that any may be drawn.

    A layer whose output is not linear in its weights, as a recurrent one, is not exactly of order
    one after the division; a layer that is called several times is scaled by its first call.

    References
    ----------
    Scaling by the outputs on data: D. Mishkin, J. Matas, ICLR 2016, arXiv:1511.06422.

    Examples
    --------
    >>> x = 1000 * torch.randn(50, 3)
    >>> generator = torch.Generator().manual_seed(0)
    >>> randomise(nn.Linear(3, 4), generator, x)(x).square().mean().sqrt()
    tensor(1..., grad_fn=<SqrtBackward0>)
    """
    with torch.no_grad():
        for parameter in model.parameters():
            fan = math.prod(parameter.shape[1:]) if parameter.dim() > 1 else 1
            drawn = torch.randn(parameter.shape, generator=generator).double()
            if parameter.is_complex():
                # Of the same size in all.
                other = torch.randn(parameter.shape, generator=generator).double()
                drawn = torch.complex(drawn, other) / math.sqrt(2)
            parameter.copy_(1.5 / math.sqrt(fan) * drawn)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator))
            elif name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
        if inputs is not None:
            _scale(model, inputs, apply)
    return model


def _scale(model: nn.Module, inputs: Any, apply: Callable[[Any, Any], Any]) -> None:
    """Divide the weights of each layer by the size of its output."""
    sizes: dict[nn.Module, Tensor] = {}

    def divide(layer: nn.Module, arguments: Any, output: Any) -> Any:  # noqa: ARG001
        if not isinstance(output, Tensor) or not (
            output.is_floating_point() or output.is_complex()
        ):
            return None
        if layer not in sizes:
            size = output.detach().abs().double().square().mean().sqrt()
            known = bool(size.isfinite()) and float(size) > 0
            sizes[layer] = size.to(output.real.dtype) if known else torch.ones_like(size)
        return output / sizes[layer]

    layers = [layer for layer in model.modules() if list(layer.parameters(recurse=False))]
    hooks = [layer.register_forward_hook(divide) for layer in layers]
    try:
        apply(model, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    # Not before: a model that differentiates in its forward still needs the weights as they were.
    for layer, size in sizes.items():
        for parameter in layer.parameters(recurse=False):
            parameter.div_(size)
