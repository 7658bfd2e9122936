"""Smooth networks to numbers, with their derivatives in closed form."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from hepml.errors import InputError
from hepml.ops import is_transformed

Activation = Literal["tanh", "softplus", "silu"]

# Beyond its threshold torch's softplus is a straight line: at 20 that is wrong by 2e-9, at 40 in no
# digit of float64.
_THRESHOLD = 40.0
# From so many rows and columns on, products of matrices are worth a call of oneDNN; with an
# activation inside, from so many rows and outputs.
_LARGE = 64
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh,
    "softplus": lambda: nn.Softplus(threshold=_THRESHOLD),
    "silu": nn.SiLU,
}


class SmoothNetwork(nn.Sequential):
    """Linear layers with a smooth activation between them, the last without a constant.

    Weights are orthogonal at the start. Motion depends on derivatives of the energy, so that the
    activation must have two of them.
    """

    def __init__(
        self, inputs: int, widths: Sequence[int], activation: Activation, outputs: int = 1
    ) -> None:
        if activation not in _ACTIVATIONS:
            raise InputError(
                "activation",
                expected=f"one of {', '.join(_ACTIVATIONS)}, which are smooth",
                got=repr(activation),
                fix="choose one of them",
            )
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Linear(inputs, width), _ACTIVATIONS[activation]()]
            inputs = width
        layers.append(nn.Linear(inputs, outputs, bias=False))
        for layer in layers:
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight)
        super().__init__(*layers)

    @property
    def weight(self) -> Tensor:
        """The weight of the first layer, which inputs meet."""
        return cast(nn.Linear, self[0]).weight

    def gradient(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows inputs"]:
        """The derivative of the one output, in closed form; itself differentiable."""
        layers: list[Any] = list(self)
        *hidden, last = layers
        weights = [part for layer in hidden[::2] for part in (layer.weight, layer.bias)]
        weights.append(last.weight)
        activation = type(hidden[1]) if hidden else nn.Identity
        traced = torch.compiler.is_compiling() or is_transformed(x)
        mixed = torch.is_autocast_enabled(x.device.type)
        if activation in _BENDS and torch.is_grad_enabled() and not (traced or mixed):
            found: Tensor = _Gradient.apply(activation, x, *weights)  # type: ignore[no-untyped-call]
            return found
        return _gradient(activation, x, *weights)

    def even(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, " rows"]:
        """``(f(x) + f(-x)) / 2``."""
        energy: Tensor = (self(x) + self(-x)) / 2
        return energy[:, 0]

    def even_gradient(self, x: Float[Tensor, "rows inputs"]) -> Float[Tensor, "rows inputs"]:
        """``(f'(x) - f'(-x)) / 2``."""
        ahead, back = self.gradient(torch.cat([x, -x])).chunk(2)
        return (ahead - back) / 2


def _gradient(activation: Any, x: Tensor, *weights: Tensor) -> Tensor:
    """``W1^T s1 (W2^T s2 (... w))`` with the slopes s of the activations."""
    *hidden, last = weights
    slopes = []
    for weight, bias in zip(hidden[::2], hidden[1::2], strict=True):
        x, slope = _layer(activation, x, weight, bias)
        slopes.append(slope)
    found = last.expand(x.shape[0], -1)
    # Where nothing is recorded, no more memory is touched than has to be: it is what limits.
    kept = torch.is_grad_enabled() or is_transformed(x)
    times = torch.mul if kept else Tensor.mul_
    for weight, slope in zip(hidden[-2::-2], reversed(slopes), strict=True):
        found = _product(times(slope, found), weight)
    return found


class _Gradient(torch.autograd.Function):
    """:func:`_gradient`, whose derivative is written down, too.

    If autograd puts it together, a third of a step that learns passes between the matrix products.
    """

    @staticmethod
    def forward(ctx: Any, activation: Any, x: Tensor, *weights: Tensor) -> Tensor:
        *hidden, last = weights
        values, slopes = [x], []
        turned: list[Tensor] = []
        for weight, bias in zip(hidden[::2], hidden[1::2], strict=True):
            value, slope = _layer(activation, values[-1], weight, bias)
            values.append(value)
            slopes.append(slope)
        found = last
        for weight, slope in zip(hidden[-2::-2], reversed(slopes), strict=True):
            turned.insert(0, slope * found)
            found = _product(turned[0], weight)
        ctx.activation, ctx.layers = activation, len(slopes)
        ctx.save_for_backward(*weights, *values, *slopes, *turned)
        return found

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> Any:
        n = ctx.layers
        saved = ctx.saved_tensors
        weights, values = saved[: 2 * n + 1], saved[2 * n + 1 : 3 * n + 2]
        if torch.is_grad_enabled():
            # To be differentiated once more: that is left to autograd.
            inputs, needed = (values[0], *weights), ctx.needs_input_grad[1:]
            again = _gradient(ctx.activation, *inputs)
            wanted = [each for each, asked in zip(inputs, needed, strict=True) if asked]
            derivatives = iter(torch.autograd.grad(again, wanted, incoming, create_graph=True))
            return None, *(next(derivatives) if asked else None for asked in needed)
        slopes, turned = saved[3 * n + 2 : 4 * n + 2], saved[4 * n + 2 :]
        matrices = weights[:-1:2]
        bend = _BENDS[ctx.activation]
        arrived, bends = [], []
        for place, weight in enumerate(matrices):
            back = _linear(incoming, weight)
            arrived.append(incoming)
            incoming = slopes[place] * back
            bends.append(bend(back.mul_(turned[place]), values[place + 1], slopes[place]))
        found = [incoming.sum(dim=0, keepdim=True)]
        carried = None
        for place in reversed(range(n)):
            z = bends[place]
            if carried is not None:
                z.addcmul_(carried, slopes[place])
            matrix = _outer((turned[place], z), (arrived[place], values[place]))
            found = [matrix, z.sum(dim=0), *found]
            if place or ctx.needs_input_grad[1]:
                carried = _product(z, matrices[place])
        return None, carried if ctx.needs_input_grad[1] else None, *found


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x weight^T + bias``, by oneDNN where nothing is recorded and the matrices are large.

    torch asks MKL, which uses half of what processors by AMD can do with float32.
    """
    onednn = _onednn_for(x, *x.shape, weight.shape[0])
    if onednn is None:
        return functional.linear(x, weight, bias)
    return onednn(x, weight, bias, "none", [], "")


def _layer(activation: Any, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """What a layer gives, and the slope of its activation."""
    if activation is nn.Tanh and (onednn := _onednn_for(x, x.shape[0], weight.shape[0])):
        value = onednn(x, weight, bias, "tanh", [], "")
        return value, _slope_of_tanh(value)
    return _SLOPES[activation](_linear(x, weight, bias))


def _onednn_for(x: Tensor, *shape: int) -> Callable[..., Tensor] | None:
    """The operation of oneDNN, if it is for x, if these sizes are large and nobody looks on."""
    if (
        torch.is_grad_enabled()
        or x.dtype != torch.float32
        or x.device.type != "cpu"
        or min(shape) < _LARGE
        or torch.compiler.is_compiling()
        or torch.is_autocast_enabled("cpu")
        or is_transformed(x)
    ):
        return None
    return _onednn()


@cache
def _onednn() -> Callable[..., Tensor] | None:
    """The operation that torch.compile uses for linear layers, if this torch has it."""
    try:
        operation: Callable[..., Tensor] = torch.ops.mkldnn._linear_pointwise
        operation(torch.ones(1, 1), torch.ones(1, 1), None, "none", [], "")
    except (AttributeError, RuntimeError):
        return None
    return operation


def _product(x: Tensor, weight: Tensor) -> Tensor:
    """``x @ weight``. For few columns MKL takes a third of the time for the transposed product."""
    if weight.shape[1] < weight.shape[0]:
        return (weight.t().contiguous() @ x.t()).t()
    return _linear(x, weight.t())


def _outer(x: tuple[Tensor, ...], y: tuple[Tensor, ...]) -> Tensor:
    """The sum of the ``x^T y``, as one product; the transposed one for few columns, too."""
    if y[0].shape[1] < x[0].shape[1]:
        return (torch.cat(y).t() @ torch.cat(x)).t()
    # Turned as they are put together: oneDNN would turn them on one thread.
    turned = torch.cat([each.t() for each in x], dim=1)
    return _linear(turned, torch.cat(y).t())


def _tanh(z: Tensor) -> tuple[Tensor, Tensor]:
    """``tanh z = 2 sigma(2 z) - 1``, which is eight times as fast, and its slope."""
    if torch.is_grad_enabled():
        value = 2 * torch.sigmoid(2 * z) - 1
        return value, 1 - value * value
    value = z.mul_(2).sigmoid_().mul_(2).sub_(1)
    return value, _slope_of_tanh(value)


def _slope_of_tanh(value: Tensor) -> Tensor:
    return torch.addcmul(value.new_ones(1), value, value, value=-1)


def _softplus(z: Tensor) -> tuple[Tensor, Tensor]:
    return functional.softplus(z, threshold=_THRESHOLD), torch.sigmoid(z)


def _silu(z: Tensor) -> tuple[Tensor, Tensor]:
    sigma = torch.sigmoid(z)
    value = z * sigma
    return value, sigma + value * (1 - sigma)


# Values and slopes of the activations.
_SLOPES: dict[Any, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    nn.Tanh: _tanh,
    nn.Softplus: _softplus,
    nn.SiLU: _silu,
}
# Products, in their place, with the second derivative of the activation divided by the first, which
# is a function of its value and slope.
_BENDS: dict[Any, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    nn.Tanh: lambda x, value, slope: x.mul_(value).mul_(-2),  # noqa: ARG005
    nn.Softplus: lambda x, value, slope: x.mul_(1 - slope),  # noqa: ARG005
}
