"""Lorentz transformations against matrices that are made here."""

import dataclasses

import pytest
import torch
from support.symmetries import boost_along_z, jets, random_lorentz, rotation_about
from torch import Generator, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.lorentz import representation
from hepml.symmetry import (
    BeamBoost,
    BeamRotation,
    Lorentz,
    Parity,
    Rotation,
    TimeReversal,
)

METRIC = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
GROUPS = [Lorentz(), Rotation(), BeamRotation(), BeamBoost(), Parity(), TimeReversal()]
every_group = pytest.mark.parametrize("symmetry", GROUPS, ids=lambda symmetry: symmetry.name)


def _generator(seed: int = 1) -> Generator:
    return torch.Generator().manual_seed(seed)


def _matrix(symmetry, strength=None, seed=1):
    return symmetry.element(None, strength, _generator(seed))


@every_group
@pytest.mark.parametrize("strength", [1.0, 2.0, 100.0])
def test_matrices_keep_the_metric(symmetry, strength):
    matrix = _matrix(symmetry, strength)
    change = matrix.T @ METRIC @ matrix - METRIC
    assert float(change.abs().max()) < 1e-15 * 30 * float(matrix.abs().max()) ** 2


@pytest.mark.parametrize("gamma", [1.0, 1.01, 3.0, 1000.0])
def test_the_strength_is_the_lorentz_factor(gamma):
    for symmetry in (Lorentz(), BeamBoost()):
        assert float(_matrix(symmetry, gamma)[0, 0]) == pytest.approx(gamma, rel=1e-12)
    assert float(_matrix(Rotation(), gamma)[0, 0]) == 1


def test_each_group_has_the_matrices_of_its_name():
    rotation, beam_rotation = _matrix(Rotation()), _matrix(BeamRotation())
    at_rest = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)
    along_z = torch.tensor([1.0, 0, 0, 1], dtype=torch.float64)
    assert torch.equal(rotation @ at_rest, at_rest)
    assert float((rotation @ along_z - along_z).abs().max()) > 0.1
    assert torch.equal(beam_rotation @ along_z, along_z)
    angle = torch.atan2(beam_rotation[2, 1], beam_rotation[1, 1])
    torch.testing.assert_close(beam_rotation, rotation_about(2, float(angle)))
    forwards = boost_along_z(3.0)
    found = [_matrix(BeamBoost(), 3.0, seed) for seed in range(20)]
    for matrix in found:
        expected = forwards if float(matrix[0, 3]) > 0 else forwards.inverse()
        torch.testing.assert_close(matrix, expected)
    assert len({float(matrix[0, 3]) > 0 for matrix in found}) == 2
    assert torch.equal(_matrix(Parity()), METRIC)
    assert torch.equal(_matrix(TimeReversal()), -METRIC)
    lorentz = _matrix(Lorentz(), 5.0)
    assert float(torch.linalg.det(lorentz)) == pytest.approx(1)
    assert float(lorentz[0, 0]) > 0


def test_directions_of_boosts_are_uniform():
    directions = torch.stack([_matrix(Lorentz(), 2.0, seed)[1:, 0] for seed in range(400)])
    directions = directions / directions.norm(dim=1, keepdim=True)
    # The mean of n uniform directions is normal with the standard deviation 1 / sqrt(3 n).
    assert float(directions.mean(0).abs().max()) < 5 / (3 * 400) ** 0.5
    assert float((directions.square().mean(0) - 1 / 3).abs().max()) < 0.1


def test_it_acts_on_momenta_and_on_nothing_else():
    particles = jets([3, 2], _generator(), features=2)
    particles = ParticleSet(
        particles.p4,
        particles.offsets,
        particles.features,
        labels=torch.tensor([0, 1]),
        weights=torch.ones(2),
    )
    matrix = random_lorentz(_generator(5), 2.0)
    moved = Lorentz().act(matrix, particles)
    expected = torch.stack([matrix @ row for row in particles.p4])
    torch.testing.assert_close(moved.p4, expected, rtol=1e-13, atol=1e-10)
    for name in ("offsets", "features", "labels", "weights"):
        assert getattr(moved, name) is getattr(particles, name)


def test_float32_is_rounded_once():
    p4 = jets([50], _generator(), dtype=torch.float32).p4
    matrix = random_lorentz(_generator(5), 100.0)
    exact = (p4.double() @ matrix.T).float()
    assert torch.equal(Lorentz().act(matrix, p4), exact)
    assert not torch.equal(p4 @ matrix.float().T, exact)


def test_other_inputs_are_searched_for_vectors():
    matrix = random_lorentz(_generator(5), 2.0)
    p4 = torch.randn(2, 3, 4, generator=_generator(), dtype=torch.float64)
    moved = p4 @ matrix.T
    mask = torch.ones(2, 3, dtype=torch.bool)
    inputs = {"p4": p4, "mask": mask, "beam": p4[0, 0], "scalars": p4}
    symmetry = Lorentz(references=("beam",))
    out = symmetry.act(matrix, inputs)
    torch.testing.assert_close(out["p4"], moved)
    torch.testing.assert_close(out["beam"], moved[0, 0])
    assert out["mask"] is mask
    assert out["scalars"] is p4
    assert Lorentz().act(matrix, inputs)["beam"] is inputs["beam"]
    first, second = symmetry.act(matrix, (p4, p4[0]))
    torch.testing.assert_close(first, moved)
    torch.testing.assert_close(second, moved[0])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.ones(3, 5), r"four-vectors .* got shape \(3, 5\)"),
        ({"x": torch.ones(3, 4)}, 'an entry "p4".* got entries x'),
        ("jets.root", "inputs of the symmetry 'lorentz': expected a ParticleSet.*got str"),
    ],
)
def test_inputs_without_vectors_are_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        Lorentz().act(torch.eye(4, dtype=torch.float64), inputs)


def test_a_lorentz_factor_below_one_is_refused():
    with pytest.raises(InputError, match=r"a Lorentz factor of 1 or more, got 0\.5"):
        _matrix(Lorentz(), 0.5)


def test_outputs_of_irreps_are_multiplied_with_their_matrices():
    irreps = "2x(0,0) + 1x(1/2,1/2) + 1x(1,0) + 1x(0,1)"
    symmetry, matrix = Lorentz(outputs=irreps), random_lorentz(_generator(5), 2.0)
    outputs = torch.randn(3, 12, generator=_generator(), dtype=torch.float64)
    moved = symmetry.act_on_outputs(matrix, outputs)
    torch.testing.assert_close(moved, outputs @ representation(irreps, matrix).T)
    torch.testing.assert_close(moved[:, 2:6], outputs[:, 2:6] @ matrix.T)
    assert symmetry.blocks(12) == [slice(0, 1), slice(1, 2), slice(2, 6), slice(6, 9), slice(9, 12)]
    assert Lorentz().act_on_outputs(matrix, outputs) is outputs
    assert Lorentz().blocks(3) == [slice(0, 1), slice(1, 2), slice(2, 3)]


def test_vectors_are_reflected_too():
    outputs = torch.randn(3, 2, 4, generator=_generator(), dtype=torch.float64)
    for symmetry in (Parity(outputs="2x(1/2,1/2)"), TimeReversal(outputs="2x(1/2,1/2)")):
        matrix = _matrix(symmetry)
        moved = symmetry.act_on_outputs(matrix, outputs)
        torch.testing.assert_close(moved, outputs @ matrix.T)


def test_outputs_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"expected 4 components for 1x\(1/2,1/2\), got 3"):
        Lorentz(outputs="(1/2,1/2)").act_on_outputs(_matrix(Lorentz()), torch.ones(2, 3))


def test_references_of_a_model_transform_along():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("beams", torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -2.0]]))
            self.time = nn.Parameter(torch.tensor([1.0, 0.0, 0.0, 0.0]))

    model, matrix = Model().double(), random_lorentz(_generator(5), 2.0)
    symmetry = Lorentz(references=("beams", "time", "absent"), reference_mass=0.5)
    found = symmetry.act_on_references(matrix, model)
    assert found.keys() == {"beams", "time"}
    torch.testing.assert_close(found["time"], matrix[:, 0])
    for before, after in zip(model.beams, found["beams"], strict=True):
        energy = (0.25 + before.square().sum()).sqrt()
        torch.testing.assert_close(after, (matrix @ torch.cat([energy[None], before]))[1:])
    assert Lorentz().act_on_references(matrix, model) == {}


def test_symmetries_are_values_with_names():
    assert Lorentz() == dataclasses.replace(Lorentz(references=("beams",)), references=())
    assert Lorentz(references=("beams", "time")).name == "lorentz with beams, time"
    assert [symmetry.name for symmetry in GROUPS] == [
        *("lorentz", "rotation", "beam rotation", "beam boost", "parity", "time reversal"),
    ]
    assert Parity().describe(METRIC) == "[1, 0, 0, 0; 0, -1, 0, 0; 0, 0, -1, 0; 0, 0, 0, -1]"
