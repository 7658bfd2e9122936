"""The library in C: made once, why not, and right where the tests of other kernels do not look."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.pairs import VARIANTS, arguments_of, assert_close_in_scale, derivatives, flat
from support.ragged import forced, offsets_from

from hepml import ops
from hepml.errors import InputError
from hepml.ops import __main__ as listing
from hepml.ops import pair_messages, pair_moments
from hepml.ops.native import _library
from hepml.ops.pairs import _native as _pair_native
from hepml.ops.segments import _native as _native_segments
from hepml.ops.segments import _reference
from hepml.ops.segments._priority import KERNELS

OPERATIONS = [name for name, kernels in KERNELS.items() if "native" in [k.name for k in kernels]]
each_variant = pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """As if the library had never been asked for; its folder is a new one, its code is not fast."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("CFLAGS", "-O0")
    _library._built.cache_clear()
    yield tmp_path / "hepml"
    _library._built.cache_clear()


def test_it_is_compiled_once(fresh, monkeypatch):
    assert _library.why_not(torch.ones(1)) == []
    (library,) = fresh.iterdir()
    assert library.suffix == ".so"
    monkeypatch.setattr(_library, "_made", lambda *_: pytest.fail("compiled again"))
    _library._built.cache_clear()
    assert _library.why_not(torch.ones(1)) == []


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The content of a library."""
    folder = tmp_path_factory.mktemp("compiled")
    return _library._compiled(["cc"], [*_library._OPTIONS, "-O0"], folder).read_bytes()


@pytest.fixture
def copied(fresh, compiled, monkeypatch):
    """A folder with a library, which is made by copying one; and how often it was made."""

    def copy(*arguments):
        scratch = arguments[-1]
        made.append(scratch)
        (scratch / "library.so").write_bytes(compiled)
        return scratch / "library.so"

    made = []
    monkeypatch.setattr(_library, "_compiled", copy)
    assert _library.why_not(torch.ones(1)) == []
    _library._built.cache_clear()
    return fresh, made


@pytest.mark.parametrize("kept", [0, 64, 20_000])
@pytest.mark.parametrize("whole", [True, False], ids=["zeros", "cut"])
def test_a_library_that_was_damaged_is_made_again(copied, kept, whole):
    """Loading one of the right size with other content would end the process."""
    folder, made = copied
    (library,) = folder.iterdir()
    content = library.read_bytes()
    # A new file: this process has the other one open.
    library.unlink()
    library.write_bytes(content[:kept].ljust(len(content) if whole else 0, b"\0"))
    assert _library.why_not(torch.ones(1)) == []
    assert len(made) == 2
    assert [path.read_bytes() for path in folder.iterdir()] == [content]


def test_a_library_that_does_not_load_is_made_again(copied):
    """As one of another system, in a home that several share."""
    folder, made = copied
    (library,) = folder.iterdir()
    content = library.read_bytes()
    library.unlink()
    foreign = content[:18] + b"\xff\xff" + content[20:]
    stem = library.stem.rpartition("-")[0]
    (folder / f"{stem}-{_library._short_digest(foreign)}.so").write_bytes(foreign)
    assert _library.why_not(torch.ones(1)) == []
    assert len(made) == 2
    assert [path.read_bytes() for path in folder.iterdir()] == [content]


def test_what_a_killed_compilation_left_is_removed(copied):
    folder, made = copied
    for library in folder.iterdir():
        library.unlink()
    (folder / "making-abc").mkdir()
    (folder / "making-abc" / "0.o").write_text("")
    assert _library.why_not(torch.ones(1)) == []
    assert len(made) == 2
    assert [path.suffix for path in folder.iterdir()] == [".so"]


def test_it_is_that_of_the_sources_read_with_the_module(fresh, monkeypatch):
    assert _library.why_not(torch.ones(1)) == []
    monkeypatch.setitem(_library._TEXTS, "native.h", "/* Of another version. */")
    _library._built.cache_clear()
    (reason,) = _library.why_not(torch.ones(1))
    assert reason.startswith("cc fails (")
    assert len(list(fresh.iterdir())) == 1


def test_a_folder_that_others_can_write_to_is_not_trusted(fresh):
    fresh.mkdir()
    fresh.chmod(0o777)
    (reason,) = _library.why_not(torch.ones(1))
    assert "others than this user can write to" in reason


def test_nothing_is_compiled_for_other_kernels(fresh):
    values = torch.ones(4, dtype=torch.float64)
    with forced("torch"):
        assert ops.segment_sum(values, torch.tensor([0, 4])).tolist() == [4]
    assert not fresh.exists()


@pytest.mark.usefixtures("fresh")
def test_without_a_home_others_take_over(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: exec("raise RuntimeError('no home directory')"))
    monkeypatch.delenv("HEPML_KERNEL", raising=False)
    assert _library.why_not(torch.ones(1)) == [
        "it cannot be compiled and loaded (no home directory)"
    ]
    assert ops.segment_sum(torch.ones(4), torch.tensor([0, 4])).tolist() == [4]


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="needs an x86 processor")
@pytest.mark.parametrize("processor", ["x86-64", "x86-64-v3"])
def test_processors_with_narrower_vectors(processor, tmp_path):
    if processor == "x86-64-v3" and "avx2" not in Path("/proc/cpuinfo").read_text():
        processor = "x86-64"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k"]
    tests = "every_width or moments or exponential or nan or derivatives"
    run = subprocess.run(
        [*command, tests],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "CFLAGS": f"-march={processor}"},
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-2000:]
    assert " passed" in run.stdout


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="needs an x86 processor")
def test_no_array_of_the_narrowest_vectors_is_left(tmp_path):
    code = """
import torch
from hepml import ops
for dtype in (torch.float32, torch.float64):
    for width in range(1, 10):
        values = torch.randn(90, width, dtype=dtype, requires_grad=True)
        for name in ("sum", "mean", "max", "softmax", "logsumexp"):
            result = getattr(ops, f"segment_{name}")(values, torch.tensor([0, 1, 1, 70, 90]))
            result.sum().backward()
print("done")
"""
    checks = "-O1 -march=x86-64 -fsanitize=bounds -fsanitize-undefined-trap-on-error"
    environment = {"XDG_CACHE_HOME": str(tmp_path), "CFLAGS": checks, "HEPML_KERNEL": "native"}
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert (run.returncode, run.stdout) == (0, "done\n"), run.stderr[-2000:]


def test_saved_tensors_of_another_dtype_are_refused():
    values = torch.randn(10, 2, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: x.half() if x.is_floating_point() else x, lambda x: x
    ):
        result = ops.segment_softmax(values, torch.tensor([0, 4, 10]))
    with pytest.raises(InputError, match=r"float32 or float64 for all of them, got torch.float16"):
        result.sum().backward()


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        ("no-such-compiler", r"there is no C compiler 'no-such-compiler' (install gcc, or set CC)"),
        (f"{sys.executable} -c pass", "it cannot be compiled and loaded"),
        ("false", "false fails (1)"),
    ],
)
def test_without_a_compiler_others_take_over(fresh, monkeypatch, compiler, reason):
    monkeypatch.setenv("CC", compiler)
    monkeypatch.delenv("HEPML_KERNEL", raising=False)
    (found,) = _library.why_not(torch.ones(1))
    assert reason in found
    assert not fresh.exists() or list(fresh.iterdir()) == []
    lines = listing.report("cpu")
    assert f"  native        cannot: {found}" in lines
    assert next(line for line in lines if line.startswith("*")).split()[1] == "torch"
    assert ops.segment_sum(torch.arange(6.0), torch.tensor([0, 2, 6])).tolist() == [1, 14]
    with pytest.raises(InputError, match=r"bounds from 0 to 6, falling in between"):
        ops.segment_sum(torch.arange(6.0), torch.tensor([0, 7, 6]))


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    _library._built.cache_clear()
    try:
        (reason,) = _library.why_not(torch.ones(1))
    finally:
        _library._built.cache_clear()
    assert "it cannot be compiled and loaded" in reason


@pytest.mark.slow
def test_one_of_several_processes_makes_it_and_the_others_wait(tmp_path):
    compiler = tmp_path / "cc"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nexec cc "$@"\n')
    compiler.chmod(0o700)
    code = (
        "import torch; from hepml.ops.native import _library;"
        "assert not _library.why_not(torch.ones(1))"
    )
    cache = tmp_path / "cache"
    environment = {"CC": str(compiler), "XDG_CACHE_HOME": str(cache), "CFLAGS": "-O0"}
    command = [sys.executable, "-c", code]
    runs = [subprocess.Popen(command, env={**os.environ, **environment}) for _ in range(8)]
    assert [run.wait() for run in runs] == [0] * 8
    assert len(list((cache / "hepml").iterdir())) == 1
    linked = [call for call in (tmp_path / "calls").read_text().splitlines() if "-shared" in call]
    assert len(linked) == 1


def arguments_for(operation, lengths, channels, dtype=torch.float32, seed=0):
    """Values for an operation."""
    offsets = offsets_from(lengths)
    items = int(offsets[-1])
    generator = torch.Generator().manual_seed(seed)
    if operation == "segment_gather":
        rows = torch.randn(len(lengths), channels, generator=generator, dtype=dtype)
        return rows, offsets, items
    return torch.randn(items, channels, generator=generator, dtype=dtype) * 3, offsets


@each_dtype
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("channels", [*range(1, 20), 31, 32, 33, 47, 64, 65, 100, 300])
def test_every_width_and_number_of_threads(operation, channels, dtype, monkeypatch):
    monkeypatch.setattr(_native_segments, "_NUMBERS_PER_THREAD", 1)
    # The threads meet inside long segments, and the first has nothing but empty ones before it.
    arguments = arguments_for(operation, [0, 0, 700, 1, 0, 16, 17, 33, 2, 300, 0], channels, dtype)
    expected = getattr(_reference, operation)(arguments[0].double(), *arguments[1:])
    single = dtype == torch.float32
    tolerance = {"rtol": 2e-6, "atol": 1e-4} if single else {"rtol": 1e-14, "atol": 1e-12}
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 7):
            torch.set_num_threads(threads)
            result = getattr(_native_segments, operation)(*arguments)
            torch.testing.assert_close(result.double(), expected, **tolerance)
            assert torch.equal(result, getattr(_native_segments, operation)(*arguments))
    finally:
        torch.set_num_threads(before)


@each_dtype
@pytest.mark.parametrize("operation", ["sum", "mean", "max", "min", "softmax", "logsumexp"])
@pytest.mark.parametrize("channels", [1, 3, 16, 40])
def test_derivatives_are_those_of_the_reference(operation, channels, dtype):
    values, offsets = arguments_for("", [3, 0, 50, 1, 20], channels, dtype)
    values = (values * 2).round() / 2  # ties
    values[3:20] = -torch.inf if operation in ("softmax", "logsumexp") else 1.0
    shape = getattr(_reference, f"segment_{operation}")(values, offsets).shape
    above = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
    found = {}
    for name, kind in (("native", dtype), ("reference", torch.float64)):
        inputs = values.to(kind).requires_grad_()
        with forced(name):
            result = getattr(ops, f"segment_{operation}")(inputs, offsets)
            (found[name],) = torch.autograd.grad(result, inputs, above.to(kind))
    assert found["native"].abs().max() > 0.1
    close = 1e-5 if dtype == torch.float32 else 1e-13
    torch.testing.assert_close(
        found["native"].double(), found["reference"], rtol=close, atol=close / 10
    )


@each_dtype
@pytest.mark.parametrize("channels", [1, 3, 20])
def test_nan_and_infinity_pass_as_in_the_reference(channels, dtype):
    values, offsets = arguments_for("", [20, 30, 40, 7], channels, dtype)
    values[5] = torch.nan
    values[20:50] = -torch.inf
    values[60, -1] = torch.inf
    for operation in OPERATIONS:
        if operation == "segment_gather":
            continue
        result = getattr(_native_segments, operation)(values, offsets)
        expected = getattr(_reference, operation)(values, offsets)
        torch.testing.assert_close(result, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("dtype", "span"),
    [
        *((torch.float32, span) for span in (1e-8, 1e-3, 1.0, 20.0, 80.0)),
        *((torch.float64, span) for span in (1e-8, 1.0, 700.0)),
    ],
)
def test_exponential(span, dtype):
    # A segment of two: the first is 0, so that the sum is 1 + exp(x).
    x = -torch.linspace(0, span, 4001, dtype=dtype)
    values = torch.stack([torch.zeros_like(x), x], dim=1).reshape(-1)
    offsets = torch.arange(0, 2 * len(x) + 1, 2)
    softmax = _native_segments.segment_softmax(values, offsets)[1::2].double()
    tolerance = 4e-7 if dtype == torch.float32 else 1e-15
    torch.testing.assert_close(softmax, x.double().sigmoid(), rtol=tolerance, atol=0)


def test_means_of_many_numbers_keep_their_digits():
    values = torch.rand(300_000, 4, generator=torch.Generator().manual_seed(0)) + 1
    mean = _native_segments.segment_mean(values, torch.tensor([0, len(values)]))
    torch.testing.assert_close(mean[0].double(), values.double().mean(0), rtol=1e-6, atol=0)


def test_large_results():
    # 40 MB, whose memory is asked for in large pages.
    rows, offsets, items = arguments_for("segment_gather", [60_000, 0, 18_000], 65, torch.float64)
    result = _native_segments.segment_gather(rows, offsets, items)
    assert torch.equal(result, _reference.segment_gather(rows, offsets, items))


def test_values_that_are_not_contiguous():
    values = torch.randn(3, 60).T
    offsets = torch.tensor([0, 20, 60])
    result = _native_segments.segment_sum(values, offsets)
    torch.testing.assert_close(result, _reference.segment_sum(values, offsets))


@each_variant
@pytest.mark.parametrize("width", [1, 5, 16, 40, 90])
def test_pairs_of_every_width(variant, width):
    arguments = arguments_of([0, 40, 1, 3, 0, 2, 17], width=width, **variant)
    with forced("reference"):
        expected = derivatives(arguments, second=False)
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            with forced("native"):
                result = derivatives(arguments, torch.float32, second=False)
                again = derivatives(arguments, torch.float32, second=False)
            assert all(map(torch.equal, result, again))
            assert_close_in_scale(result, expected, 5e-5)
    finally:
        torch.set_num_threads(before)


def test_a_nan_stays_in_its_set():
    arguments = arguments_of([4, 5], width=20)
    arguments["a"][1] = torch.nan
    arguments = {
        name: [tuple(t.float() for t in layer) for layer in value] if isinstance(value, list)
        else tuple(t.float() for t in value) if isinstance(value, tuple)
        else value if name == "offsets" else value.float()
        for name, value in arguments.items()
    }  # fmt: skip
    with forced("native"):
        received, moved = pair_messages(**arguments)
    assert received[1].isnan().all()
    assert moved[1].isnan().all()
    assert received[[0, 2, 3, 4, 5, 6, 7, 8]].isfinite().all()


@each_dtype
def test_moments(dtype):
    p4 = arguments_of([0, 400, 1, 3, 0, 2, 17])["p4"].to(dtype)
    offsets = offsets_from([0, 400, 1, 3, 0, 2, 17])
    found = {}
    for name in ("native", "reference"):
        inputs = p4.clone().requires_grad_()
        with forced(f"{name},reference"):
            sums, squares = pair_moments(inputs, offsets)
        above = (
            torch.arange(2.0 * len(p4)).cos().double().reshape(-1, 2),
            torch.ones(2, 2).double(),
        )
        (d_p4,) = torch.autograd.grad((sums, squares), inputs, above)
        found[name] = [sums.detach(), squares.detach(), d_p4]
    rtol = 1e-12 if dtype == torch.float64 else 1e-5
    for got, wanted in zip(found["native"], found["reference"], strict=True):
        assert got.dtype == wanted.dtype
        torch.testing.assert_close(got, wanted, rtol=rtol, atol=rtol * float(wanted.abs().max()))


def test_too_many_layers():
    layer = (torch.eye(3), None)
    a = torch.rand(4, 3)
    expected = pair_messages(a, a, torch.tensor([0, 4]), layers=[layer] * 3)[0]
    deep = pair_messages(a, a, torch.tensor([0, 4]), layers=[layer] * 20)[0]
    torch.testing.assert_close(deep, expected)
    from hepml.ops.pairs._priority import PAIR_KERNELS

    native = next(k for k in PAIR_KERNELS["pair_messages"] if k.name == "native")
    assert native.reasons(a, a, 0, a, a, [*layer] * 20, [], []) == ["it takes 16 layers, not 20"]


def test_the_default_dtype_and_device_change_nothing():
    arguments = arguments_of([4, 9, 1], width=6)
    with forced("native"):
        expected = derivatives(arguments, torch.float32, second=False)
        torch.set_default_dtype(torch.float64)
        try:
            with torch.device("meta"):
                results = _pair_native_gradients(arguments)
        finally:
            torch.set_default_dtype(torch.float32)
        again = _pair_native_gradients(arguments)
    assert all(map(torch.equal, results, again))
    assert {tensor.dtype for tensor in expected} == {torch.float32}


def _pair_native_gradients(arguments):
    """What the library gives for the backward pass."""
    lists = [[t.float() for t in flat(arguments[name])] for name in ("layers", "gate", "step")]
    a, b, p4, invariants = (arguments[n].float() for n in ("a", "b", "p4", "invariants"))
    received = a.new_ones(a.shape[0], lists[0][-1].shape[0])
    return _pair_native.pair_messages_backward(
        received, p4, a, b, arguments["offsets"], p4, invariants, *lists
    )


def test_no_channels():
    a = torch.randn(6, 4, requires_grad=True)
    p4 = torch.rand(6, 4, requires_grad=True)
    layers = [(torch.zeros(0, 4), torch.zeros(0))]
    step = [(torch.zeros(1, 0), torch.ones(1))]
    offsets = torch.tensor([0, 6])
    found = {}
    for name in ("native", "torch"):
        with forced(name):
            received, moved = pair_messages(a, a.detach(), offsets, p4, layers=layers, step=step)
        (d_p4,) = torch.autograd.grad((moved * torch.arange(4.0)).sum(), p4)
        found[name] = (received, moved.detach(), d_p4)
    for got, wanted in zip(found["native"], found["torch"], strict=True):
        torch.testing.assert_close(got, wanted)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("p4", "offsets", "message"),
    [
        (
            torch.rand(4, 3),
            torch.tensor([0, 4]),
            r"p4: expected floating point of shape \(items, 4\)",
        ),
        (torch.rand(4, 4), torch.tensor([0, 4], dtype=torch.int32), "offsets: expected int64"),
        (torch.rand(0, 4), torch.zeros(0, dtype=torch.int64), "offsets: expected int64"),
        (torch.rand(4, 4), torch.tensor([0, 4], device="meta"), "offsets: expected device cpu"),
        (torch.rand(4, 4), torch.tensor([0, 5]), "offsets: expected bounds from 0 to 4"),
    ],
)
def test_moments_of_what_is_no_set_of_momenta(p4, offsets, message):
    with pytest.raises(InputError, match=message):
        pair_moments(p4, offsets)


def test_weights_on_another_device_are_refused():
    a, offsets = torch.rand(4, 3), torch.tensor([0, 4])
    layers = [(torch.zeros(5, 3, device="meta"), None)]
    with pytest.raises(InputError, match="layers: expected device cpu, where the items are"):
        pair_messages(a, a, offsets, layers=layers)


def test_numbers_that_torch_would_negate_later():
    values = torch._neg_view(torch.arange(6.0))
    assert ops.segment_sum(values, torch.tensor([0, 2, 6])).tolist() == [-1, -14]


def test_forward_mode_is_left_to_others():
    with torch.autograd.forward_ad.dual_level():
        assert _library.why_not(torch.ones(1)) == [
            "it has neither forward-mode derivatives nor those of torch.func"
        ]
