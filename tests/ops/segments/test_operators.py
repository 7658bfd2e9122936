"""Derivatives of the operations on every kernel, and what torch expects of an operator."""

import warnings
from functools import partial

import pytest
import torch
from cases import every_model_of_sets
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kernels import arguments_for_gradcheck, derivatives
from support.ragged import arguments_of, forced, offsets_from
from torch.autograd import gradcheck, gradgradcheck

from hepml import ops
from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.models import MODELS, LorentzNet, ParticleFlow
from hepml.ops.segments import _operators, _reference
from hepml.ops.segments._priority import OPERATIONS

KERNEL_NAMES = ["torch", "torch_scatter", "reference"]


@pytest.mark.parametrize("name", KERNEL_NAMES)
@pytest.mark.parametrize("operation", OPERATIONS)
@settings(max_examples=25)
@given(data=st.data())
def test_derivatives_are_those_of_the_reference(operation, name, data):
    # The reference is differentiated by torch itself, which knows nothing of our formulas.
    arguments = data.draw(arguments_of(operation))
    expected = derivatives(getattr(_reference, operation), *arguments)
    with forced(name):
        result = derivatives(getattr(ops, operation), *arguments)
    for got, wanted in zip(result, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("operation", OPERATIONS)
@given(data=st.data())
def test_gradients_without_a_graph_of_their_own_are_the_same(operation, data):
    values, *others = data.draw(arguments_of(operation))
    values.requires_grad_()
    result = getattr(ops, operation)(values, *others)
    above = torch.arange(result.numel()).cos().reshape(result.shape).to(values)
    (once,) = torch.autograd.grad(result, values, above, retain_graph=True)
    (again,) = torch.autograd.grad(result, values, above, create_graph=True)
    torch.testing.assert_close(once, again, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", [(), (1, 2)])
@pytest.mark.parametrize("name", KERNEL_NAMES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_derivatives_are_those_of_finite_differences(operation, name, channels):
    values, *others = arguments_for_gradcheck(operation, channels)

    def finite(values):
        result = getattr(ops, operation)(values, *others)
        return torch.where(result == -torch.inf, 0, result)

    with forced(name):
        assert gradcheck(finite, (values,))
        assert gradgradcheck(finite, (values,))


def test_a_wrong_derivative_is_found():
    """Each of the ties gets the whole gradient: gradcheck, away from ties, would not see it."""
    segment_max = torch.ops.hepml.segment_max.default

    def greedy(values, offsets):
        extremum = segment_max(values.detach(), offsets)
        hit = values.detach() == ops.segment_gather(extremum, offsets, len(values))
        return ops.segment_sum(torch.where(hit, values, 0), offsets)

    values, offsets = torch.tensor([1.0, 2.0, 2.0]).double(), offsets_from([3])
    expected = derivatives(_reference.segment_max, values, offsets)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(derivatives(greedy, values, offsets)[1], expected[1])
    got = derivatives(ops.segment_max, values, offsets)
    torch.testing.assert_close(got[1], expected[1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_gradients_of_half_precision_are_rounded_once(operation, dtype):
    values, *others = arguments_for_gradcheck(operation, (4,))
    values = values.detach().to(dtype)
    _, half, *_ = derivatives(getattr(ops, operation), values, *others)
    _, exact, *_ = derivatives(getattr(ops, operation), values.double(), *others)
    assert half.dtype == dtype
    torch.testing.assert_close(half.double(), exact, rtol=0, atol=2 * torch.finfo(dtype).eps)


def test_ties_of_a_long_half_precision_segment_are_counted():
    # 3000 is not a float16: counted in it, the shares would be those of 2048 ties.
    values = torch.ones(3000, dtype=torch.float16, requires_grad=True)
    ops.segment_max(values, offsets_from([3000])).sum().backward()
    assert torch.equal(values.grad, torch.full_like(values, 1 / 3000))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_autocast_leaves_the_dtype(operation):
    values, *others = arguments_for_gradcheck(operation, (4,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = getattr(ops, operation)(values.float(), *others)
    assert result.dtype == torch.float32
    assert torch.equal(result, getattr(ops, operation)(values.float(), *others))


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_operator_is_registered_as_torch_expects(operation):
    arguments = arguments_for_gradcheck(operation, (3,))
    torch.library.opcheck(getattr(torch.ops.hepml, operation).default, arguments)


def every_operation(values, offsets, index, size):
    """One number that depends on all of them."""
    items = values.shape[0]
    weights = ops.segment_softmax(values, offsets)
    rows = ops.segment_sum(weights * values, offsets) + ops.segment_mean(values, offsets)
    rows = rows + ops.segment_max(values, offsets) - ops.segment_min(values, offsets)
    rows = rows + ops.segment_logsumexp(values, offsets).clamp(min=-5)
    spread = ops.segment_gather(rows, offsets, items) * ops.segment_index(offsets, items)[:, None]
    places = ops.scatter_sum(spread, index, size) + ops.scatter_mean(spread, index, size)
    places = places + ops.scatter_max(spread, index, size) - ops.scatter_min(values, index, size)
    return places.square().sum()


def batches():
    """Batches of different sizes, with empty segments."""
    generator = torch.Generator().manual_seed(0)
    for lengths in ([3, 0, 12, 6], [0, 9, 14, 0, 4, 3, 8], [40, 2, 30]):
        offsets = offsets_from(lengths)
        items, size = int(offsets[-1]), 20 + len(lengths)
        values = torch.randn(items, 6, generator=generator).double()
        index = torch.randint(0, size - 1, (items,), generator=generator)
        yield values, offsets, index, size


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("name", KERNEL_NAMES)
def test_one_graph_serves_all_batches(name):
    from torch._dynamo.testing import CompileCounterWithBackend

    torch.compiler.reset()
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(every_operation, fullgraph=True, dynamic=True, backend=counter)
    with forced(name):
        for values, offsets, index, size in batches():
            eager, traced = (values.clone().requires_grad_() for _ in range(2))
            expected = every_operation(eager, offsets, index, size)
            result = compiled(traced, offsets, index, size)
            expected.backward()
            result.backward()
            torch.testing.assert_close(result, expected, rtol=1e-12, atol=0)
            torch.testing.assert_close(traced.grad, eager.grad, rtol=1e-11, atol=1e-11)
    assert counter.frame_count == 1


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
def test_an_exported_program_needs_torch_alone():
    class Network(torch.nn.Module):
        def forward(self, values, offsets, index):
            return every_operation(values, offsets, index, 30)

    dynamic = torch.export.Dim.DYNAMIC
    first, *others = batches()
    program = torch.export.export(
        Network(), first[:3], dynamic_shapes=[{0: dynamic}, {0: dynamic}, {0: dynamic}]
    )
    assert not [node for node in program.graph.nodes if "hepml" in str(node.target)]
    for values, offsets, index, _ in others:
        result = program.module()(values, offsets, index)
        torch.testing.assert_close(result, every_operation(values, offsets, index, 30))


def jets(*lengths, seed=0):
    """Massive particles in sets of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    momenta = torch.randn(sum(lengths), 3, generator=generator) * 50
    energy = (momenta.square().sum(1, keepdim=True) + 0.1).sqrt()
    return ParticleSet(torch.cat([energy, momenta], 1), offsets_from(lengths))


JETS = [jets(3, 0, 12, 6), jets(0, 9, 14, 1, 4, 3, 8), jets(40, 2, 30), jets(*[5] * 9)]


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("name", "dynamic", "graphs"),
    [
        ("ParticleFlow", True, [1, 1, 1, 1]),
        # Unless it is told, the compiler learns from the second batch that sizes change.
        ("ParticleFlow", None, [1, 2, 2, 2]),
        ("MessagePassing", True, [1, 1, 1, 1]),
        ("LorentzNet", True, [1, 1, 1, 1]),
    ],
)
def test_one_graph_of_a_model_serves_all_batches(name, dynamic, graphs):
    from torch._dynamo.testing import CompileCounterWithBackend

    model = MODELS[name](outputs=2).eval()
    torch.compiler.reset()
    counter = CompileCounterWithBackend("eager")
    compiled = torch.compile(model, fullgraph=True, dynamic=dynamic, backend=counter)
    counted = []
    for batch in JETS:
        torch.testing.assert_close(compiled(batch), model(batch), rtol=1e-4, atol=1e-5)
        counted.append(counter.frame_count)
    assert counted == graphs


class FromTensors(torch.nn.Module):
    """A model of momenta and offsets, which an exported program can take."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, p4, offsets):
        nothing = p4.new_zeros((p4.shape[0], 0))
        return self.model(ParticleSet._trusted(p4=p4, offsets=offsets, features=nothing))


def exported(network, *inputs):
    """The program of a network whose inputs change their lengths."""
    lengths = [{0: torch.export.Dim.DYNAMIC}] * len(inputs)
    return torch.export.export(network, inputs, dynamic_shapes=lengths)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@every_model_of_sets
def test_every_model_exports_for_any_batch(name):
    model = MODELS[name](outputs=2).eval()
    program = exported(FromTensors(model), JETS[0].p4, JETS[0].offsets).module()
    for batch in JETS:
        result = program(batch.p4, batch.offsets)
        torch.testing.assert_close(result, model(batch), rtol=1e-4, atol=1e-4)


def onnx_session(program, path):
    """The program as onnxruntime runs it."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="needs onnx")
    import onnxruntime

    # Its functions for packages that are not installed, and code of its own, warn.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(program, dynamo=True, verbose=False).save(path)
    session = onnxruntime.InferenceSession(path)
    names = [each.name for each in session.get_inputs()]

    def run(*inputs):
        feed = {name: each.numpy() for name, each in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run(None, feed)[0])

    return run


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("make", [ParticleFlow, partial(LorentzNet, width=8, blocks=2)])
def test_an_exported_model_and_its_onnx_take_any_batch(tmp_path, make):
    model = make(outputs=2).eval()
    program = exported(FromTensors(model), JETS[0].p4, JETS[0].offsets)
    for batch in JETS:
        result = program.module()(batch.p4, batch.offsets)
        torch.testing.assert_close(result, model(batch), rtol=1e-4, atol=1e-6)
    run = onnx_session(program, tmp_path / "model.onnx")
    for batch in JETS:
        result = run(batch.p4, batch.offsets)
        torch.testing.assert_close(result, model(batch).detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.startswith("segment")])
def test_every_operation_has_an_onnx(operation, tmp_path):
    class Operation(torch.nn.Module):
        def forward(self, values, offsets):
            if operation == "segment_gather":
                return ops.segment_gather(values[: offsets.shape[0] - 1], offsets, values.shape[0])
            return getattr(ops, operation)(values, offsets)

    program = exported(Operation(), JETS[0].p4, JETS[0].offsets)
    run = onnx_session(program, tmp_path / "operation.onnx")
    for batch in JETS:
        expected = Operation()(batch.p4, batch.offsets)
        torch.testing.assert_close(run(batch.p4, batch.offsets), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "bounds", [[0, 2, 4], [0, 2, 2], [1, 2, 3]], ids=["beyond", "short", "late"]
)
@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.startswith("segment")])
def test_bounds_of_another_batch_are_refused(operation, bounds):
    offsets = torch.tensor(bounds)
    values = torch.ones(2 if operation == "segment_gather" else 3, 2)
    others = (3,) if operation == "segment_gather" else ()
    message = (
        r"offsets: expected bounds from 0 to 3, the number of items, never falling, "
        rf"got bounds from {bounds[0]} to {bounds[-1]}. "
        r"Fix: pass the offsets of the batch to which the items belong"
    )
    with pytest.raises(InputError, match=message):
        getattr(_operators, operation)(values, offsets, *others)
