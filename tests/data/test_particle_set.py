"""The ragged batch: how it is made, cut, joined, loaded and moved."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.particle_batches import assert_same, batch
from torch.utils.data import DataLoader

from hepml.data import ParticleSet, concatenate
from hepml.errors import InputError


def by_hand(particles: ParticleSet, chosen) -> ParticleSet:
    """The chosen sets, made anew one by one: what every way of indexing must give."""
    rows = [range(int(particles.offsets[i]), int(particles.offsets[i + 1])) for i in chosen]
    flat = [row for rows_of_set in rows for row in rows_of_set]
    sets = torch.tensor(list(chosen), dtype=torch.int64)
    return ParticleSet(
        particles.p4[flat],
        torch.tensor([0, *(len(r) for r in rows)]).cumsum(0),
        particles.features[flat],
        **{
            name: getattr(particles, name)[sets]
            for name in ("context", "labels", "weights", "targets")
            if getattr(particles, name) is not None
        },
    )


def shares_memory(one, other) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


class TestConstruction:
    def test_defaults(self):
        particles = ParticleSet(torch.rand(3, 4), torch.tensor([0, 2, 3]))
        assert particles.features.shape == (3, 0)
        assert particles.context is particles.labels is particles.weights is None
        assert (len(particles), particles.dtype, particles.device.type) == (2, torch.float32, "cpu")

    def test_nothing_is_copied(self):
        p4, offsets, features = torch.rand(3, 4), torch.tensor([0, 2, 3]), torch.rand(3, 5)
        particles = ParticleSet(p4, offsets, features)
        assert particles.p4 is p4
        assert particles.offsets is offsets
        assert particles.features is features

    def test_it_is_frozen(self):
        with pytest.raises(AttributeError, match="cannot assign to field 'p4'"):
            batch().p4 = torch.zeros(6, 4)

    def test_unphysical_momenta_are_allowed(self):
        p4 = torch.tensor([[-1.0, 0, 0, 5], [0.0, 0, 0, 0]])
        assert len(ParticleSet(p4, torch.tensor([0, 2]))) == 1

    def test_large_finite_numbers_are_allowed(self):
        # Their sum overflows, which is how infinite ones are looked for first.
        p4 = torch.full((4, 4), 3e38)
        assert len(ParticleSet(p4, torch.tensor([0, 4]))) == 1

    @pytest.mark.parametrize("counts", [(), (0,), (0, 0, 0)])
    def test_no_set_and_sets_of_no_particle(self, counts):
        particles = batch(counts)
        assert len(particles) == len(counts)
        assert particles.p4.shape == (0, 4)
        assert particles.set_index.tolist() == []
        assert particles.counts.tolist() == list(counts)

    def test_counts_and_set_index(self):
        particles = batch((2, 0, 3, 1))
        assert particles.counts.tolist() == [2, 0, 3, 1]
        assert particles.set_index.tolist() == [0, 0, 2, 2, 2, 3]

    def test_repr(self):
        assert repr(batch()) == (
            "ParticleSet(4 sets, 6 particles, 2 features, with context, labels, targets, weights, "
            "float32, cpu)"
        )
        assert repr(batch((1,), channels=0, optional=False, dtype=torch.float64)) == (
            "ParticleSet(1 sets, 1 particles, 0 features, float64, cpu)"
        )


P4, OFFSETS = torch.ones(3, 4), torch.tensor([0, 1, 3])


class TestIndexing:
    @pytest.mark.parametrize("number", [0, 1, 3, -1, -4])
    def test_a_number(self, number):
        for index in (number, np.int64(number), torch.tensor(number)):
            assert_same(batch()[index], by_hand(batch(), [number % 4]))

    @pytest.mark.parametrize("number", [4, -5])
    def test_a_number_outside(self, number):
        with pytest.raises(IndexError, match=f"set {number} of a batch of 4"):
            batch()[number]

    @given(st.integers(0, 6), st.data())
    def test_any_slice_is_that_of_a_list(self, sets, data):
        particles = batch(range(sets))
        index = data.draw(st.slices(sets))
        assert_same(particles[index], by_hand(particles, range(sets)[index]))

    @given(st.integers(1, 6), st.data())
    def test_any_list_of_numbers(self, sets, data):
        particles = batch(range(sets))
        numbers = data.draw(st.lists(st.integers(-sets, sets - 1), max_size=8))
        expected = by_hand(particles, [number % sets for number in numbers])
        assert_same(particles[numbers], expected)
        assert_same(particles[torch.tensor(numbers, dtype=torch.int64)], expected)
        assert_same(particles[np.array(numbers, np.int32)], expected)
        assert_same(particles.__getitems__(numbers), expected)

    @given(st.lists(st.booleans(), max_size=6))
    def test_any_mask(self, mask):
        particles = batch(range(len(mask)))
        expected = by_hand(particles, [i for i, keep in enumerate(mask) if keep])
        assert_same(particles[torch.tensor(mask, dtype=torch.bool)], expected)
        assert_same(particles[np.array(mask, bool)], expected)
        if mask:
            assert_same(particles[mask], expected)

    def test_small_unsigned_numbers_are_numbers(self):
        # torch would take uint8 for a mask.
        assert_same(batch()[torch.tensor([1, 0], dtype=torch.uint8)], by_hand(batch(), [1, 0]))

    def test_without_optional_fields(self):
        particles = batch(optional=False)
        for index in (2, slice(1, 3), [3, 0]):
            assert particles[index].labels is particles[index].context is None

    def test_a_slice_shares_the_memory_and_a_list_copies(self):
        particles = batch()
        assert shares_memory(particles[1:3].p4, particles.p4)
        assert shares_memory(particles[1:3].features, particles.features)
        assert not shares_memory(particles[[1, 2]].p4, particles.p4)

    def test_gradients_flow_through(self):
        particles = batch(optional=False)
        p4 = particles.p4.clone().requires_grad_()
        particles.with_p4(p4)[[2, 2]].p4.sum().backward()
        assert p4.grad[:, 0].tolist() == [0, 0, 2, 2, 2, 0]

    def test_a_mask_of_another_length(self):
        message = r"mask over sets: expected shape \(4,\), got shape \(3,\). Fix: give one truth"
        with pytest.raises(InputError, match=message):
            batch()[torch.tensor([True, False, True])]

    @pytest.mark.parametrize("index", [torch.tensor([0.0]), torch.zeros(1, 1, dtype=torch.int64)])
    def test_what_is_no_index(self, index):
        message = "index over sets: expected a one-dimensional list of integers or truth values"
        with pytest.raises(InputError, match=message):
            batch()[index]

    @pytest.mark.parametrize("numbers", [[0, 4], [-5], [7, 1]])
    def test_a_list_with_numbers_outside(self, numbers):
        outside = [number for number in numbers if not -4 <= number < 4]
        with pytest.raises(IndexError, match=rf"sets \[{outside[0]}\] of a batch of 4"):
            batch()[numbers]

    def test_iteration(self):
        particles = batch()
        pieces = list(particles)
        assert [len(piece) for piece in pieces] == [1] * 4
        assert [piece.p4.shape[0] for piece in pieces] == [2, 0, 3, 1]
        assert_same(concatenate(pieces), particles)
        assert list(batch(())) == []


class TestConcatenate:
    @given(st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=5))
    def test_pieces_come_back(self, counts):
        pieces = [batch(c, seed=i) for i, c in enumerate(counts)]
        joined = concatenate(pieces)
        assert joined.counts.tolist() == [n for c in counts for n in c]
        start = 0
        for piece in pieces:
            assert_same(joined[start : start + len(piece)], piece)
            start += len(piece)

    def test_one_is_itself(self):
        particles = batch()
        assert concatenate([particles]) is particles

    def test_none(self):
        message = "concatenate: expected one batch or more, got none. Fix: pass at least one."
        with pytest.raises(InputError, match=message):
            concatenate([])

    @pytest.mark.parametrize(
        ("other", "difference"),
        [
            (batch(channels=3), r"features float32\[2\].* and .*features float32\[3\]"),
            (batch(dtype=torch.float64), r"p4 float32\[4\].* and .*p4 float64\[4\]"),
            (batch(optional=False), r"context float32\[2\], labels int64\[\]"),
        ],
    )
    def test_different_kinds(self, other, difference):
        message = (
            "concatenate: expected batches with the same channels, dtype, device and optional "
            f"fields, got .*{difference}.*Fix: read all of them with the same columns"
        )
        with pytest.raises(InputError, match=message):
            concatenate([batch(), other])

    @pytest.mark.usefixtures("unchecked_types")
    @pytest.mark.parametrize("batches", [[batch(), None], [torch.zeros(2)], "ab", 5, None])
    def test_what_is_no_batch(self, batches):
        message = "concatenate: expected batches, got a (NoneType|Tensor|str|int)"
        with pytest.raises(InputError, match=message):
            concatenate(batches)


class TestDataLoader:
    @pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
    def test_batches_of_the_default_collation(self, workers):
        particles = batch((2, 0, 3, 1, 4, 0, 1))
        loader = DataLoader(particles, batch_size=3, num_workers=workers)
        batches = list(loader)
        assert [len(piece) for piece in batches] == [3, 3, 1]
        assert_same(concatenate(batches), particles)

    def test_shuffled(self):
        particles = batch((2, 0, 3, 1, 4, 0, 1))
        generator = torch.Generator().manual_seed(3)
        loader = DataLoader(particles, batch_size=2, shuffle=True, generator=generator)
        seen = concatenate(list(loader))
        assert sorted(seen.weights.tolist()) == sorted(particles.weights.tolist())
        assert seen.weights.tolist() != particles.weights.tolist()

    def test_a_list_of_sets_is_collated(self):
        particles = batch()
        (collated,) = DataLoader(list(particles), batch_size=4)
        assert_same(collated, particles)

    def test_pinned_memory(self):
        particles = batch()
        if torch.cuda.is_available():
            (pinned,) = DataLoader(particles, batch_size=4, pin_memory=True)
            assert pinned.p4.is_pinned()
            assert pinned.labels.is_pinned()
            assert_same(pinned, particles)
        else:
            with pytest.raises(RuntimeError, match="accelerator"):
                particles.pin_memory()


class TestMoving:
    def test_dtype(self):
        particles = batch()
        for moved in (particles.to(torch.float64), particles.to(dtype=torch.float64)):
            floating = (moved.p4, moved.features, moved.context, moved.weights)
            assert {tensor.dtype for tensor in floating} == {torch.float64}
            assert moved.offsets.dtype == moved.labels.dtype == torch.int64
            assert_same(moved.to(torch.float32), particles)

    def test_targets_follow(self):
        particles = ParticleSet(P4, OFFSETS, labels=torch.tensor([0.5, 1.5]))
        assert particles.to(torch.float64).labels.dtype == torch.float64

    def test_device(self):
        moved = batch().to("meta", torch.float64)
        assert moved.device.type == moved.offsets.device.type == moved.labels.device.type == "meta"
        assert moved.dtype == torch.float64

    def test_nothing_to_do_copies_nothing(self):
        particles = batch()
        assert particles.to("cpu", torch.float32).p4 is particles.p4

    def test_detach(self):
        p4 = batch().p4.requires_grad_()
        particles = ParticleSet(p4, torch.tensor([0, 6]))
        assert particles.p4.requires_grad
        assert not particles.detach().p4.requires_grad
        assert particles.detach().p4.data_ptr() == p4.data_ptr()

    @pytest.mark.parametrize("twin", [lambda p: pickle.loads(pickle.dumps(p)), copy.deepcopy])
    @pytest.mark.parametrize("optional", [True, False])
    def test_pickled_and_copied(self, twin, optional):
        particles = batch(optional=optional)
        again = twin(particles)
        assert_same(again, particles)
        assert again.p4.data_ptr() != particles.p4.data_ptr()
        with pytest.raises(AttributeError, match="cannot assign to field"):
            again.p4 = particles.p4

    def test_other_momenta(self):
        particles = batch()
        doubled = particles.with_p4(2 * particles.p4)
        assert torch.equal(doubled.p4, 2 * particles.p4)
        assert doubled.features is particles.features
        assert doubled.labels is particles.labels

    @pytest.mark.usefixtures("unchecked_types")
    @pytest.mark.parametrize("p4", [torch.ones(5, 4), torch.ones(6, 4).double()])
    def test_other_momenta_of_another_kind(self, p4):
        message = (
            r"p4: expected torch.float32 of shape \(6, 4\) on cpu, got torch.float\d\d of shape "
            r"\(\d, 4\) on cpu. Fix: give one momentum for each particle; change dtype"
        )
        with pytest.raises(InputError, match=message):
            batch().with_p4(p4)
