"""Forward-mode derivatives, torch.func and gradients in batches: right for every operation."""

from functools import partial

import pytest
import torch
from support.pairs import VARIANTS, arguments_of, differentiable
from support.ragged import forced, offsets_from
from torch.autograd import forward_ad, functional
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

from hepml import ops
from hepml.errors import InputError
from hepml.ops.segments import _reference
from hepml.ops.segments._priority import OPERATIONS

# Torch itself uses it where it loads what jvp needs.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")

KERNELS = ["reference", "torch", "native"]
every_operation = pytest.mark.parametrize("operation", OPERATIONS)


def example(operation, module=ops):
    """A function of values, with empty segments, and the values; and a number made of them."""
    offsets = offsets_from([0, 2, 0, 3, 1, 0])
    others = (torch.tensor([4, 1, 1, 4, 2, 4]), 6)
    if operation.startswith("segment"):
        others = (offsets, 6) if operation == "segment_gather" else (offsets,)
    values = torch.randn(6, 2, generator=torch.Generator().manual_seed(3)).double()

    def function(values):
        result = getattr(module, operation)(values, *others)
        return torch.where(result == -torch.inf, 0, result)

    return function, values


def direction(values):
    return torch.arange(values.numel()).cos().reshape(values.shape).to(values)


def number(function, values):
    return function(values).sin().sum()


def along(derivative, direction):
    """A Jacobian in one direction."""
    return (derivative * direction).flatten(-direction.dim()).sum(-1)


def tangent_of(function, values, tangent):
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(values, tangent)
        return forward_ad.unpack_dual(function(dual)).tangent


@pytest.mark.parametrize("name", KERNELS)
@every_operation
def test_forward_mode(operation, name):
    function, values = example(operation)
    tangent = direction(values)
    expected = along(functional.jacobian(example(operation, _reference)[0], values), tangent)
    with forced(name):
        for result in (
            jvp(function, (values,), (tangent,))[1],
            tangent_of(function, values, tangent),
            along(jacfwd(function)(values), tangent),
        ):
            torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
        with torch.no_grad():
            result = tangent_of(function, values, tangent)
        torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)


def test_the_sum_of_the_tangents():
    offsets, ones = torch.tensor([0, 2]), torch.ones(2)
    values = torch.tensor([1.0, 2.0])
    assert jvp(lambda v: ops.segment_sum(v, offsets), (values,), (ones,))[1].tolist() == [2.0]


@every_operation
def test_derivatives_of_torch_func(operation):
    function, values = example(operation)
    definition = example(operation, _reference)[0]
    scalar, plain = partial(number, function), partial(number, definition)
    close = partial(torch.testing.assert_close, rtol=1e-11, atol=1e-11)
    close(jacrev(function)(values), functional.jacobian(definition, values))
    close(grad(scalar)(values), functional.jacobian(plain, values))
    second = functional.hessian(plain, values)
    close(hessian(scalar)(values), second)
    close(jacrev(jacrev(scalar))(values), second)
    stacked = torch.stack([values, 2 * values, values.flip(0)])
    close(vmap(function)(stacked), torch.stack([definition(each) for each in stacked]))
    close(
        vmap(grad(scalar))(stacked),
        torch.stack([functional.jacobian(plain, each) for each in stacked]),
    )


@every_operation
def test_derivatives_of_what_was_recorded(operation):
    function, values = example(operation)
    definition = example(operation, _reference)[0]
    expected, tangent = functional.jacobian(definition, values), direction(values)
    values.requires_grad_()
    result = function(values)
    every = torch.eye(result.numel()).double().reshape(-1, *result.shape)
    for again in (False, True):
        (found,) = torch.autograd.grad(
            function(values), values, every, is_grads_batched=True, create_graph=again
        )
        torch.testing.assert_close(found.reshape(expected.shape), expected)
        # The gradient in a backward pass that itself is differentiated forward.
        with forward_ad.dual_level():
            above = forward_ad.make_dual(torch.ones_like(result), direction(result))
            (found,) = torch.autograd.grad(function(values), values, above, create_graph=again)
            found = forward_ad.unpack_dual(found).tangent
        wanted = (direction(result)[..., None, None] * expected).sum((0, 1))
        torch.testing.assert_close(found, wanted)
    # Forward over backward, and backward over forward.
    second = along(functional.hessian(partial(number, definition), values.detach()), tangent)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(values, tangent)
        (found,) = torch.autograd.grad(number(function, dual), values)
        torch.testing.assert_close(forward_ad.unpack_dual(found).tangent, second)
    slope = tangent_of(partial(number, function), values, tangent)
    torch.testing.assert_close(torch.autograd.grad(slope, values)[0], second)


def test_offsets_in_a_batch_are_refused():
    values = torch.ones(6)
    for operation in (ops.segment_sum, lambda v, o: ops.pair_messages(v[:, None], v[:, None], o)):
        with pytest.raises(InputError, match="offsets: expected the same offsets for all rows"):
            vmap(partial(operation, values))(torch.tensor([[0, 2, 6], [0, 6, 6]]))
    total = vmap(ops.segment_sum, (0, None))(torch.ones(2, 6), torch.tensor([0, 2, 6]))
    assert total.tolist() == [[2, 4], [2, 4]]


def test_bounds_are_checked_under_transforms_too():
    function = lambda values, offsets: ops.segment_sum(values, offsets).sum()  # noqa: E731
    assert grad(function)(torch.ones(3), torch.tensor([0, 3])).tolist() == [1, 1, 1]
    with pytest.raises(InputError, match="offsets: expected bounds from 0 to 3"):
        grad(function)(torch.ones(3), torch.tensor([0, 2]))


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@every_operation
def test_forward_mode_compiles(operation):
    function, values = example(operation)
    tangent = direction(values)
    torch.compiler.reset()
    compiled = torch.compile(
        lambda v: jvp(function, (v,), (tangent,))[1], backend="eager", fullgraph=True
    )
    expected = jvp(function, (values,), (tangent,))[1]
    assert float(expected.abs().max()) > 0.1
    torch.testing.assert_close(compiled(values), expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_pair_messages(variant):
    function, inputs = differentiable(arguments_of([2, 0, 1, 3], **VARIANTS[variant]))
    tangents = [direction(each) for each in inputs]
    plain = tuple(each.detach() for each in inputs)
    options = {"allow_unused": True, "materialize_grads": True}
    results = function(*inputs)
    above = [torch.zeros_like(each, requires_grad=True) for each in results]
    # The derivative of the gradient in what comes from above is the derivative forward.
    back = torch.autograd.grad(results, inputs, above, create_graph=True, **options)
    expected = torch.autograd.grad(back, above, tangents, **options)
    assert float(expected[0].abs().max()) > 0.1
    close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-9)
    close(jvp(function, plain, tuple(tangents))[1], expected)
    # In batches.
    above = [torch.stack([direction(each), 2 * direction(each)]) for each in results]
    once = torch.autograd.grad(results, inputs, [each[0] for each in above], **options)
    for again in (False, True):
        batched = torch.autograd.grad(
            function(*inputs),
            inputs,
            above,
            is_grads_batched=True,
            create_graph=again,
            allow_unused=True,
        )
        for found, wanted in zip(batched, once, strict=True):
            if found is None:
                assert not wanted.any()
            else:
                close(found, torch.stack([wanted, 2 * wanted]))
    # Second derivatives, forward over backward.
    scalar = lambda *x: sum((y / 10).sin().sum() for y in function(*x))  # noqa: E731
    slopes = torch.autograd.grad(scalar(*inputs), inputs, create_graph=True, **options)
    second = torch.autograd.grad(slopes, inputs, tangents, **options)
    places = tuple(range(len(inputs)))
    close(jvp(grad(scalar, places), plain, tuple(tangents))[1], second)


def test_pair_moments():
    arguments = arguments_of([2, 0, 1, 3])
    p4, offsets = arguments["p4"], arguments["offsets"]
    function = partial(ops.pair_moments, offsets=offsets)
    expected = functional.jacobian(function, p4)
    for found, wanted in zip(jacfwd(function)(p4), expected, strict=True):
        assert float(wanted.abs().max()) > 0.1
        torch.testing.assert_close(found, wanted)
    for found, wanted in zip(jacrev(function)(p4), expected, strict=True):
        torch.testing.assert_close(found, wanted)
