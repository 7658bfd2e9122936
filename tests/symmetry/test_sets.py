"""Other orders of particles and of sets."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from hepml.data import ParticleSet, PhaseSpace
from hepml.errors import InputError
from hepml.ops import segment_sum
from hepml.symmetry import (
    BatchComposition,
    BodyPermutation,
    Permutation,
    PhiRotation,
    Translation,
    check,
)
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


def test_tensors_are_permuted_along_the_axis_that_is_named():
    x = torch.arange(24.0).reshape(2, 3, 4)
    inputs = {"x": x, "mask": x[..., 0], "labels": torch.tensor([0, 1])}
    symmetry = Permutation(outputs="particles", axis=1)
    element = symmetry.element(inputs, None, _generator(2))
    moved = symmetry.act(element, inputs)
    assert moved["labels"] is inputs["labels"]
    assert torch.equal(moved["x"], x[:, element])
    assert torch.equal(moved["mask"], x[:, element, 0])
    assert torch.equal(symmetry.act_on_outputs(element, x), x[:, element])
    # Channels first; of each tensor its own.
    inputs = {"x": x.mT, "mask": x[..., 0]}
    symmetry = Permutation(outputs="particles", axis={"x": 2, "mask": 1})
    moved = symmetry.act(element, inputs)
    assert torch.equal(moved["x"], x[:, element].mT)
    assert torch.equal(moved["mask"], x[:, element, 0])
    assert torch.equal(symmetry.act_on_outputs(element, x[..., 0]), x[:, element, 0])
    for axis in ((2, 1), (2, None)):
        moved = Permutation(axis=axis).act(element, (x.mT, x[..., 0]))
        assert torch.equal(moved[0], x[:, element].mT)
    assert moved[1] is not None
    assert torch.equal(moved[1], x[..., 0])


FLAT = torch.randn(9, 4, generator=_generator()).double()
# Not in order: the sets of particles need not lie together.
INDEX = torch.tensor([0, 0, 1, 2, 1, 1, 2, 3, 0])


def _by_order(x: Tensor, batch: Tensor) -> Tensor:
    """Depends on the order of the particles of each set."""
    weight = torch.arange(len(x), dtype=x.dtype)[:, None]
    return torch.zeros(4, 4, dtype=x.dtype).index_add(0, batch, weight * x)


def test_flat_tensors_are_permuted_within_the_sets_of_their_index():
    for inputs, index in (((FLAT, INDEX), 1), ({"x": FLAT, "batch": INDEX}, "batch")):
        symmetry = Permutation(index=index)
        element = symmetry.element(inputs, None, _generator(2))
        assert torch.equal(INDEX[element], INDEX)
        assert not torch.equal(element, torch.arange(9))
        values = inputs.values() if isinstance(inputs, dict) else inputs
        moved = symmetry.act(element, inputs)
        for before, after in zip(
            values, moved.values() if isinstance(moved, dict) else moved, strict=True
        ):
            assert torch.equal(after, before[element])
    pooled = torch.zeros(4, 4, dtype=FLAT.dtype)
    options = {"dtypes": "float64", "elements": 3}
    for function, verdict in (
        (lambda x: pooled.index_add(0, x[1], x[0]), "holds"),
        (lambda x: _by_order(*x), "broken"),
    ):
        assert check(function, (FLAT, INDEX), Permutation(index=1), **options).verdict == verdict
    each = Permutation(index=1, outputs="particles")
    assert check(lambda x: x[0].square(), (FLAT, INDEX), each, **options).verdict == "holds"


def test_bodies_are_permuted_and_chosen():
    """Energies that depend on the order of bodies must not hold."""
    state = PhaseSpace(FLAT[:, :2], FLAT[:, 2:], torch.tensor([0, 3, 5, 9]))

    def energies(state, weighted):
        weight = torch.arange(len(state.q), dtype=state.q.dtype) if weighted else 1.0
        return segment_sum(weight * state.p.square().sum(1), state.offsets)

    for symmetry in (Permutation(), BatchComposition()):
        for weighted, verdict in ((False, "holds"), (True, "broken")):
            found = check(
                lambda state, weighted=weighted: energies(state, weighted), state, symmetry
            )
            assert found.verdict == verdict
        each = dataclasses.replace(symmetry, outputs="particles")
        assert check(lambda state: state.q, state, each).verdict == "holds"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (FLAT, "got Tensor: tensors of which nobody said where their particles are"),
        ((FLAT, INDEX), r"Permutation\(index=\"batch\"\) where"),
        (torch.ones(2, 3, 4), r"say so: Permutation\(axis=1\)"),
    ],
)
def test_what_is_permuted_has_to_be_said(inputs, message):
    with pytest.raises(InputError, match=message):
        check(lambda _: FLAT[:2], inputs, "permutation")


@pytest.mark.parametrize(
    ("symmetry", "inputs", "message"),
    [
        (Permutation(axis=2), (FLAT,), "nobody said where"),
        (Permutation(axis=0), (FLAT,), r"axis 0 of shapes \[\(9, 4\)\]"),
        (Permutation(axis=1), (FLAT, torch.ones(9, 3)), r"axis 1 of shapes"),
        (Permutation(axis={"y": 1}), {"x": FLAT}, "no tensor 'y'"),
        (Permutation(index="y"), {"x": FLAT}, "no entry 'y'"),
        (Permutation(index=0), (FLAT, INDEX), "an index of torch.float64"),
    ],
)
def test_places_that_the_inputs_have_not_are_refused(symmetry, inputs, message):
    with pytest.raises(InputError, match=message):
        symmetry.element(inputs, None, _generator())


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    "kind", [Permutation, BatchComposition, PhiRotation, Translation, BodyPermutation]
)
def test_mistyped_outputs_are_refused(kind):
    with pytest.raises(InputError, match=rf"outputs of {kind.__name__}: .* got 'particle'"):
        kind(outputs="particle")


def test_an_axis_and_an_index_exclude_each_other():
    with pytest.raises(InputError, match="axis, index of Permutation: expected one of both"):
        Permutation(axis=1, index=0)


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
    x = torch.arange(8.0).reshape(4, 2)
    symmetry = BatchComposition()
    element = symmetry.element((x, 10 * x), 2.0, _generator())
    moved, others = symmetry.act(element, (x, 10 * x))
    assert torch.equal(moved, x[element.sets])
    assert torch.equal(others, 10 * moved)
    assert torch.equal(symmetry.act_on_outputs(element, x), moved)
    # Whole numbers may be the sets of particles: that has to be said.
    with pytest.raises(InputError, match="whole numbers, which may be the sets of particles"):
        symmetry.element((x, torch.arange(4)), 2.0, _generator())
    named = BatchComposition(axis=(1, None))
    moved, labels = named.act(
        named.element((x, torch.arange(4)), 2.0, _generator()), (x, INDEX[:4])
    )
    assert len(moved) == len(labels) == 2


def test_sets_of_an_index_are_chosen_with_their_particles():
    inputs = {"x": FLAT, "batch": INDEX, "context": torch.arange(4.0), "scale": torch.ones(1)}
    symmetry = BatchComposition(index="batch")
    for seed in range(5):
        element = symmetry.element(inputs, 2.0, _generator(seed))
        chosen = symmetry.act(element, inputs)
        assert torch.equal(chosen["context"], element.sets.float())
        assert chosen["scale"] is inputs["scale"]
        for new, old in enumerate(element.sets.tolist()):
            assert torch.equal(chosen["x"][chosen["batch"] == new], FLAT[INDEX.eq(old)])
        assert len(chosen["x"]) == len(element.particles)
        each = BatchComposition(index="batch", outputs="particles")
        assert torch.equal(each.act_on_outputs(element, FLAT), chosen["x"])

    def pooled(inputs):
        sets = int(inputs["batch"].max()) + 1
        return torch.zeros(sets, 4, dtype=FLAT.dtype).index_add(0, inputs["batch"], inputs["x"])

    def mixed(inputs):
        return pooled(inputs) - inputs["x"].mean(0)

    for function, verdict in ((pooled, "holds"), (mixed, "broken")):
        assert check(function, inputs, symmetry, dtypes="float64").verdict == verdict


@pytest.mark.parametrize("symmetry", [Permutation(), BatchComposition()])
def test_inputs_without_tensors_are_refused(symmetry):
    with pytest.raises(InputError, match=r"inputs: expected a ParticleSet.*got str"):
        symmetry.element("jets.root", None, _generator())


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("kind", [Permutation, BatchComposition])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"axis": "1"}, "axis of .*expected a whole number from 1 on.*got '1'"),
        ({"axis": True}, "axis of .*got True"),
        ({"axis": 1.0}, "axis of .*got 1.0"),
        ({"axis": -1}, "axis of .*got -1"),
        ({"axis": {"x": "2"}}, "axis of .*got {'x': '2'}"),
        ({"axis": (1, False)}, "axis of .*got \\(1, False\\)"),
        ({"index": 1.0}, "index of .*expected the name of an entry"),
        ({"index": True}, "index of .*got True"),
    ],
)
def test_what_names_no_axis_is_refused_when_it_is_made(kind, arguments, message):
    with pytest.raises(InputError, match=message):
        kind(**arguments)
