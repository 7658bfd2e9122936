"""Verdicts, exponents, tables and JSON of measurements that are made up here."""

import json
import math

import pytest
import torch
from support.reports import measured, report_of

from hepml.errors import InputError
from hepml.models import LorentzNet, ParticleFlow
from hepml.symmetry import (
    Lorentz,
    Permutation,
    SoftEmission,
    check,
    random_jets,
)


@pytest.mark.parametrize(
    ("largest", "rounding", "verdict"),
    [
        (1e-11, 0.0, "holds"),
        (1e-9, 0.0, "broken"),
        (1e-9, 2e-11, "holds"),
        (1e-6, 1e-9, "broken"),
        (0.05, 2e-3, "undecided"),
        (1e-12, 2e-3, "undecided"),
        (5.0, 2e-3, "broken"),
        (math.inf, 1e-3, "broken"),
        (math.nan, 0.0, "broken"),
    ],
)
def test_of_one_measurement(largest, rounding, verdict):
    assert measured(largest, rounding=rounding).verdict == verdict
    assert measured(largest, rounding=rounding, blind=True).verdict == "blind"


@pytest.mark.parametrize(
    ("points", "verdict"),
    [
        ([measured(1e-12), measured(1e-5, precision="float32")], "holds"),
        ([measured(1e-12), measured(1e-5, weights="random")], "broken"),
        ([measured(1e-12), measured(1e-1, precision="float32")], "imprecise"),
        ([measured(1e-2), measured(1e-5, precision="float32")], "broken"),
        ([measured(1e-1, precision="float32")], "broken"),
        ([measured(1e-12), measured(0.0, weights="random", rounding=1.0)], "holds"),
        ([measured(0.0, rounding=1.0)], "undecided"),
        ([measured(0.0, blind=True)], "blind"),
        ([measured(0.0, blind=True), measured(1e-12, weights="random")], "holds"),
        ([measured(0.0, blind=True), measured(0.0, weights="random", rounding=1.0)], "undecided"),
    ],
)
def test_of_all_together(points, verdict):
    assert report_of(*points).verdict == verdict


def _falling(power, *, precision="float64", floor=0.0):
    strengths = [10.0**-i for i in range(1, 7)]
    return [
        measured(3 * strength**power + floor, strength=strength, precision=precision)
        for strength in strengths
    ]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_violation_that_falls_to_zero_holds(power):
    report = report_of(*_falling(power), symmetry=SoftEmission())
    assert report.verdict == "holds"
    assert report.exponent == pytest.approx(power)
    assert f"(violation falls with the power {power:g})" in str(report)


@pytest.mark.parametrize(("power", "floor"), [(0.0, 0.0), (0.1, 0.0), (1.0, 0.01)])
def test_a_violation_that_stays_is_broken(power, floor):
    report = report_of(*_falling(power, floor=floor), symmetry=SoftEmission())
    assert report.verdict == "broken"
    assert report.exponent < 0.2


def test_nothing_above_rounding_falls_infinitely():
    points = [measured(1e-12, strength=10.0**-i) for i in range(3)]
    report = report_of(*points, symmetry=SoftEmission())
    assert report.verdict == "holds"
    assert report.exponent == math.inf
    assert json.loads(report.to_json())["exponent"] == "inf"


def test_the_slowest_weights_decide():
    points = _falling(2.0) + [
        measured(point.largest, strength=point.strength, weights="random")
        for point in _falling(0.0)
    ]
    report = report_of(*points, symmetry=SoftEmission())
    assert report.verdict == "broken"
    assert report.exponent == pytest.approx(0)


def test_the_largest_and_the_worst():
    points = [
        measured(1e-12, strength=2.0),
        measured(3e-8, strength=10.0, rounding=1e-9),
        measured(1e-5, strength=2.0, precision="float32"),
        measured(2e-2, strength=10.0, precision="float32", rounding=1e-3),
    ]
    report = report_of(*points)
    assert report.largest() == 3e-8
    assert report.largest("float32") == 2e-2
    assert report.largest("float64", 2.0) == 1e-12
    assert math.isnan(report.largest("bfloat16"))
    assert report.worst is points[1]
    assert report.curves() == {
        ("given", "float64"): points[:2],
        ("given", "float32"): points[2:],
    }


def test_the_table_and_the_json_say_the_same(capsys):
    points = [measured(3e-12, strength=2.0), measured(math.inf, strength=10.0)]
    report = report_of(*points, claimed=True)
    report.print()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lorentz of Model, claimed: broken"
    assert lines[1].split() == [
        *("weights", "precision", "gamma", "largest", "90", "%"),
        *("median", "rounding", "verdict"),
    ]
    assert lines[2].split() == [
        *("given", "float64", "2", "3.0e-12", "1.5e-12", "7.5e-13", "0.0e+00", "holds")
    ]
    content = json.loads(report.to_json())
    assert content["symmetry"] == "lorentz"
    assert content["strength"] == "gamma"
    assert content["claimed"] is True
    assert content["verdict"] == "broken"
    first, second = content["measurements"]
    assert first["largest"] == 3e-12
    assert first["verdict"] == "holds"
    assert first["worst"]["got"] == [1.5, 2.0]
    assert second["largest"] == "inf"


def test_without_strength_and_claims_the_table_is_shorter():
    text = str(report_of(measured(1e-12), symmetry=Permutation()))
    assert text.splitlines()[0] == "permutation of Model: holds"
    assert "not claimed" in str(report_of(measured(1e-12), claimed=False))


def test_one_strength_does_not_show_that_a_violation_falls():
    def unsafe(jets):
        energies = torch.stack([jet.p4[:, 0].sum() for jet in jets])
        return (energies / 100 + jets.counts)[:, None]

    for strengths in ([1e-3], [1e-3, 1e-4]):
        report = check(unsafe, random_jets(6), "soft emission", strengths=strengths)
        assert report.verdict == "broken"


def test_not_a_number_after_the_transformation_is_no_rounding():
    def masses(jets):
        totals = torch.stack([jet.p4.sum(0) for jet in jets]).double()
        squares = totals.square() @ torch.tensor([1.0, -1, -1, -1], dtype=torch.float64)
        too_fast = totals[:, :1] > 1e4
        return squares.abs().sqrt()[:, None].masked_fill(too_fast, torch.nan)

    report = check(masses, random_jets(6), "lorentz", strengths=[1.01, 1000.0], dtypes="float64")
    assert report.verdict == "broken"


def test_references_that_nobody_has_are_refused():
    with pytest.raises(InputError, match="none called nosuch"):
        check(ParticleFlow(), random_jets(3), Lorentz(references=("nosuch",)), strengths=[2.0])


def test_a_figure_of_every_precision():
    jets = random_jets(3)
    report = check(
        *(LorentzNet(width=4, blocks=1, beams=False), jets, "lorentz"),
        dtypes=["float64", "wide", "float32"],
        strengths=[2.0],
        weights="given",
    )
    assert report.plot() is not None


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("name", ["phi rotation", "translation"])
def test_particles_are_no_images(name):
    with pytest.raises(InputError, match="expected images"):
        check(ParticleFlow(), random_jets(3), name)
