"""Messages between all pairs: on every kernel the reference's value and derivatives."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from support.pairs import (
    VARIANTS,
    arguments_of,
    assert_close_in_scale,
    derivatives,
    differentiable,
    flat,
    generator,
)
from support.ragged import forced, offsets_from
from support.symmetries import all_degenerate, jets
from torch.autograd import gradcheck, gradgradcheck
from torch.profiler import profile

from hepml.errors import InputError, KernelError
from hepml.ops import __main__ as listing
from hepml.ops import pair_messages, pair_moments
from hepml.ops.native import _library
from hepml.ops.pairs import _reference, _tiles, _torch
from hepml.ops.pairs._priority import PAIR_KERNELS

KERNEL_NAMES = ["native", "onednn", "torch", "reference"]
METRIC = torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)


def loop(a, b, offsets, p4, *, invariants, layers, gate, step):
    """The formula of the docstring, pair by pair."""

    def psi(x):
        return x.sign() * (x.abs() + 1).log()

    channels = layers[-1][0].shape[0] if layers else a.shape[1]
    received, moved = a.new_zeros(len(a), channels), torch.zeros_like(p4)
    for start, stop in zip(offsets.tolist(), offsets.tolist()[1:], strict=False):
        for i in range(start, stop):
            for j in set(range(start, stop)) - {i}:
                m = a[i] + b[j]
                difference = p4[i] - p4[j]
                if invariants is not None:
                    square, dot = METRIC @ difference.square(), METRIC @ (p4[i] * p4[j])
                    m = m + invariants @ torch.stack([psi(square), psi(dot)])
                m = m.relu()
                for weight, bias in layers:
                    m = (weight @ m + bias).relu()
                if gate is not None:
                    m = m * (gate[0] @ m + gate[1]).sigmoid()
                received[i] += m
                for k, (weight, bias) in enumerate(step):
                    m = weight @ (m.relu() if k else m) + bias
                if step:
                    moved[i] += m * difference
    return received, moved


each_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
each_kernel = pytest.mark.parametrize("name", KERNEL_NAMES[2:])  # the others are for float32


@each_kernel
@each_variant
def test_the_sums_are_those_of_a_loop_over_pairs(name, variant):
    arguments = arguments_of([0, 4, 1, 3, 0, 2], **variant)
    with forced(name):
        received, moved = pair_messages(**arguments)
    expected, expected_step = loop(**arguments)
    torch.testing.assert_close(received, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(moved, expected_step, rtol=1e-12, atol=1e-12)
    assert received.abs().max() > 1e-2


@each_variant
@settings(max_examples=15)
@given(counts=st.lists(st.integers(0, 7), max_size=6), seed=st.integers(0, 100))
def test_derivatives_are_those_of_the_reference(variant, counts, seed):
    # The reference is differentiated by torch itself, which knows nothing of our formulas.
    arguments = arguments_of(counts, seed, **variant)
    with forced("reference"):
        expected = derivatives(arguments)
    with forced("torch"):
        first = derivatives(arguments, second=False)
        result = derivatives(arguments)
    for got, wanted in zip([*first, *result], [*expected[: len(first)], *expected], strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)


def derivatives_and_kink(arguments):
    """What the reference gives; how near to 0 numbers for relu come, relative to the largest."""
    distances = [1.0]
    relu = torch.Tensor.relu

    def measured(x):
        if x.numel():
            sizes = x.detach().abs()
            distances.append(float(sizes.min() / sizes.max()))
        return relu(x)

    with forced("reference"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "relu", measured)
        return derivatives(arguments, second=False), min(distances)


def test_a_kink_is_recognised():
    assert derivatives_and_kink(arguments_of([15, 40], 38, width=24))[1] < 1e-6
    assert 1e-6 < derivatives_and_kink(arguments_of([3, 4], 1, width=24))[1] < 1e-2


@settings(max_examples=15)
@given(counts=st.lists(st.integers(0, 40), max_size=5), seed=st.integers(0, 100))
def test_float32_agrees_with_float64_on_every_kernel(counts, seed):
    arguments = arguments_of(counts, seed, width=24)
    expected, distance = derivatives_and_kink(arguments)
    # Rounding takes a number that is nearer to the other side, where the slope is another.
    assume(distance > 1e-6)
    with forced("reference"):
        rounded = derivatives(arguments, torch.float32, second=False)
    try:
        assert_close_in_scale(rounded, expected, 5e-5)
    except AssertionError:  # terms of a sum cancel, whatever computes it
        reject()
    # Triton's has tests of its own, which can be interpreted.
    for kernel in PAIR_KERNELS["pair_messages"][1:]:
        with forced(kernel.name):
            result = derivatives(arguments, torch.float32, second=False)
        assert {got.dtype for got in result} == {torch.float32}
        assert_close_in_scale(result, expected, 1e-4)


@each_variant
def test_derivatives_are_those_of_finite_differences(variant):
    function, inputs = differentiable(arguments_of([0, 3, 1, 2], width=3, **variant))
    with forced("torch"):
        assert gradcheck(function, inputs, fast_mode=True)
        assert gradgradcheck(function, inputs, fast_mode=True)


def test_a_derivative_without_the_invariants_would_be_found(monkeypatch):
    monkeypatch.setattr(_torch, "psi_backward", lambda d, x: 0 * d.to(x.dtype))
    function, inputs = differentiable(arguments_of([3]))
    with forced("torch"), pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradcheck(function, inputs)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("floats", [1, 200, 10**6])
def test_tiles_and_threads_change_nothing(monkeypatch, threads, floats):
    arguments = arguments_of([0, 12, 1, 30, 2, 2, 0, 7])
    with forced("reference"):
        expected = derivatives(arguments, second=False)
    monkeypatch.setattr(_torch, "_FLOATS", floats)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with forced("torch"):
            result = derivatives(arguments, second=False)
            again = derivatives(arguments, second=False)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for got, repeated, wanted in zip(result, again, expected, strict=True):
        assert torch.equal(got, repeated)
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10)


@settings(max_examples=30)
@given(counts=st.lists(st.integers(0, 12), max_size=8), size=st.integers(1, 60))
def test_tiles_hold_each_pair_once(counts, size):
    offsets = offsets_from(counts)
    found = []
    tiling = _tiles.Tiling(offsets, int(offsets[-1]), size)
    for tile in (tiling.tile(*each) for each in tiling.ranges):
        assert tile.pairs <= size or tile.last - tile.first == 1
        assert tile.pairs <= len(tile.receivers) == len(tile.senders)
        found += zip(
            tile.receivers[: tile.pairs].tolist(), tile.senders[: tile.pairs].tolist(), strict=True
        )
    receivers, senders, _ = _reference.pairs_of_sets(offsets, int(offsets[-1]))
    assert found == list(zip(receivers.tolist(), senders.tolist(), strict=True))
    assert len(found) == sum(n * (n - 1) for n in counts)


def test_few_tiles_differ_in_length():
    counts = torch.randint(5, 150, (300,), generator=generator()).tolist()
    offsets = offsets_from(counts)
    tiling = _tiles.Tiling(offsets, int(offsets[-1]), 4096)
    tiles = (tiling.tile(*each) for each in tiling.ranges)
    rows, pairs = zip(*((len(tile.receivers), tile.pairs) for tile in tiles), strict=True)
    assert len(set(rows)) <= 4
    assert sum(rows) < 1.05 * sum(pairs)


def test_memory_is_that_of_the_items():
    with forced("torch"):  # the profiler does not see what a library allocates
        _assert_memory_of_items()


def _assert_memory_of_items():
    peaks = []
    for items in (300, 600):
        arguments = arguments_of([items], width=16)
        function, inputs = differentiable(arguments, torch.float32)
        before = torch.get_num_threads()
        torch.set_num_threads(1)  # the profiler follows this thread alone
        try:
            with profile(profile_memory=True) as profiler:
                torch.autograd.grad(function(*inputs)[0].sum(), inputs[:2])
        finally:
            torch.set_num_threads(before)
        held, peak = 0, 0
        for event in profiler.profiler.kineto_results.events():
            if event.name() == "[memory]":
                held += event.nbytes()
                peak = max(peak, held)
        peaks.append(peak)
    all_messages = 600 * 599 * 16 * 4
    assert peaks[1] < all_messages
    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_memory_of_the_library_is_that_of_the_items():
    arguments = arguments_of([3000], width=16)
    function, inputs = differentiable(arguments, torch.float32)

    def resident(which):
        status = Path("/proc/self/status").read_text()
        return 1024 * int(re.search(rf"{which}:\s*(\d+)", status)[1])

    with forced("native"):
        _library.library()
        Path("/proc/self/clear_refs").write_text("5")  # the peak is that from now on
        before = resident("VmRSS")
        torch.autograd.grad(function(*inputs)[0].sum(), inputs[:2])
        assert resident("VmHWM") - before < 3000 * 2999 * 16 * 4 / 10


def test_edge_convolution_on_the_complete_graph():
    """``sum_j theta(h_i, h_j - h_i)``, which is the sum of a part of i and one of j."""
    h = torch.randn(6, 4, generator=generator(), dtype=torch.float64)
    on_i, on_difference = torch.randn(2, 5, 4, generator=generator(2), dtype=torch.float64)
    received, moved = pair_messages(
        h @ (on_i - on_difference).T, h @ on_difference.T, offsets_from([4, 2])
    )
    for i in range(6):
        others = {*range(4)} - {i} if i < 4 else {4, 5} - {i}
        expected = sum((on_i @ h[i] + on_difference @ (h[j] - h[i])).relu() for j in others)
        torch.testing.assert_close(received[i], expected)
    assert not moved.any()


def test_functions_of_invariants_alone():
    counts = [5, 3]
    p4 = jets(counts, generator(), scale=10.0).p4
    weight = torch.tensor([[0.0, 1.0], [0.0, -0.5]], dtype=torch.float64)
    bias = torch.tensor([-3.0, 4.0], dtype=torch.float64).expand(8, 2)
    received, _ = pair_messages(
        bias, torch.zeros_like(bias), offsets_from(counts), p4, invariants=weight
    )
    products = p4 * METRIC @ p4.T
    s = products.sign() * (products.abs() + 1).log()
    same = torch.block_diag(torch.ones(5, 5), torch.ones(3, 3)).fill_diagonal_(0)
    expected = (bias[:, None] + s[..., None] * weight[:, 1]).relu() * same[..., None]
    torch.testing.assert_close(received, expected.sum(1))


@pytest.mark.parametrize("name", KERNEL_NAMES)
def test_degenerate_momenta_have_finite_derivatives(name):
    particles = all_degenerate(torch.float32)
    arguments = arguments_of(particles.counts.tolist())
    arguments["p4"] = particles.p4.double()
    with forced(name):
        results = derivatives(arguments, torch.float32)
    assert all(result.isfinite().all() for result in results)


def test_half_precision_beside_float32_gives_float32():
    arguments = arguments_of([3, 4])
    function, inputs = differentiable(arguments, torch.float32)
    a, b, *others = inputs
    received, moved = function(a.bfloat16(), b.bfloat16(), *others)
    expected, _ = function(a, b, *others)
    assert (received.dtype, moved.dtype) == (torch.float32, torch.float32)
    torch.testing.assert_close(received, expected, rtol=0.05, atol=0.2)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("operation", ["pair_messages", "pair_moments"])
def test_operator_is_registered_as_torch_expects(operation):
    arguments = arguments_of([3, 0, 1, 4])
    given = (arguments["p4"].requires_grad_(), arguments["offsets"])
    if operation == "pair_messages":
        p4, offsets = given
        lists = [
            [t.requires_grad_() for t in flat(arguments[k])] for k in ("layers", "gate", "step")
        ]
        a, b, w = (arguments[k].requires_grad_() for k in ("a", "b", "invariants"))
        given = (a, b, offsets, p4, w, *lists)
    torch.library.opcheck(getattr(torch.ops.hepml, operation).default, given)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked_types")
def test_gradients_pass_through_the_compiler_with_sizes_that_change():
    torch._dynamo.reset()

    def function(a, b, p4, offsets, weight):
        received, moved = pair_messages(
            a, b, offsets, p4, invariants=weight, step=[(weight.T[:1], None)]
        )
        sums, _ = pair_moments(p4, offsets)
        return received.square().sum() + moved.square().sum() + sums.sum()

    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend="aot_eager")
    for counts in ([3, 4], [2, 6, 0, 3], [9, 1, 5]):
        arguments = arguments_of(counts)
        a, b, p4 = (arguments[name].requires_grad_() for name in ("a", "b", "p4"))
        offsets, weight = arguments["offsets"], arguments["invariants"]
        results = [
            torch.autograd.grad(f(a, b, p4, offsets, weight), (a, b, p4))
            for f in (function, compiled)
        ]
        torch.testing.assert_close(*results)


def test_moments_are_sums_over_pairs():
    counts = [4, 0, 1, 3]
    p4 = jets(counts, generator(), scale=10.0).p4
    sums, squares = pair_moments(p4, offsets_from(counts))
    receivers, senders, _ = _reference.pairs_of_sets(offsets_from(counts), 8)
    x = torch.stack(
        [((p4[receivers] - p4[senders]) ** 2) @ METRIC, (p4[receivers] * p4[senders]) @ METRIC], 1
    )
    s = x.sign() * (x.abs() + 1).log()
    torch.testing.assert_close(sums, torch.zeros(8, 2).double().index_add(0, receivers, s))
    torch.testing.assert_close(squares, s.T @ s)


@each_kernel
def test_derivatives_of_moments(name):
    offsets = offsets_from([3, 0, 1, 4])
    p4 = jets([3, 0, 1, 4], generator(), scale=3.0, mass=1.0).p4.requires_grad_()
    with forced(name):
        assert gradcheck(lambda p4: pair_moments(p4, offsets), p4)
        assert gradgradcheck(lambda p4: pair_moments(p4, offsets), p4, fast_mode=True)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": torch.zeros(7, 4)}, r"a and b: expected the same shape"),
        ({"p4": None}, r"p4: expected momenta, for the invariants and the step, got None"),
        ({"p4": torch.zeros(3, 4)}, r"p4: expected shape \(7, 4\).*got \(3, 4\)"),
        ({"offsets": torch.tensor([0, 5])}, r"offsets: expected bounds from 0 to 7.*from 0 to 5"),
        ({"offsets": torch.tensor([0, 9, 7])}, r"offsets: .*never falling"),
        ({"offsets": torch.tensor([0.0, 7.0])}, r"offsets: expected int64"),
        ({"invariants": torch.zeros(5, 3)}, r"invariants: expected shape \(5, 2\), got \(5, 3\)"),
        ({"layers": [(torch.zeros(4, 4), None)]}, r"layers: expected shape \(outputs, 5\)"),
        ({"gate": (torch.zeros(2, 6), None)}, r"gate: expected shape \(1, 6\), got \(2, 6\)"),
        ({"step": [(torch.zeros(2, 6), None)]}, r"step: expected shape \(1, 6\), got \(2, 6\)"),
        ({"step": [(torch.zeros(1, 6), torch.zeros(3))]}, r"step, bias: expected shape \(1\)"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with forced("torch"), pytest.raises(InputError, match=message):
        pair_messages(**{**arguments_of([3, 4]), **change})


def test_kernels_are_listed_with_the_reasons_against_them(monkeypatch):
    monkeypatch.delenv("HEPML_KERNEL", raising=False)
    single, double = listing.pair_report("cpu"), listing.pair_report("cpu", torch.float64)
    assert single[0] == "pair_messages on cpu"
    assert next(line for line in single if line.startswith("*")).split()[1] == "native"
    for name in ("native", "onednn"):
        assert f"  {name:<14}cannot: it is for float32, not torch.float64" in double
    assert next(line for line in double if line.startswith("*")).split()[1] == "torch"
    assert len(single) == sum(1 + len(kernels) for kernels in PAIR_KERNELS.values())


def test_a_name_of_another_operation_alone_is_no_choice():
    with forced("onednn,reference"):
        assert pair_messages(**arguments_of([2]))[0].isfinite().all()
    message = r"HEPML_KERNEL for pair_messages: expected names among .*onednn, torch, ref"
    with forced("torch_scatter"), pytest.raises(KernelError, match=message):
        pair_messages(**arguments_of([2]))


def test_inside_autocast_the_result_is_that_outside():
    arguments = arguments_of([12, 3, 9])
    arguments = {
        name: [(w.float(), b.float()) for w, b in value] if name in ("layers", "step") else value
        for name, value in arguments.items()
    }
    arguments["gate"] = tuple(each.float() for each in arguments["gate"])
    for name in ("a", "b", "p4", "invariants"):
        arguments[name] = arguments[name].float()
    offsets = arguments.pop("offsets")
    a, b = arguments.pop("a"), arguments.pop("b")
    for name in KERNEL_NAMES:
        with forced(f"{name},torch"):
            outside = pair_messages(a, b, offsets, **arguments)
            with torch.autocast("cpu", torch.bfloat16):
                inside = pair_messages(a, b, offsets, **arguments)
        assert torch.equal(inside[0], outside[0])
        assert torch.equal(inside[1], outside[1])


def test_gradients_have_the_strides_that_the_compiler_was_told():
    function, inputs = differentiable(arguments_of([4, 3]))
    received, moved = function(*inputs)
    gradients = torch.autograd.grad(received.sum() + moved.sum(), inputs)
    assert all(gradient.is_contiguous() for gradient in gradients)


def test_wide_layers_have_short_tiles():
    arguments = arguments_of([40], width=1)
    wide = torch.ones(5000, 1, dtype=torch.float64), torch.ones(5000, dtype=torch.float64)
    narrow = torch.ones(1, 5000, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    of = _torch._Arguments.of(
        *(arguments["a"], arguments["b"], arguments["p4"], arguments["invariants"]),
        *([*wide], [], [*narrow]),
    )
    assert len(of.tiling(arguments["offsets"]).ranges) > 20


def test_no_compiler_is_said_once(monkeypatch):
    from hepml.ops.pairs import _operators

    monkeypatch.delenv("HEPML_KERNEL", raising=False)
    monkeypatch.setattr(_library, "_built", lambda: (None, "there is no C compiler 'cc'"))
    monkeypatch.setattr(_library, "_built_for", lambda _: None)
    _operators._warn_once.cache_clear()
    a, offsets = torch.ones(3, 2), torch.tensor([0, 3])
    with pytest.warns(UserWarning, match="three times as long.*there is no C compiler 'cc'"):
        pair_messages(a, a, offsets)
    # Warnings are errors here.
    pair_messages(a, a, offsets)
    _operators._warn_once.cache_clear()
    monkeypatch.setenv("HEPML_KERNEL", "onednn,torch,reference")
    pair_messages(a, a, offsets)
