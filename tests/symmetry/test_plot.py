"""The figure shows what was measured."""

import math

import matplotlib
import pytest
from support.reports import measured, report_of

from hepml.symmetry import Permutation, SoftEmission


def _lines(axes):
    return {
        line.get_label(): list(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for line in axes.get_lines()
    }


def test_a_line_for_each_precision():
    before = dict(matplotlib.rcParams)
    points = [
        measured(1e-12, strength=2.0),
        measured(3e-8, strength=10.0, rounding=1e-9),
        measured(5e-11, strength=2.0, weights="random"),
        measured(1e-9, strength=10.0, weights="random"),
        measured(1e-5, strength=2.0, precision="float32"),
        measured(math.inf, strength=10.0, precision="float32"),
    ]
    (axes,) = report_of(*points).plot().axes
    lines = _lines(axes)
    assert lines["float64"] == [(2.0, 5e-11), (10.0, 3e-8)]
    assert lines["float32"][0] == (2.0, 1e-5)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    assert 0 < low < lines["float32"][1][1] < high
    assert axes.get_xlabel() == r"Lorentz factor $\gamma$"
    assert axes.get_legend().get_title().get_text() == "Model, lorentz: broken"
    assert len(axes.collections) == 2
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("symmetry", "strength", "label"),
    [(Permutation(), None, ""), (SoftEmission(), 1e-3, "Energy fraction")],
)
def test_the_axis_is_the_strength(symmetry, strength, label):
    (axes,) = report_of(measured(0.0, strength=strength), symmetry=symmetry).plot().axes
    assert axes.get_xlabel() == label
    assert len(axes.get_xticks()) == 0 or strength is not None
