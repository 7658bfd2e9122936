"""Every symmetry finds a bug that breaks it, and nothing in the twin without."""

import pytest
import torch
from symmetries import jets
from symmetry.planted_bugs import PAIRS, Pair
from torch import Tensor

from hepml.data import ParticleSet, concatenate
from hepml.symmetry import (
    SYMMETRIES,
    BodyPermutation,
    MotionReversal,
    PhaseSpace,
    PhiRotation,
    SpaceInversion,
    SpaceRotation,
    SpaceTranslation,
    Symmetry,
    Translation,
    check,
)

every_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)


MOTION = MotionReversal | SpaceTranslation | SpaceRotation | SpaceInversion | BodyPermutation


def symmetric_inputs(symmetry: Symmetry) -> ParticleSet | PhaseSpace | Tensor:
    generator = torch.Generator().manual_seed(3)
    if isinstance(symmetry, MOTION):
        states = torch.randn(2, 15, 2, generator=generator).double()
        return PhaseSpace(*states, torch.tensor([0, 3, 7, 9, 13, 15]))
    if isinstance(symmetry, PhiRotation | Translation):
        images = torch.zeros(6, 1, 8, 12, dtype=torch.float64)
        images[:, :, 3:5, 4:8] = torch.rand(6, 1, 2, 4, generator=generator).double()
        if isinstance(symmetry, PhiRotation):
            # Where the image begins and ends must not matter.
            images = images.roll(5, dims=-1)
        return images
    batch = jets([3, 7, 1, 5, 4, 2, 6], generator)
    # Two particles of one energy, in different directions.
    (tie,) = jets([4], generator)
    p4 = tie.p4.clone()
    p4[1] = p4[0] * torch.tensor([1.0, -1.0, 1.0, -1.0])
    p4[:2] *= 10
    return concatenate([batch, tie.with_p4(p4)])


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
