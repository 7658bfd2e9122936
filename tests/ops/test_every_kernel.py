"""NaN, inf and 1e30 through every kernel: NaN stays NaN, and nothing else becomes it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.pairs import arguments_of, flat
from support.ragged import forced, offsets_from

from hepml.ops.pairs import _reference as _pair_reference
from hepml.ops.pairs._priority import PAIR_KERNELS
from hepml.ops.segments import _reference, _triton
from hepml.ops.segments._priority import KERNELS

BAD = [torch.nan, torch.inf, -torch.inf, 1e30]
OF_PAIRS = [kernel.name for kernel in PAIR_KERNELS["pair_messages"] if kernel.name != "reference"]
ALL = [
    (operation, kernel.name)
    for operation, kernels in KERNELS.items()
    for kernel in kernels
    if kernel.name != "reference"
]
each_bad = pytest.mark.parametrize("bad", BAD)
interpreted = _triton._INTERPRETED


def the_kernel(kernels, operation, name):
    with forced(name):
        (found,) = (kernel for kernel in kernels[operation] if kernel.name == name)
    return found.function


def assert_alike(got, expected, tolerance=1e-5):
    """NaN and infinity where the definition has them, and the same numbers elsewhere."""
    for one, wanted in zip(got, expected, strict=True):
        assert torch.equal(one.isnan(), wanted.isnan())
        assert torch.equal(one.isinf(), wanted.isinf())
        finite = wanted[wanted.isfinite()]
        scale = float(finite.abs().max()) if finite.numel() else 1.0
        torch.testing.assert_close(
            one[wanted.isfinite()], finite, rtol=1e-4, atol=tolerance * scale
        )


@each_bad
@pytest.mark.parametrize(("operation", "name"), ALL)
def test_segments_and_places(operation, name, bad):
    if interpreted and name != "triton":
        pytest.skip("needs CUDA: interpreted already")
    kernel = the_kernel(KERNELS, operation, name)
    generator = torch.Generator().manual_seed(1)
    offsets, places = offsets_from([2, 0, 1, 40, 3]), torch.randint(0, 7, (46,))
    for channels in (1, 3, 20):
        values = torch.randn(46, channels, generator=generator)
        for row in (0, 2, 3, 20, 45):
            values[row, row % channels] = bad
            given = (values, places, 8)
            if operation == "segment_gather":
                given = (values[:5], offsets, 46)
            elif operation.startswith("segment"):
                given = (values, offsets)
            definition = getattr(_reference, operation)(*given)
            if bad != bad and operation != "segment_gather":
                assert definition.isnan().any()
            assert_alike([kernel(*given)], [definition])


def operands():
    """The arguments of the pair kernels in single precision."""
    arguments = arguments_of([3, 1, 4], layers=1, step=2)
    lists = [flat(arguments[name]) for name in ("layers", "gate", "step")]
    tensors = [arguments[name] for name in ("a", "b", "offsets", "p4", "invariants")]
    to = lambda x: x.float() if x.is_floating_point() else x  # noqa: E731
    return [*map(to, tensors), *([to(each).clone() for each in group] for group in lists)]


def spoilt(place, bad):
    """These arguments with one number replaced."""
    given = operands()
    of_lists = [each for group in given[5:] for each in group]
    tensors = {"a": given[0], "b": given[1], "p4": given[3], "invariants": given[4]}
    tensors |= {f"weights {k}": each for k, each in enumerate(of_lists)}
    tensors[place].view(-1)[tensors[place].numel() // 2] = bad
    return given


PLACES = ["a", "b", "p4", "invariants", *(f"weights {k}" for k in range(8))]


def both(module, given):
    """The values and the gradients."""
    values = module[0](*given)
    above = [torch.ones_like(each) for each in values]
    with torch.no_grad():
        return [*values, *module[1](*above, *given)]


@each_bad
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", OF_PAIRS)
def test_pairs(name, place, bad):
    if interpreted and name != "triton":
        pytest.skip("needs CUDA: interpreted already")
    kernels = [
        the_kernel(PAIR_KERNELS, operation, name)
        for operation in ("pair_messages", "pair_messages_backward")
    ]
    given = spoilt(place, bad)
    definition = [_pair_reference.pair_messages, _pair_reference.pair_messages_backward]
    expected = both(definition, given)
    if bad != bad:
        assert any(each.isnan().any() for each in expected[:2])
    got = both(kernels, given)
    for one, wanted in zip(got[:2], expected[:2], strict=True):
        assert torch.equal(one.isnan(), wanted.isnan())
        finite = wanted.isfinite()
        assert torch.equal(one.isfinite(), finite)
        torch.testing.assert_close(one[finite], wanted[finite], rtol=1e-3, atol=1e-2)
    # Sums of infinite terms are inf or NaN as they are ordered: what is not finite stays so.
    for one, wanted in zip(got[2:], expected[2:], strict=True):
        assert not (one.isfinite() & ~wanted.isfinite()).any()
        # In the tiles of Triton, pairs that are none weigh 0: of NaN, NaN.
        assert name == "triton" or torch.equal(one.isfinite(), wanted.isfinite())


@each_bad
@pytest.mark.parametrize("name", [each for each in OF_PAIRS if each != "onednn"])
def test_moments(name, bad):
    if interpreted and name != "triton":
        pytest.skip("needs CUDA: interpreted already")
    given = spoilt("p4", bad)
    p4, offsets = given[3], given[2]
    kernel = the_kernel(PAIR_KERNELS, "pair_moments", name)
    for one, wanted in zip(
        kernel(p4, offsets), _pair_reference.pair_moments(p4, offsets), strict=True
    ):
        assert torch.equal(one.isfinite(), wanted.isfinite())
        assert torch.equal(one.isnan(), wanted.isnan())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(interpreted, reason="needs CUDA: interpreted already")
def test_all_of_this_once_more_interpreted():
    pytest.importorskip("triton", reason="needs triton")
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__),
            # numpy, by which Triton interprets, warns.
            *("-k", "triton and nan", "-W", "ignore::RuntimeWarning"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TRITON_INTERPRET": "1"},
    )
    assert run.returncode == 0, run.stdout[-3000:]
