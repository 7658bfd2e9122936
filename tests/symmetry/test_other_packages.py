"""Networks of other packages, fed as in the example."""

import runpy
from pathlib import Path

import pytest
import torch
from support.symmetries import jets
from torch import nn

from hepml.symmetry import check

EXAMPLE = Path(__file__).parents[2] / "examples" / "check_your_network.py"
BATCH = jets([3, 7, 1, 5], torch.Generator().manual_seed(1))


def _measure(maker, symmetry, **arguments):
    model, apply = runpy.run_path(str(EXAMPLE))[maker](**arguments)
    gamma = [2.0, 10.0] if symmetry == "lorentz" else None
    return check(model, BATCH, symmetry, apply=apply, strengths=gamma, dtypes="float64", draws=1)


def _assert_lorentz_invariant(maker):
    for symmetry in ("permutation", "batch composition", "lorentz"):
        report = _measure(maker, symmetry)
        assert report.verdict == "holds", str(report)
        assert report.largest() < 1e-8


@pytest.mark.slow
def test_lgatr():
    pytest.importorskip("lgatr", reason="needs lgatr")
    _assert_lorentz_invariant("lgatr_slim")


@pytest.mark.slow
def test_pelican_lite():
    pytest.importorskip("pelican", reason="needs pelican-lite")
    _assert_lorentz_invariant("pelican")


def test_the_transformer_of_torch():
    assert _measure("transformer", "batch composition", mask=True).verdict == "holds"
    assert _measure("transformer", "batch composition", mask=False).verdict == "broken"
    assert _measure("transformer", "lorentz", mask=True).verdict == "broken"


def test_a_bug_in_a_foreign_network_is_found():
    """A layer norm over the components of vectors, put before a network that is invariant."""
    example = runpy.run_path(str(EXAMPLE))
    norm = nn.LayerNorm(4, elementwise_affine=False)

    def invariant(model, particles):
        momenta, real = example["padded"](particles)
        momenta = model(momenta)
        products = torch.einsum(
            "bic,bjc->bij", momenta * momenta.new_tensor([1, -1, -1, -1]), momenta
        )
        return (products.square() * real[:, None] * real[..., None]).sum((1, 2)).log()

    options = {"apply": invariant, "strengths": [2.0], "dtypes": "float64"}
    assert check(nn.Identity(), BATCH, "lorentz", **options).verdict == "holds"
    assert check(norm, BATCH, "lorentz", **options).verdict == "broken"
