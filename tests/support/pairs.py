"""What the tests of the pair operations share: arguments, and all of their derivatives."""

import itertools

import torch
from support.ragged import offsets_from
from support.symmetries import jets
from torch import Tensor

from hepml.ops import pair_messages


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def arguments_of(counts, seed=1, *, width=5, layers=1, gate=True, step=2, invariants=True):
    """Arguments in float64: momenta of tens of GeV, weights of order one."""
    made = generator(seed)
    items = sum(counts)

    def layer(outputs, inputs):
        weight = torch.randn(outputs, inputs, generator=made, dtype=torch.float64) / inputs**0.5
        return weight, torch.randn(outputs, generator=made, dtype=torch.float64)

    widths = [width, *(width + 1 + k for k in range(layers))]
    channels = widths[-1]
    to_step = [layer(channels, channels) for _ in range(step - 1)] + [layer(1, channels)]
    return {
        "a": torch.randn(items, width, generator=made, dtype=torch.float64),
        "b": torch.randn(items, width, generator=made, dtype=torch.float64),
        "offsets": offsets_from(counts),
        "p4": jets(counts, made, scale=10.0, mass=2.0).p4,
        "invariants": layer(width, 2)[0] if invariants else None,
        "layers": [layer(after, before) for before, after in itertools.pairwise(widths)],
        "gate": layer(1, channels) if gate else None,
        "step": to_step if step else [],
    }


def flat(value):
    """The tensors in an argument."""
    if isinstance(value, Tensor):
        return [value]
    return [tensor for each in value or () for tensor in flat(each)]


def rebuilt(value, tensors):
    """The argument with other tensors."""
    if isinstance(value, Tensor):
        return next(tensors)
    return type(value)(rebuilt(each, tensors) for each in value) if value else value


def differentiable(arguments, dtype=torch.float64):
    """A function of the floating-point tensors, and these."""
    names = [name for name in arguments if name != "offsets"]
    inputs = [tensor for name in names for tensor in flat(arguments[name])]

    def function(*tensors):
        given = iter(tensors)
        others = {name: rebuilt(arguments[name], given) for name in names}
        received, moved = pair_messages(offsets=arguments["offsets"], **others)
        return (received, moved) if arguments["step"] else (received,)

    return function, [tensor.to(dtype).clone().requires_grad_() for tensor in inputs]


def derivatives(arguments, dtype=torch.float64, second=True):
    """Values, gradients, and gradients of a number made of the gradients."""
    function, inputs = differentiable(arguments, dtype)
    results = function(*inputs)
    above = [torch.arange(r.numel()).cos().reshape(r.shape).to(r).requires_grad_() for r in results]
    loss = sum((r * d).sum() for r, d in zip(results, above, strict=True))
    options = {"allow_unused": True, "materialize_grads": True}
    first = torch.autograd.grad(loss, inputs, create_graph=second, **options)
    if not second:
        return [tensor.detach() for tensor in (*results, *first)]
    probe = sum((g * torch.arange(g.numel()).sin().reshape(g.shape)).sum() for g in first)
    again = torch.autograd.grad(probe, [*inputs, *above], **options) if probe.requires_grad else []
    return [tensor.detach() for tensor in (*results, *first, *again)]


VARIANTS = {
    "LorentzNet": {},
    "its last block": {"step": 0},
    "no gate": {"gate": False},
    "no invariants": {"invariants": False},
    "no layers": {"layers": 0},
    "one layer to the step": {"step": 1},
    "deep": {"layers": 3, "step": 3, "gate": False},
    "bare": {"layers": 0, "gate": False, "step": 0, "invariants": False},
}


def assert_close_in_scale(result, expected, tolerance):
    """Each tensor is close to the expected, relative to the largest of its numbers."""
    scale = 1.0
    for got, wanted in zip(result, expected, strict=True):
        largest = float(wanted.abs().max()) if wanted.numel() else 1.0
        # A bias of one number is a sum whose terms may cancel: they are like those of its weight.
        scale = max(largest, scale) if wanted.shape == (1,) else largest
        error = tolerance * scale + 1e-6
        torch.testing.assert_close(got.double(), wanted, rtol=0, atol=error)
