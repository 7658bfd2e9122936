"""Pair operations tile by tile: nothing is kept that is as long as there are pairs.

A tile stays in the cache from one step to the next; the backward pass works it out again. On one
core of an AMD EPYC with 1 MiB of L2, 72 channels in float32, 3072 pairs were fastest among 512 to
4096, by a tenth over 1024.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hepml.ops._pair_tiles import Momenta, Tile, by_size, psi, psi_backward, tiles
from hepml.ops._pair_workers import in_parallel, workers

_threshold_backward = torch.ops.aten.threshold_backward.grad_input
_FLOATS_PER_TILE = 3072 * 72

Layers = Sequence[Tensor]


class Algebra(NamedTuple):
    """The two matrix products that take most of the time."""

    # x @ weight.T + bias, then a ReLU if so
    linear: Callable[[Tensor, Tensor, Tensor | None, bool], Tensor]
    # y.T @ x
    outer: Callable[[Tensor, Tensor], Tensor]


class Arguments(NamedTuple):
    """The arguments of the operation, the sets in the order of their size."""

    a: Tensor
    b: Tensor
    momenta: Momenta
    invariants: Tensor
    layers: Layers
    gate: Layers
    step: Layers


class _Messages(NamedTuple):
    """What a tile's backward pass needs of its forward pass."""

    products: Tensor | None
    s: Tensor | None
    # After each ReLU; the last is the message before its gate.
    hidden: list[Tensor]
    gate: Tensor | None
    # The message sent, and after each ReLU on the way to the step.
    steps: list[Tensor]
    c: Tensor | None


def _pairs(layers: Layers) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of each layer."""
    return list(zip(layers[::2], layers[1::2], strict=True))


def _hidden(algebra: Algebra, x: Tensor, layers: Layers) -> list[Tensor]:
    """The input, and what each layer and its ReLU make of it."""
    hidden = [x]
    for weight, bias in _pairs(layers):
        hidden.append(algebra.linear(hidden[-1], weight, bias, True))
    return hidden


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


def _messages(algebra: Algebra, tile: Tile, of: Arguments) -> _Messages:
    """The messages of a tile."""
    first = torch.add(tile.receivers(of.a)[:, :, None], tile.senders(of.b)[:, None])
    first = first.view(-1, of.a.shape[1])
    products = s = gate = c = None
    if of.invariants.numel():
        products = of.momenta.products(tile)
        s = psi(products.to(first.dtype)).view(2, -1)
        first.addmm_(s.T, of.invariants)
    hidden = _hidden(algebra, first.relu_(), of.layers)
    if of.gate:
        weight, bias = of.gate
        gate = tile.drop_self(torch.addmm(bias, hidden[-1], weight.T).sigmoid_())
        sent = hidden[-1] * gate
    else:
        sent = tile.drop_self(hidden[-1].clone())
    steps = [sent]
    if of.step:
        *layers, weight, bias = of.step
        steps = _hidden(algebra, sent, layers)
        c = tile.drop_self(torch.addmm(bias, steps[-1], weight.T)).view(tile.shape).double()
    return _Messages(products, s, hidden, gate, steps, c)


def _split(groups: list[tuple[int, int]], width: int) -> list[list[Tile]]:
    """The tiles of each worker: always the same, so that sums are taken in the same order."""
    all_tiles = list(tiles(groups, max(_FLOATS_PER_TILE // max(width, 1), 1)))
    parts = (all_tiles[k :: workers()] for k in range(workers()))
    return [part for part in parts if part]


def pair_messages(
    algebra: Algebra,
    a: Tensor,
    b: Tensor,
    offsets: Tensor,
    p4: Tensor,
    invariants: Tensor,
    layers: Layers,
    gate: Layers,
    step: Layers,
) -> tuple[Tensor, Tensor]:
    """The sum of the messages to each item, and the sum of its steps."""
    places, groups, (a, b, p4) = by_size(offsets, a.shape[0], a, b, p4)
    of = Arguments(a, b, Momenta.of(p4), invariants.T.contiguous(), layers, gate, step)
    channels = layers[-2].shape[0] if layers else a.shape[1]
    received, moved = a.new_zeros(a.shape[0], channels), torch.zeros_like(of.momenta.upper)

    def work(part: list[Tile]) -> None:
        for tile in part:
            got = _messages(algebra, tile, of)
            tile.receivers(received).copy_(got.steps[0].view(*tile.shape, channels).sum(2))
            if got.c is not None:
                p = tile.receivers(of.momenta.upper) * got.c.sum(2, keepdim=True)
                q = tile.senders(of.momenta.upper)
                tile.receivers(moved).copy_(p.baddbmm_(got.c, q, alpha=-1))

    in_parallel(work, _split(groups, a.shape[1]))
    return _back(places, received), _back(places, moved.to(p4.dtype))


def _back(places: Tensor | None, table: Tensor) -> Tensor:
    """The rows where they were."""
    return table if places is None else torch.empty_like(table).index_copy_(0, places, table)


class _Gradients(NamedTuple):
    """The gradients that a worker adds up."""

    b: Tensor
    p: Tensor
    squares: Tensor
    invariants: Tensor
    layers: list[Tensor]
    gate: list[Tensor]
    step: list[Tensor]

    @classmethod
    def zeros(cls, of: Arguments) -> "_Gradients":
        """No gradient yet."""
        zeros = torch.zeros_like
        return cls(
            *(zeros(of.b), zeros(of.momenta.upper), zeros(of.momenta.squares)),
            zeros(of.invariants),
            *([zeros(tensor) for tensor in layers] for layers in (of.layers, of.gate, of.step)),
        )

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
    invariants: Tensor,
    layers: Layers,
    gate: Layers,
    step: Layers,
) -> list[Tensor]:
    """The gradients for a, b, p4, the invariants' weights, the layers, the gate and the step."""
    tables = (a, b, p4, d_received.contiguous(), d_moved.double())
    places, groups, (a, b, p4, d_received, d_moved) = by_size(offsets, a.shape[0], *tables)
    of = Arguments(a, b, Momenta.of(p4), invariants.T.contiguous(), layers, gate, step)
    d_a = torch.zeros_like(a)

    def work(part: list[Tile]) -> _Gradients:
        into = _Gradients.zeros(of)
        for tile in part:
            d = _backward(algebra, tile, of, d_received, d_moved, into)
            of_pairs = d.view(*tile.shape, -1)
            tile.receivers(d_a).copy_(of_pairs.sum(2))
            tile.senders(into.b).add_(of_pairs.sum(1))
        return into

    total, *others = in_parallel(work, _split(groups, a.shape[1])) or [_Gradients.zeros(of)]
    for other in others:
        torch._foreach_add_(total.tensors(), other.tensors())
    d_p = total.p.addcmul_(of.momenta.lower, total.squares, value=2).to(p4.dtype)
    return [
        *(_back(places, d_a), _back(places, total.b), _back(places, d_p), total.invariants.T),
        *(*total.layers, *total.gate, *total.step),
    ]


def _backward(
    algebra: Algebra,
    tile: Tile,
    of: Arguments,
    d_received: Tensor,
    d_moved: Tensor,
    into: _Gradients,
) -> Tensor:
    """The gradient for ``a_i + b_j``; adds the others."""
    got = _messages(algebra, tile, of)
    d_out = tile.receivers(d_received)[:, :, None]
    if got.c is not None:
        d = _step_backward(algebra, tile, of, got, tile.receivers(d_moved), into)
        d.view(*tile.shape, -1).add_(d_out)
    else:
        d = d_out.expand(*tile.shape, -1).reshape(-1, d_out.shape[-1])
    m = got.hidden[-1]
    if got.gate is not None:
        d_logit = (d * m).sum(1, keepdim=True).mul_(got.gate).mul_(1 - got.gate)
        into.gate[0].addmm_(d_logit.T, m)
        into.gate[1].add_(d_logit.sum(0))
        d.mul_(got.gate).addmm_(d_logit, of.gate[0])
    else:
        tile.drop_self(d)
    d = _hidden_backward(algebra, d, got.hidden, of.layers, into.layers)
    _threshold_backward(d, got.hidden[0], 0, grad_input=d)
    if got.products is not None and got.s is not None:
        # With the two rows first: the other order takes 30 times as long.
        into.invariants.addmm_(got.s, d)
        d_products = algebra.linear(of.invariants, d, None, False).view(2, *tile.shape)
        d_products = psi_backward(d_products, got.products)
        of.momenta.add_gradient(into.p, into.squares, tile, d_products)
    return d


def _step_backward(
    algebra: Algebra,
    tile: Tile,
    of: Arguments,
    got: _Messages,
    d_v: Tensor,
    into: _Gradients,
) -> Tensor:
    """The gradient for the message from that for ``v_i = sum_j c (p_i - p_j)``; adds the others."""
    c = got.c
    assert c is not None
    p, q = tile.receivers(of.momenta.upper), tile.senders(of.momenta.upper)
    tile.receivers(into.p).addcmul_(d_v, c.sum(2, keepdim=True))
    tile.senders(into.p).baddbmm_(c.mT, d_v, alpha=-1)
    d_c = torch.baddbmm((d_v * p).sum(2, keepdim=True), d_v, q.mT, alpha=-1)
    d_c = tile.drop_self(d_c.to(of.a.dtype).view(-1, 1))
    *layers, weight, _ = of.step
    *d_layers, d_weight, d_bias = into.step
    d_bias.add_(d_c.sum(0))
    d_weight.addmm_(d_c.T, got.steps[-1])
    return _hidden_backward(algebra, d_c * weight, got.steps, layers, d_layers)


def pair_moments(p4: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Tile by tile, with the sums in double precision."""
    places, groups, (p4,) = by_size(offsets, p4.shape[0], p4)
    momenta = Momenta.of(p4)
    sums = momenta.upper.new_zeros(p4.shape[0], 2)

    def work(part: list[Tile]) -> Tensor:
        total = sums.new_zeros(2, 2)
        for tile in part:
            s = psi(momenta.products(tile).to(p4.dtype)).double()
            for each in s:
                tile.drop_self(each.view(-1))
            tile.receivers(sums).copy_(s.sum(3).permute(1, 2, 0))
            s = s.view(2, -1)
            total.addmm_(s, s.T)
        return total

    squares = in_parallel(work, _split(groups, 4))
    return _back(places, sums), torch.stack([sums.new_zeros(2, 2), *squares]).sum(0)


def pair_moments_backward(d_sums: Tensor, d_squares: Tensor, p4: Tensor, offsets: Tensor) -> Tensor:
    """Tile by tile, with the sums in double precision."""
    places, groups, (p4, d_sums) = by_size(offsets, p4.shape[0], p4, d_sums.contiguous())
    momenta = Momenta.of(p4)
    both = d_squares + d_squares.T

    def work(part: list[Tile]) -> tuple[Tensor, Tensor]:
        d_p, d_norms = torch.zeros_like(momenta.upper), torch.zeros_like(momenta.squares)
        for tile in part:
            products = momenta.products(tile)
            s = psi(products.to(p4.dtype)).double()
            d = (both @ s.view(2, -1)).view(2, *tile.shape)
            d += tile.receivers(d_sums).permute(2, 0, 1)[..., None]
            for each in d:
                tile.drop_self(each.view(-1))
            momenta.add_gradient(d_p, d_norms, tile, psi_backward(d, products))
        return d_p, d_norms

    d_p = torch.zeros_like(momenta.upper)
    for part, d_norms in in_parallel(work, _split(groups, 4)):
        d_p += part.addcmul_(momenta.lower, d_norms, value=2)
    return _back(places, d_p.to(p4.dtype))


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None, relu: bool) -> Tensor:
    """MKL's matrix product."""
    y = torch.nn.functional.linear(x, weight, bias)
    return y.relu_() if relu else y


def _onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None, relu: bool) -> Tensor:
    """oneDNN's matrix product, with the ReLU in it."""
    activation = "relu" if relu else "none"
    y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], "")
    return y


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
