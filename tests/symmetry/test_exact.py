"""Elements that round nothing, against fractions."""

import math
from fractions import Fraction

import pytest
import torch
from support.motion import bodies
from support.planted_bugs import Masses, WithBeam
from support.symmetries import jets
from torch import Generator, Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.lorentz import Irreps, minkowski_dot
from hepml.symmetry import (
    BeamBoost,
    BeamRotation,
    Lorentz,
    Parity,
    Rotation,
    SpaceRotation,
    SpaceTranslation,
    check,
    random_jets,
)
from hepml.symmetry._exact import cube_turn, exact_product, on_grid

GAMMAS = (1.25, 2.125, 128.001953125, 8192.000030517578)


def _generator(seed: int = 1) -> Generator:
    return torch.Generator().manual_seed(seed)


def _fractions(tensor: Tensor) -> list[list[Fraction]]:
    return [[Fraction(x) for x in row] for row in tensor.tolist()]


def _times(matrix: Tensor, vectors: Tensor) -> list[list[Fraction]]:
    """The images in fractions, which round nothing."""
    rows = _fractions(matrix)
    return [
        [sum((m * x for m, x in zip(row, vector, strict=True)), Fraction()) for row in rows]
        for vector in _fractions(vectors)
    ]


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("symmetry", [Lorentz(), BeamBoost()], ids=lambda each: each.name)
def test_images_are_exact_in_the_precision(symmetry, dtype, gamma):
    particles = random_jets(2)
    exactly = symmetry.exactly(particles, {}, gamma, dtype, _generator())
    assert float(exactly.element[0, 0]) == gamma
    inputs, images = exactly.inputs.p4, exactly.images.p4
    for tensor in (inputs, images):
        assert tensor.dtype == torch.float64
        assert torch.equal(tensor.to(dtype).double(), tensor)
    assert _fractions(images) == _times(exactly.element, inputs)
    metric = [1, -1, -1, -1]
    rows = _fractions(exactly.element.T)
    for i, row in enumerate(rows):
        for j, other in enumerate(rows):
            product = sum(s * a * b for s, a, b in zip(metric, row, other, strict=True))
            assert product == (metric[i] if i == j else 0)


def test_the_grid_is_coarser_where_fewer_digits_are_left():
    def error(dtype, gamma):
        exactly = Lorentz().exactly(random_jets(2), {}, gamma, dtype, _generator())
        wanted, found = (_masses(each).sqrt() for each in (random_jets(2), exactly.inputs))
        return exactly.grid, float((found / wanted - 1).abs().max())

    fine, coarse = error(torch.float64, 128.0), error(torch.float32, 128.0)
    coarsest = error(torch.float32, 1e4)
    assert fine[0] == "2^-10 GeV, 42 binary digits"
    assert coarse[0] == "2^-10 GeV, 13 binary digits"
    assert coarsest[0] == "2^-10 GeV, 7 binary digits"
    # Digits of energies: the mass of a jet is known to as many, about.
    assert 1e-6 < fine[1] < coarse[1] < coarsest[1] < 0.2


def _masses(particles):
    total = torch.stack([jet.p4.double().sum(0) for jet in particles])
    return minkowski_dot(total, total)


def test_momenta_on_the_grid_are_no_tachyons_and_near():
    p4 = random_jets(3).p4
    for digits in (40, 9):
        rounded = on_grid(p4, digits, momenta=True)
        assert bool((rounded[:, 0] >= rounded[:, 1:].norm(dim=1)).all())
        assert bool((rounded / 2.0**-10 == (rounded / 2.0**-10).round()).all())
        unit = torch.maximum(p4[:, :1] * 2.0 ** (1 - digits), torch.tensor(2.0**-10))
        assert bool(((rounded - p4).abs() <= 3 * unit).all())
    assert on_grid(torch.zeros(2, 4), 9, momenta=True).tolist() == [[0.0] * 4] * 2


def test_there_are_24_turns_of_a_cube_and_12_for_spinors():
    for even, number in ((False, 24), (True, 12)):
        turns = {
            tuple(cube_turn(_generator(seed), even=even).flatten().tolist()) for seed in range(400)
        }
        assert len(turns) == number
    for seed in range(20):
        assert float(torch.linalg.det(cube_turn(_generator(seed)))) == pytest.approx(1)


def test_of_two_neighbours_one_is_measured():
    report = check(_masses, random_jets(3), "lorentz", strengths=[1.01, 1.2, 3.0], elements="exact")
    strengths = [point.strength for point in report.measurements if point.precision == "float64"]
    assert strengths == [1.25, 4.0625]


def test_the_arithmetic_is_told_from_the_rounding_of_boosted_momenta():
    options = {"strengths": [128.0], "dtypes": "float64"}
    exact = check(_light_masses, random_jets(4), "lorentz", elements="exact", **options)
    rounded = check(_light_masses, random_jets(4), "lorentz", **options)
    assert exact.verdict == rounded.verdict == "holds"
    assert exact.largest() < 1e-10 < 1e-6 < rounded.largest()
    (point,) = exact.measurements
    assert point.exact
    assert point.rounding > 10 * point.largest
    assert "(elements that round nothing)" in str(exact)
    assert "2^-10 GeV, 42 binary digits" in str(exact)
    assert exact.to_dict()["elements"] == "exact"
    assert "binary digits" not in str(rounded)


def _light_masses(particles):
    """Sums of the masses of pions: of E/m of a thousand, in float64."""
    masses = minkowski_dot(particles.p4, particles.p4).abs().sqrt()
    return torch.stack([each.sum() for each in masses.split(particles.counts.tolist())])


@pytest.mark.parametrize("gamma", [2.0, 128.0])
def test_a_broken_symmetry_is_seen_by_elements_that_round_nothing(gamma):
    report = check(Masses(True), random_jets(6), "lorentz", strengths=[gamma], elements="exact")
    assert report.verdict == "broken"


def test_in_float32_a_network_is_not_excused_by_what_was_not_rounded():
    """Exact inputs leave float32 nothing to round: it holds where random elements cannot tell."""
    options = {"strengths": [1000.0], "dtypes": "float32"}
    assert check(_light_masses, random_jets(8), "lorentz", **options).verdict == "undecided"
    exact = check(_light_masses, random_jets(8), "lorentz", elements="exact", **options)
    assert exact.largest("float32") < 1e-3
    assert exact.verdict == "holds"


def test_beams_transform_without_rounding():
    """As multiples of ln 2 in rapidity: (0, 0, 1) GeV of a mass of 1 GeV has no exact energy."""
    symmetry = Lorentz(references=("beams",))
    held = {"beams": torch.tensor([[0.0, 0.0, 1.0], [0.0, -1.0, 0.3], [0.0, 0.0, 0.0]]).double()}
    boost = BeamBoost(references=("beams",))
    exactly = boost.exactly(random_jets(2), held, 2.125, torch.float32, _generator())
    (moved,) = exactly.references.values()
    back = exactly.element.clone()
    # Two doublings: half of the boost, a factor of 2, leads back.
    sign = float(back[0, 3].sign())
    half = torch.tensor([[1.25, -0.75 * sign], [-0.75 * sign, 1.25]], dtype=torch.float64)
    for row, momentum in zip(moved, [(0.0, 0.75), (-0.75, 0.0), (0.0, 0.0)], strict=True):
        energy = (1 + momentum[0] ** 2 + momentum[1] ** 2) ** 0.5
        along = half @ torch.tensor([energy, momentum[1]], dtype=torch.float64)
        assert row.tolist() == [0.0, momentum[0], float(along[1])]
    for model, verdict in ((WithBeam(False), "holds"), (WithBeam(True), "broken")):
        report = check(model, random_jets(6), symmetry, strengths=[128.0], elements="exact")
        assert report.verdict == verdict
    assert report.largest() > 1e-3


@pytest.mark.parametrize("name", ["(1/2,0)", "(0,1/2)", "(1,0)", "(1/2,1/2) + (0,1) + (1/2,0)"])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_complex_representations_are_exact_too(name, gamma):
    symmetry = Lorentz(inputs=name)
    strength = symmetry.exact_strength(gamma)
    x = torch.randn(5, Irreps(name).dim, 2, generator=_generator()).double()
    for seed in range(6):
        exactly = symmetry.exactly(
            torch.view_as_complex(x), {}, strength, torch.float32, _generator(seed)
        )
        assert float(exactly.element[0, 0]) == strength
        for tensor in (exactly.inputs, exactly.images):
            assert torch.equal(tensor.to(torch.complex64).to(torch.complex128), tensor)
        expected = symmetry.act(exactly.element, exactly.inputs)
        scale = float(expected.abs().max())
        assert float((exactly.images - expected).abs().max()) < 1e-12 * scale * float(strength)


def test_a_spinor_is_doubled_by_the_root_of_the_boost():
    """In SL(2,C) the boost is diag(2^(k/2), 2^(-k/2))."""
    symmetry = BeamBoost(inputs="(1/2,0)")
    # Of 3 doublings, 2 or 4 are next: for odd ones the root is irrational.
    assert symmetry.exact_strength(4.0625) in (2.125, 8.03125)
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.complex128)
    exactly = symmetry.exactly(x, {}, 8.03125, torch.float64, _generator())
    ratio = exactly.images.diagonal().abs() / exactly.inputs.diagonal().abs()
    assert sorted(ratio.tolist()) == [0.25, 4.0]


def test_irrational_matrices_are_refused():
    with pytest.raises(
        InputError, match=r"inputs of 1x\(1,1\): expected irreps whose matrices are"
    ):
        Lorentz(inputs="(1,1)").exactly(torch.ones(1, 9), {}, 2.125, torch.float64, _generator())


@pytest.mark.parametrize("symmetry", [Rotation(), BeamRotation()], ids=lambda each: each.name)
def test_turns_need_no_grid(symmetry):
    particles = random_jets(2)
    seen = set()
    for seed in range(60):
        exactly = symmetry.exactly(particles, {}, None, torch.float32, _generator(seed))
        assert exactly.grid == ""
        assert torch.equal(exactly.inputs.p4, particles.p4.double())
        assert torch.equal(exactly.images.p4, particles.p4.double() @ exactly.element.T)
        assert not torch.equal(exactly.element, torch.eye(4).double())
        seen.add(tuple(exactly.element.flatten().tolist()))
    assert len(seen) == (3 if isinstance(symmetry, BeamRotation) else len(seen)) >= 3


def test_motion_is_displaced_and_turned_exactly():
    state = bodies()
    for symmetry in (SpaceTranslation(), SpaceRotation()):
        exactly = symmetry.exactly(state, {}, 10.0, torch.float32, _generator())
        q, moved = exactly.inputs.q, exactly.images.q
        assert torch.equal(q.float().double(), q)
        assert torch.equal(moved.float().double(), moved)
        assert float((q - state.q).abs().max()) < 1e-5
    found = [[Fraction(x) for x in row] for row in _rotated(exactly)]
    assert found == _fractions(moved)
    report = check(lambda state: state.p.square().sum(1), state, SpaceRotation(), elements="exact")
    assert report.verdict == "undecided"
    assert report.largest() < 1e-12


def _rotated(exactly):
    return (exactly.inputs.q @ exactly.element.T).tolist()


def test_numbers_that_would_be_rounded_are_refused():
    matrix = torch.tensor([[1.0, 2.0**-30], [0.0, 1.0]], dtype=torch.float64)
    ones = torch.ones(1, 2, dtype=torch.float64)
    assert exact_product(matrix, ones, torch.float64).tolist() == [[1 + 2.0**-30, 1.0]]
    with pytest.raises(InputError, match=r"numbers that torch.float32 holds"):
        exact_product(matrix, ones, torch.float32)
    with pytest.raises(InputError, match=r"images .*numbers that torch.float64 holds"):
        exact_product(matrix, ones + 2.0**-40, torch.float64)
    with pytest.raises(InputError, match=r"one that leaves 1 binary digits for momenta"):
        Lorentz().exactly(random_jets(2), {}, 2.0**19, torch.float32, _generator())


def test_symmetries_without_such_elements_say_so():
    with pytest.raises(InputError, match=r"'soft emission': expected one that has elements which"):
        check(_masses, random_jets(3), "soft emission", elements="exact")


def test_what_rounds_nothing_anyway_is_measured_as_ever():
    particles = jets([3, 4, 2], _generator())
    for symmetry in ("permutation", Parity()):
        report = check(_masses, particles, symmetry, elements="exact")
        assert report.verdict == "holds"
        assert report.elements == "exact"


class Shifted(nn.Module):
    """A weight that is a reference, beside one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Parameter(torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
        self.read = nn.Linear(1, 2)

    def forward(self, particles: ParticleSet) -> Tensor:
        total = torch.stack([jet.p4.sum(0) for jet in particles])
        return self.read(minkowski_dot(total, self.time.to(total))[:, None].log())


def test_the_model_keeps_its_references():
    model = Shifted()
    options = {"strengths": [2.0], "weights": "given", "elements": "exact"}
    report = check(model, random_jets(4), Lorentz(references=("time",)), **options)
    assert report.verdict == "holds"
    assert model.time.tolist() == [[1.0, 0.0, 0.0, 0.0]]


def cubic(jets):
    """Broken under rotations, but for those of a cube."""
    return torch.stack([jet.p4[:, 1:].pow(4).sum().sqrt()[None] for jet in jets])


def periodic(jets):
    """Of the rapidities in units of ln 2 the part after the point alone counts."""
    total = torch.stack([jet.p4.sum(0) for jet in jets])
    return (2 * math.pi * torch.atanh(total[:, 3:] / total[:, :1]) / math.log(2)).sin()


@pytest.mark.parametrize(
    ("function", "symmetry", "strengths"),
    [(cubic, "rotation", None), (periodic, "beam boost", [2.0])],
)
def test_what_few_elements_do_not_see_is_undecided(function, symmetry, strengths):
    batch = jets([5, 3, 4, 2, 6], torch.Generator().manual_seed(1))
    report = check(function, batch, symmetry, elements="exact", strengths=strengths)
    assert report.largest() < 1e-9
    assert report.verdict == "undecided"
    assert "which are few: measure random ones as well" in str(report)
    assert check(function, batch, symmetry, strengths=strengths).verdict == "broken"


def total_masses(jets):
    p4 = torch.stack([jet.p4.sum(0) for jet in jets])
    return (p4.square() @ torch.tensor([[1.0], [-1.0], [-1.0], [-1.0]]).to(p4)).abs().sqrt()


@pytest.mark.parametrize("strength", [1e4, 1e6, 3e7])
def test_the_arithmetic_of_large_boosts_is_no_violation(strength):
    report = check(
        *(total_masses, random_jets(8), "lorentz"),
        strengths=[strength],
        elements="exact",
        dtypes="float64",
    )
    assert report.verdict == "holds", str(report)


def test_boosts_whose_matrix_would_be_rounded_are_refused():
    with pytest.raises(InputError, match=r"a Lorentz factor of 3\.355e\+07 at most.*got 1e\+09"):
        check(total_masses, random_jets(8), "lorentz", strengths=[1e9], elements="exact")
