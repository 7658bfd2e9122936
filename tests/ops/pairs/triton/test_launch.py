"""The Triton kernels of pairs: without a GPU, interpreted by Triton in a process of its own."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pairs import VARIANTS, arguments_of, flat
from support.ragged import DEVICES, forced
from support.symmetries import all_degenerate

from hepml.errors import KernelError
from hepml.ops import pair_messages
from hepml.ops._kernel import import_failure
from hepml.ops.pairs import _reference
from hepml.ops.pairs.triton import _launch
from hepml.ops.segments import _triton

DEVICE = DEVICES[-1]
CPU_REASON = "it needs a CUDA device, and the values are on cpu"
each_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
not_interpreted = pytest.mark.skipif(_triton._INTERPRETED, reason="needs CUDA: interpreted already")


@pytest.fixture
def runs():
    """Skip where Triton cannot run."""
    if _triton.why_not(torch.ones(1, device=DEVICE)):
        pytest.skip("needs CUDA: interpreted by triton/test_launch.py")


def operands(arguments, dtype=torch.float32):
    """The arguments of the kernel."""
    a, b, p4 = (arguments[name].to(DEVICE, dtype) for name in ("a", "b", "p4"))
    weight = arguments["invariants"]
    weight = a.new_zeros(a.shape[1], 0) if weight is None else weight.to(DEVICE, dtype)
    lists = [
        [each.to(DEVICE, dtype) for each in flat(arguments[name])]
        for name in ("layers", "gate", "step")
    ]
    return a, b, arguments["offsets"].to(DEVICE), p4, weight, *lists


def results(module, given, seed=3):
    """The values and the gradients that a module's kernels give."""
    values = module.pair_messages(*given)
    made = torch.Generator().manual_seed(seed)
    above = [torch.randn(each.shape, generator=made, dtype=torch.float64) for each in values]
    above = [d.to(each) for d, each in zip(above, values, strict=True)]
    with torch.no_grad():
        gradients = module.pair_messages_backward(*above, *given)
    return [each.detach() for each in (*values, *gradients)]


def assert_agrees(arguments, got=None):
    """As near to the reference in float64 as the reference in float32 is."""
    got = results(_launch, operands(arguments)) if got is None else got
    wanted = results(_reference, operands(arguments, torch.float64))
    single = results(_reference, operands(arguments))
    for result, expected, rounded in zip(got, wanted, single, strict=True):
        assert result.dtype == torch.float32
        assert result.shape == expected.shape
        assert result.is_contiguous()
        if result.numel():
            error, usual = ((each - expected).abs().max() for each in (result, rounded))
            assert error <= 16 * usual + 1e-6 * expected.abs().max()


@not_interpreted
@pytest.mark.slow
@pytest.mark.timeout(900)  # the interpreter is slow, and slower where cores are shared
def test_all_of_this_once_more_interpreted():
    pytest.importorskip("triton", reason="needs triton")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[4],
        env={**os.environ, "TRITON_INTERPRET": "1"},
    )
    assert run.returncode == 0, run.stdout
    # All but this one, and those that compile.
    assert " passed, 9 skipped" in run.stdout


def test_reasons(monkeypatch):
    monkeypatch.setattr(_triton, "_INTERPRETED", False)
    given = operands(arguments_of([3, 2]))
    if DEVICE == "cpu":
        assert _launch.why_not(*given) == [CPU_REASON]
        monkeypatch.setenv("HEPML_KERNEL", "triton")
        with pytest.raises(KernelError, match=f"got triton: {CPU_REASON}"):
            pair_messages(given[0], given[1], given[2])
    monkeypatch.setattr(_triton, "_INTERPRETED", True)
    monkeypatch.setattr(_launch, "import_failure", lambda *_: None)
    monkeypatch.setattr(_launch, "_version_failure", lambda: None)
    (reason,) = _launch.why_not(*operands(arguments_of([3, 2]), torch.float64))
    assert reason == "it is for float32, not torch.float64"
    wide = operands(arguments_of([3, 2], width=128, layers=1))
    assert _launch.why_not(*wide) == ["it holds 128 channels at most, not 129"]
    assert _launch.why_not(wide[0], *wide) == ["it holds 128 channels at most, not 129"]
    assert _launch.why_not(*given) == _launch.why_not_moments(given[3], given[2]) == []
    (reason,) = _launch.why_not_moments(given[3], given[3].half())
    assert reason == "it does not take torch.float16"


def test_a_package_that_is_absent_is_a_reason(monkeypatch):
    def fail(_):
        raise ModuleNotFoundError

    monkeypatch.setattr(_triton, "_INTERPRETED", True)
    import_failure.cache_clear()
    monkeypatch.setattr(importlib, "import_module", fail)
    reason = "triton is not installed (pip install triton)"
    assert _launch.why_not(*operands(arguments_of([2]))) == [reason]
    import_failure.cache_clear()


def test_a_package_that_is_old_is_a_reason(monkeypatch):
    pytest.importorskip("triton", reason="needs triton")
    monkeypatch.setattr(_triton, "_INTERPRETED", True)
    monkeypatch.setattr("triton.__version__", "3.4.0")
    _launch._version_failure.cache_clear()
    reason = "it needs triton 3.5, not 3.4.0 (pip install -U triton)"
    assert _launch.why_not(*operands(arguments_of([2]))) == [reason]
    _launch._version_failure.cache_clear()


@pytest.mark.parametrize("width", [1, 15, 16, 17, 24, 33, 64, 72, 80, 81, 96, 97, 128])
def test_chunks_hold_all_channels_and_few_more(width):
    chunks = _launch._chunks(width)
    assert [first for first, _, _ in chunks] == [0, chunks[0][1]][: len(chunks)]
    assert all(size >= 16 and size.bit_count() == 1 for _, size, _ in chunks)
    (total,) = {total for _, _, total in chunks}
    assert total == sum(size for _, size, _ in chunks)
    assert width <= total <= 4 * width / 3 + 16


@pytest.mark.parametrize(
    ("asked", "taken"), [("highest", "tf32x3"), ("high", "tf32"), ("medium", "bf16")]
)
def test_precision_is_what_torch_is_asked_for(monkeypatch, asked, taken):
    monkeypatch.setattr(_triton, "_INTERPRETED", False)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(asked)
    try:
        assert _launch._precision() == taken
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("runs")
@each_variant
@settings(max_examples=3)
@given(counts=st.lists(st.integers(0, 12), max_size=4), seed=st.integers(0, 100))
def test_value_and_gradients_are_those_of_the_reference(variant, counts, seed):
    arguments = arguments_of(counts, seed, **variant)
    assert_agrees(arguments)


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("width", [7, 33, 72, 127])
def test_widths_and_sets_of_all_sizes(width):
    assert_agrees(arguments_of([3, 0, 26, 1], width=width, layers=1))


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("multiprocessors", [1, 50])
def test_programs_and_groups_change_only_roundings(monkeypatch, multiprocessors):
    monkeypatch.setattr(_launch, "_multiprocessors", lambda _: multiprocessors)
    arguments = arguments_of([20, 0, 1, 9, 2])
    once, again = (results(_launch, operands(arguments)) for _ in range(2))
    assert_agrees(arguments, once)
    assert all(map(torch.equal, once, again))


@pytest.mark.usefixtures("runs")
def test_momenta_in_double_precision_keep_it():
    arguments = arguments_of([6, 3], layers=0, gate=False, step=1)
    # Of 1 TeV each and nearly parallel: their products are lost in single precision.
    arguments["p4"] = arguments["p4"].new_tensor([[1e3, 0.0, 0.0, 1e3]]) + arguments["p4"]
    a, b, offsets, p4, *others = operands(arguments)
    p4 = arguments["p4"].to(DEVICE)
    received, moved = _launch.pair_messages(a, b, offsets, p4, *others)
    expected, expected_step = _reference.pair_messages(a, b, offsets, p4, *others)
    torch.testing.assert_close(received, expected, rtol=1e-5, atol=1e-4)
    assert moved.dtype == torch.float64
    torch.testing.assert_close(moved, expected_step, rtol=1e-5, atol=1e-2)


@pytest.mark.usefixtures("runs")
def test_degenerate_momenta_have_finite_derivatives():
    particles = all_degenerate(torch.float32)
    arguments = arguments_of(particles.counts.tolist())
    arguments["p4"] = particles.p4.double()
    assert all(each.isfinite().all() for each in results(_launch, operands(arguments)))


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=4)
@given(counts=st.lists(st.integers(0, 24), max_size=4), seed=st.integers(0, 100))
def test_moments_and_their_gradients_are_those_of_the_reference(dtype, counts, seed):
    arguments = arguments_of(counts, seed)
    p4, offsets = arguments["p4"].to(DEVICE, dtype), arguments["offsets"].to(DEVICE)
    made = torch.Generator().manual_seed(seed)
    above = [
        torch.randn(shape, generator=made, dtype=torch.float64).to(DEVICE)
        for shape in [(len(p4), 2), (2, 2)]
    ]
    found = [
        [*module.pair_moments(p4, offsets), module.pair_moments_backward(*above, p4, offsets)]
        for module in (_launch, _reference)
    ]
    precision = 20 * torch.finfo(dtype).eps
    for got, wanted in zip(*found, strict=True):
        assert got.dtype == wanted.dtype
        assert got.shape == wanted.shape
        scale = float(wanted.detach().abs().max()) if wanted.numel() else 0.0
        torch.testing.assert_close(got, wanted, rtol=0, atol=precision * scale)


@pytest.mark.usefixtures("runs")
def test_the_operator_takes_it():
    a, b, offsets, p4, weight, layers, gate, step = operands(arguments_of([5, 0, 11]))
    inputs = [each.requires_grad_() for each in (a, b, p4, weight)]
    found = []
    for name in ("triton", "reference"):
        with forced(name):
            received, moved = pair_messages(
                *(a, b, offsets, p4),
                invariants=weight,
                layers=[tuple(layers)],
                gate=tuple(gate),
                step=[tuple(step[:2]), tuple(step[2:])],
            )
            loss = received.sum() + moved.sum()
            found.append([received, moved, *torch.autograd.grad(loss, inputs)])
    for got, wanted in zip(*found, strict=True):
        scale = float(wanted.detach().abs().max())
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-4 * scale)


@not_interpreted
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("module", "program", "precision"),
    [
        ("forward", "sum_messages", "tf32x3"),
        ("forward", "sum_messages", "tf32"),
        ("forward", "sum_messages", "bf16"),
        ("backward", "add_gradients", "tf32x3"),
        ("backward", "add_gradients", "tf32"),
        ("backward", "add_gradients", "bf16"),
        ("moments", "sum_invariants", None),
        ("moments", "add_gradient", None),
    ],
)
def test_the_compiler_makes_machine_code_for_an_h100(
    monkeypatch, tmp_path, module, program, precision
):
    """Without a GPU: Triton brings the assembler."""
    pytest.importorskip("triton", reason="needs triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(_launch, "_precision", lambda: precision)
    a, _, _, _, weight, *lists = operands(arguments_of([2], width=24))
    constants = {**_launch._constants(a, weight, *lists), "SCRATCH": 4096}
    kernels = importlib.import_module(f"hepml.ops.pairs.triton._{module}_kernels")
    function = getattr(kernels, program)
    constants = {name: constants[name] for name in function.arg_names if name in constants}
    sizes = ("items", "sets", "groups", "number_of_weights")
    double = ("sums", "squares", "d_sums", "d_squares")
    types = {"offsets": "*i64", **dict.fromkeys(double, "*fp64"), **dict.fromkeys(sizes, "i32")}
    signature = {
        name: "constexpr" if name in constants else types.get(name, "*fp32")
        for name in function.arg_names
    }
    source = ASTSource(function, signature, constants)
    made = compile(source, target=GPUTarget("cuda", 90, 32), options=_launch._LAUNCH)
    assert made.asm["cubin"].startswith(b"\x7fELF")
    assert ("mma" in made.asm["ptx"]) == (precision is not None)
