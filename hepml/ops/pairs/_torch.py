"""Pair operations tile by tile: nothing is kept that is as long as there are pairs.

A tile stays in the cache from one step to the next; the backward pass works it out again.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hepml.ops.pairs._reference import metric_of
from hepml.ops.pairs._tiles import Momenta, Tile, Tiling, psi, psi_backward
from hepml.ops.pairs._workers import in_parallel

_threshold_backward = torch.ops.aten.threshold_backward.grad_input
# Of a tile. On one core of an AMD EPYC with 1 MiB of L2, 3072 pairs of 72 channels in float32 were
# the fastest among 512 to 12288, by a seventh over 1536 and by a fifth over 6144 in scoring.
_FLOATS = 3072 * 72

Layers = Sequence[Tensor]


class Algebra(NamedTuple):
    """The two matrix products that take most of the time."""

    # x @ weight.T + bias, then a ReLU if so
    linear: Callable[[Tensor, Tensor, Tensor | None, bool], Tensor]
    # y.T @ x
    outer: Callable[[Tensor, Tensor], Tensor]


class _Arguments(NamedTuple):
    """The arguments of the operation but the offsets; momenta in double precision, W as (2, .)."""

    a: Tensor
    b: Tensor
    p4: Tensor
    invariants: Tensor
    layers: Layers
    gate: Layers
    step: Layers

    @classmethod
    def of(cls, a: Tensor, b: Tensor, p4: Tensor, invariants: Tensor, *lists: Any) -> "_Arguments":
        """From those of the operation."""
        return cls(a, b, p4.double(), invariants.T.contiguous(), *lists)

    def tiling(self, offsets: Tensor) -> Tiling:
        """Tiles that fit into the cache of a core."""
        widths = [weight.shape[0] for weight in (*self.layers[::2], *self.step[::2])]
        return Tiling(offsets, self.a.shape[0], _FLOATS // max(self.a.shape[1], *widths, 1))


class _Messages(NamedTuple):
    """What a tile's backward pass needs of its forward pass."""

    momenta: Momenta | None
    s: Tensor | None
    # After each ReLU; the last is the message before its gate.
    hidden: list[Tensor]
    gate: Tensor | None
    sent: Tensor
    # The message sent, and after each ReLU on the way to the step.
    steps: list[Tensor]
    c: Tensor | None


def _pairs(layers: Layers) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of each layer."""
    return list(zip(layers[::2], layers[1::2], strict=True))


def _add_hidden(algebra: Algebra, hidden: list[Tensor], layers: Layers, keep: bool) -> None:
    """Add what each layer and its ReLU make of the last; unless kept, only the last stays."""
    for weight, bias in _pairs(layers):
        hidden.append(algebra.linear(hidden[-1], weight, bias, True))
        if not keep:
            del hidden[:-1]


def _hidden_backward(
    algebra: Algebra, d: Tensor, hidden: list[Tensor], layers: Layers, d_layers: Layers
) -> Tensor:
    """The gradient for the input, from that for the output; adds those for the layers."""
    for x, y, (weight, _), (d_weight, d_bias) in reversed(
        list(zip(hidden, hidden[1:], _pairs(layers), _pairs(d_layers), strict=False))
    ):
        _threshold_backward(d, y, 0, grad_input=d)
        d_bias.add_(d.sum(0))
        d_weight.add_(algebra.outer(d, x))
        d = algebra.linear(d, weight.T, None, False)
    return d


def _first(tile: Tile, of: _Arguments) -> tuple[Tensor, Momenta | None, Tensor | None]:
    """The first layer and its ReLU, with the momenta of the pairs and their invariants."""
    first = of.a.index_select(0, tile.receivers)
    first += of.b.index_select(0, tile.senders)
    momenta = s = None
    if of.invariants.numel() or of.step:
        momenta = Momenta.of(of.p4, tile)
    if momenta is not None and of.invariants.numel():
        s = psi(momenta.products.to(first.dtype))
        first.addmm_(s, of.invariants)
    return first.relu_(), momenta, s


def _messages(algebra: Algebra, tile: Tile, of: _Arguments, keep: bool) -> _Messages:
    """The messages of a tile; what only a backward pass needs is kept or not."""
    *hidden, momenta, s = _first(tile, of)
    _add_hidden(algebra, hidden, of.layers, keep)
    gate = c = None
    steps = [hidden[-1]]
    if of.gate:
        weight, bias = of.gate
        gate = tile.drop_rest(torch.addmm(bias, hidden[-1], weight.T).sigmoid_())
        steps = [hidden[-1] * gate if keep else hidden[-1].mul_(gate)]
    sent = steps[0]
    if of.step:
        *layers, weight, bias = of.step
        _add_hidden(algebra, steps, layers, keep)
        c = torch.addmm(bias, steps[-1], weight.T).double()
    return _Messages(momenta, s, hidden, gate, sent, steps, c)


def pair_messages(
    algebra: Algebra, a: Tensor, b: Tensor, offsets: Tensor, p4: Tensor, *weights: Any
) -> tuple[Tensor, Tensor]:
    """The sum of the messages to each item, and the sum of its steps."""
    of = _Arguments.of(a, b, p4, *weights)
    channels = of.layers[-2].shape[0] if of.layers else a.shape[1]
    received, moved = a.new_zeros(a.shape[0], channels), of.p4.new_zeros(of.p4.shape)

    def work(tile: Tile, _: None) -> None:
        got = _messages(algebra, tile, of, keep=False)
        received[tile.first : tile.last] = tile.to_receivers(got.sent)
        if got.c is not None and got.momenta is not None:
            moved[tile.first : tile.last] = tile.to_receivers(got.c * got.momenta.difference)

    in_parallel(work, of.tiling(offsets), lambda: None)
    return received, moved.to(p4.dtype)


class _Gradients(NamedTuple):
    """The gradients for the arguments, that for the momenta times the metric."""

    a: Tensor
    b: Tensor
    p4: Tensor
    invariants: Tensor
    layers: list[Tensor]
    gate: list[Tensor]
    step: list[Tensor]

    @classmethod
    def zeros(cls, of: _Arguments) -> "_Gradients":
        """No gradient yet."""
        a, b, p4, invariants = (tensor.new_zeros(tensor.shape) for tensor in of[:4])
        lists = ([torch.zeros_like(tensor) for tensor in layers] for layers in of[4:])
        return cls(a, b, p4, invariants, *lists)

    def tensors(self) -> list[Tensor]:
        """All of them."""
        return [*self[:4], *self.layers, *self.gate, *self.step]


def pair_messages_backward(
    algebra: Algebra,
    d_received: Tensor,
    d_moved: Tensor,
    a: Tensor,
    b: Tensor,
    offsets: Tensor,
    p4: Tensor,
    *weights: Any,
) -> list[Tensor]:
    """The gradients for a, b, p4, the invariants' weights, the layers, the gate and the step."""
    of = _Arguments.of(a, b, p4, *weights)
    d_moved = d_moved.double()

    def work(tile: Tile, into: _Gradients) -> None:
        _backward(algebra, tile, of, d_received, d_moved, into)

    into, *others = in_parallel(work, of.tiling(offsets), lambda: _Gradients.zeros(of))
    for other in others:
        torch._foreach_add_(into.tensors(), other.tensors())
    return [
        *(into.a, into.b, into.p4.mul_(metric_of(p4)).to(p4.dtype), into.invariants.T.contiguous()),
        *(*into.layers, *into.gate, *into.step),
    ]


def _backward(
    algebra: Algebra,
    tile: Tile,
    of: _Arguments,
    d_received: Tensor,
    d_moved: Tensor,
    into: _Gradients,
) -> None:
    """Add the gradients of a tile."""
    got = _messages(algebra, tile, of, keep=True)
    momenta, m = got.momenta, got.hidden[-1]
    d = tile.drop_rest(d_received.index_select(0, tile.receivers))
    d_difference = None
    if got.c is not None and momenta is not None:
        d_v = d_moved.index_select(0, tile.receivers)
        d_c = tile.drop_rest((d_v * momenta.difference).sum(1, keepdim=True)).to(d.dtype)
        d_difference = d_v.mul_(got.c).mul_(metric_of(d_v))
        *layers, weight, _ = of.step
        *d_layers, d_weight, d_bias = into.step
        d_bias.add_(d_c.sum(0))
        d_weight.addmm_(d_c.T, got.steps[-1])
        d += _hidden_backward(algebra, d_c * weight, got.steps, layers, d_layers)
    if got.gate is not None:
        d_logit = (d * m).sum(1, keepdim=True).mul_(got.gate).mul_(1 - got.gate)
        into.gate[0].addmm_(d_logit.T, m)
        into.gate[1].add_(d_logit.sum(0))
        d.mul_(got.gate).addmm_(d_logit, of.gate[0])
    d = _hidden_backward(algebra, d, got.hidden, of.layers, into.layers)
    _threshold_backward(d, got.hidden[0], 0, grad_input=d)
    into.a[tile.first : tile.last] = tile.to_receivers(d)
    into.b.index_add_(0, tile.senders[: tile.pairs], d[: tile.pairs])
    if momenta is None:
        return
    d_products = torch.zeros_like(momenta.products)
    if got.s is not None:
        # With the two rows first: the other order takes 30 times as long.
        into.invariants.addmm_(got.s.T, d)
        d_products = psi_backward(torch.mm(d, of.invariants.T), momenta.products)
    if d_difference is None:
        d_difference = torch.zeros_like(momenta.p)
    momenta.add_gradient(into.p4, tile, d_products, d_difference)


def pair_moments(p4: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Tile by tile, with the sums in double precision."""
    wide = p4.double()
    sums = wide.new_zeros(p4.shape[0], 2)

    def work(tile: Tile, squares: Tensor) -> None:
        s = tile.drop_rest(psi(Momenta.of(wide, tile).products.to(p4.dtype)).double())
        sums[tile.first : tile.last] = tile.to_receivers(s)
        squares.addmm_(s.T, s)

    squares = in_parallel(
        work, Tiling(offsets, p4.shape[0], _FLOATS // 16), lambda: wide.new_zeros(2, 2)
    )
    return sums, torch.stack(squares).sum(0)


def pair_moments_backward(d_sums: Tensor, d_squares: Tensor, p4: Tensor, offsets: Tensor) -> Tensor:
    """Tile by tile, with the sums in double precision."""
    wide = p4.double()
    both = d_squares + d_squares.T

    def work(tile: Tile, d_p4: Tensor) -> None:
        momenta = Momenta.of(wide, tile)
        s = psi(momenta.products.to(p4.dtype)).double()
        d = d_sums.index_select(0, tile.receivers).addmm_(s, both)
        d_products = psi_backward(d, momenta.products)
        momenta.add_gradient(d_p4, tile, d_products, torch.zeros_like(momenta.p))

    parts = in_parallel(
        work, Tiling(offsets, p4.shape[0], _FLOATS // 16), lambda: torch.zeros_like(wide)
    )
    d_p4 = torch.stack(parts).sum(0)
    return d_p4.mul_(metric_of(p4)).to(p4.dtype)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None, relu: bool) -> Tensor:
    """MKL's matrix product."""
    y = torch.nn.functional.linear(x, weight, bias)
    return y.relu_() if relu else y


def _onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None, relu: bool) -> Tensor:
    """oneDNN's matrix product."""
    y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    # Its own ReLU, in the product, would make 0 of NaN. This one costs 2 per cent of all.
    return y.relu_() if relu else y


TORCH = Algebra(_linear, lambda y, x: y.T @ x)
ONEDNN = Algebra(_onednn_linear, lambda y, x: _onednn_linear(y.T, x.T, None, False))


def onednn_pair_messages(*arguments: Any) -> tuple[Tensor, Tensor]:
    """Tiles that stay in the cache, multiplied by oneDNN."""
    return pair_messages(ONEDNN, *arguments)


def onednn_pair_messages_backward(*arguments: Any) -> list[Tensor]:
    """Tiles that stay in the cache and are worked out again, multiplied by oneDNN."""
    return pair_messages_backward(ONEDNN, *arguments)


def torch_pair_messages(*arguments: Any) -> tuple[Tensor, Tensor]:
    """Tiles that stay in the cache."""
    return pair_messages(TORCH, *arguments)


def torch_pair_messages_backward(*arguments: Any) -> list[Tensor]:
    """Tiles that stay in the cache and are worked out again."""
    return pair_messages_backward(TORCH, *arguments)
