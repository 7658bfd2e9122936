"""The definition of the pair operations, in plain differentiable torch that keeps every pair."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import linear

from hepml.ops.edges._reference import pairs_of
from hepml.ops.segments._reference import segment_index, segment_sum


def pairs_of_sets(
    offsets: Int64[Tensor, " bounds"], items: int
) -> tuple[Int64[Tensor, " pairs"], Int64[Tensor, " pairs"], Int64[Tensor, " pair_bounds"]]:
    """Receivers, senders and the bounds of each receiver's pairs: all others of its set."""
    fix = "take fewer sets at a time; first derivatives alone, by autograd, keep no pairs"
    every = torch.arange(items, device=offsets.device)
    return pairs_of(offsets, segment_index(offsets, items), every, bytes_per_pair=64, fix=fix)


def psi(x: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
    """``sign(x) ln(|x| + 1)``."""
    # By halves: through sign and abs, the derivative at 0 would be 0 instead of 1.
    positive = x > 0
    return torch.where(
        positive, torch.where(positive, x, 0.0).log1p(), -torch.where(positive, 0.0, -x).log1p()
    )


def metric_of(p4: Float[Tensor, "items 4"]) -> Float[Tensor, "4"]:
    """(+,-,-,-) in double precision."""
    return torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64, device=p4.device)


def invariants(
    p: Float[Tensor, "pairs 4"], q: Float[Tensor, "pairs 4"], dtype: torch.dtype
) -> Float[Tensor, "pairs 2"]:
    """``psi(|p - q|²), psi(<p, q>)``; in double precision up to the argument of psi."""
    wide_p, wide_q, metric = p.double(), q.double(), metric_of(p)
    square = ((wide_p - wide_q).square() * metric).sum(1)
    return psi(torch.stack([square, (wide_p * wide_q * metric).sum(1)], dim=1).to(dtype))


def pair_messages(
    a: Float[Tensor, "items width"],
    b: Float[Tensor, "items width"],
    offsets: Int64[Tensor, " bounds"],
    p4: Float[Tensor, "items 4"],
    weight: Float[Tensor, "width invariants"],
    layers: Sequence[Tensor],
    gate: Sequence[Tensor],
    step: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """All pairs at once, kept for the backward pass."""
    receivers, senders, bounds = pairs_of_sets(offsets, a.shape[0])
    m = a[receivers] + b[senders]
    p, q = p4[receivers], p4[senders]
    if weight.numel():
        m = m + linear(invariants(p, q, m.dtype), weight)
    m = m.relu()
    for w, bias in zip(layers[::2], layers[1::2], strict=True):
        m = linear(m, w, bias).relu()
    if gate:
        m = linear(m, *gate).sigmoid() * m
    received = segment_sum(m, bounds)
    if not step:
        return received, p4.new_zeros(p4.shape)
    for w, bias in zip(step[:-2:2], step[1:-2:2], strict=True):
        m = linear(m, w, bias).relu()
    c = linear(m, *step[-2:])
    return received, segment_sum(c.double() * (p.double() - q.double()), bounds).to(p4.dtype)


def pair_moments(
    p4: Float[Tensor, "items 4"], offsets: Int64[Tensor, " bounds"]
) -> tuple[Tensor, Tensor]:
    """All pairs at once, kept for the backward pass."""
    receivers, senders, bounds = pairs_of_sets(offsets, p4.shape[0])
    s = invariants(p4[receivers], p4[senders], p4.dtype).double()
    return segment_sum(s, bounds), s.T @ s


def pair_messages_backward(
    d_received: Tensor, d_moved: Tensor, *arguments: Tensor | Sequence[Tensor]
) -> list[Tensor]:
    """The gradient as torch finds it, which can be differentiated again."""
    return _gradients(pair_messages, (d_received, d_moved), arguments)


def pair_moments_backward(d_sums: Tensor, d_squares: Tensor, p4: Tensor, offsets: Tensor) -> Tensor:
    """The gradient as torch finds it, which can be differentiated again."""
    (gradient,) = _gradients(pair_moments, (d_sums, d_squares), (p4, offsets))
    return gradient


def _gradients(
    function: Callable[..., tuple[Tensor, ...]],
    gradients: tuple[Tensor, ...],
    arguments: tuple[Tensor | Sequence[Tensor], ...],
) -> list[Tensor]:
    """The gradients for all arguments but the offsets, lists of tensors one after another.

    With gradients enabled, they depend on the arguments.
    """
    again = torch.is_grad_enabled()
    inputs: list[Tensor] = []

    def leaf(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        # A view of its own: one argument may have been computed from another.
        needed = again and tensor.requires_grad
        inputs.append(tensor.view_as(tensor) if needed else tensor.detach().requires_grad_())
        return inputs[-1]

    with torch.enable_grad():
        results = function(
            *(leaf(a) if isinstance(a, Tensor) else list(map(leaf, a)) for a in arguments)
        )
        found = [
            (result, d)
            for result, d in zip(results, gradients, strict=True)
            if result.requires_grad
        ]
        return list(
            torch.autograd.grad(
                [result for result, _ in found],
                inputs,
                [d for _, d in found],
                create_graph=again,
                allow_unused=True,
                materialize_grads=True,
            )
        )
