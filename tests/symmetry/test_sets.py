"""Other orders of particles and of sets."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.symmetry import BatchComposition, Permutation
from hepml.testing import particle_sets


def _generator(seed: int = 1) -> Generator:
    return torch.Generator().manual_seed(seed)


def _numbered(counts, features=1):
    """Sets whose particles carry their number."""
    total = sum(counts)
    p4 = torch.ones(total, 4, dtype=torch.float64)
    numbers = torch.arange(total, dtype=torch.float64)[:, None].expand(-1, features)
    offsets = torch.tensor([0, *counts]).cumsum(0)
    labels = torch.arange(len(counts))
    return ParticleSet(p4 * numbers[:, :1], offsets, numbers, labels=labels)


@given(particle_sets(features=2, max_sets=4), st.integers(0, 99))
def test_each_set_keeps_its_particles(particles, seed):
    element = Permutation().element(particles, None, _generator(seed))
    permuted = Permutation().act(element, particles)
    assert torch.equal(permuted.offsets, particles.offsets)
    for before, after in zip(particles, permuted, strict=True):
        rows = [torch.cat([each.p4, each.features], 1).tolist() for each in (before, after)]
        assert sorted(rows[0]) == sorted(rows[1])


def test_every_order_occurs():
    particles = _numbered([2, 3])
    seen = {
        tuple(Permutation().element(particles, None, _generator(seed)).tolist())
        for seed in range(200)
    }
    assert len(seen) == 2 * 6


def test_labels_stay_and_outputs_go_with_what_they_belong_to():
    particles = _numbered([3, 0, 4])
    element = Permutation().element(particles, None, _generator(3))
    permuted = Permutation().act(element, particles)
    assert torch.equal(permuted.labels, particles.labels)
    outputs = particles.features * 10
    moved = Permutation(outputs="particles").act_on_outputs(element, outputs)
    assert torch.equal(moved, permuted.features * 10)
    assert Permutation().act_on_outputs(element, outputs) is outputs


def test_tensors_are_permuted_along_their_second_axis():
    x = torch.arange(6.0).reshape(2, 3)
    inputs = {"x": x, "labels": torch.tensor([0, 1])}
    symmetry = Permutation(outputs="particles")
    element = symmetry.element(inputs, None, _generator(2))
    moved = symmetry.act(element, inputs)
    assert moved["labels"] is inputs["labels"]
    assert torch.equal(moved["x"], x[:, element])
    assert torch.equal(symmetry.act_on_outputs(element, x), x[:, element])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.integers(0, 99))
def test_chosen_sets_and_their_particles(counts, seed):
    particles = _numbered(counts)
    symmetry = BatchComposition()
    element = symmetry.element(particles, None, _generator(seed))
    chosen = symmetry.act(element, particles)
    assert 1 <= len(chosen) == len(set(element.sets.tolist())) <= len(counts)
    assert torch.equal(chosen.labels, element.sets)
    by_set = symmetry.act_on_outputs(element, particles.labels.double()[:, None])
    assert torch.equal(by_set[:, 0], chosen.labels.double())
    by_particle = BatchComposition(outputs="particles").act_on_outputs(element, particles.features)
    assert torch.equal(by_particle, chosen.features)


@pytest.mark.parametrize(("strength", "sets"), [(1.0, 1), (3.0, 3), (50.0, 5)])
def test_the_strength_is_the_size_of_the_batch(strength, sets):
    symmetry = BatchComposition()
    element = symmetry.element(_numbered([1, 2, 0, 3, 1]), strength, _generator())
    assert len(element.sets) == sets
    assert symmetry.describe(element) == f"sets {element.sets.tolist()}"


def test_tensors_are_chosen_from_along_their_first_axis():
    x, y = torch.arange(8.0).reshape(4, 2), torch.arange(4)
    symmetry = BatchComposition()
    element = symmetry.element((x, y), 2.0, _generator())
    moved, labels = symmetry.act(element, (x, y))
    assert torch.equal(moved, x[labels])
    assert torch.equal(symmetry.act_on_outputs(element, x), moved)
    with pytest.raises(InputError, match="a ParticleSet, where outputs belong to particles"):
        BatchComposition(outputs="particles").act_on_outputs(element, x)


@pytest.mark.parametrize("symmetry", [Permutation(), BatchComposition()])
def test_inputs_without_tensors_are_refused(symmetry):
    with pytest.raises(InputError, match=r"inputs: expected a ParticleSet.*got str"):
        symmetry.element("jets.root", None, _generator())
