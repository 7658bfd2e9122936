"""Every symmetry finds a bug that breaks it, and nothing in the twin without."""

import pytest
import torch
from support.planted_bugs import PAIRS, Pair, symmetric_inputs

from hepml.symmetry import (
    SYMMETRIES,
    check,
)

every_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)


@every_pair
@pytest.mark.parametrize("weights", ["given", "random"])
def test_the_honest_twin_passes(pair: Pair, weights: str) -> None:
    torch.manual_seed(1)
    report = check(
        pair.honest(), symmetric_inputs(pair.symmetry), pair.symmetry, weights=weights, draws=3
    )
    assert report.verdict == "holds", str(report)
    assert report.measurements[0].precision == "float64"


@every_pair
def test_the_bug_is_found(pair: Pair) -> None:
    torch.manual_seed(1)
    report = check(pair.bugged(), symmetric_inputs(pair.symmetry), pair.symmetry, elements=4)
    assert report.verdict == "broken", str(report)


def test_every_symmetry_has_a_planted_bug() -> None:
    assert {type(pair.symmetry) for pair in PAIRS} == {type(each) for each in SYMMETRIES.values()}
