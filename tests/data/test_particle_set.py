"""The ragged batch: what it refuses, how it is cut and joined, and how it shares memory."""

import copy
import pickle

import awkward as ak
import numpy as np
import pytest
import torch
import vector
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from hepml.data import ParticleSet, concatenate
from hepml.errors import InputError

FIELDS = ("p4", "offsets", "features", "context", "labels", "weights")


def batch(counts=(2, 0, 3, 1), *, channels=2, dtype=torch.float32, optional=True, seed=0):
    """Particles of random momenta, with everything that a batch can carry."""
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.tensor([0, *counts]).cumsum(0)
    particles, sets = int(offsets[-1]), len(counts)
    momenta = torch.randn(particles, 3, generator=generator, dtype=torch.float64) * 50
    masses = torch.rand(particles, 1, generator=generator, dtype=torch.float64)
    energies = (momenta.square().sum(1, keepdim=True) + masses.square()).sqrt()
    p4 = torch.cat([energies, momenta], 1).to(dtype)
    features = torch.randn(particles, channels, generator=generator, dtype=dtype)
    if not optional:
        return ParticleSet(p4, offsets, features)
    return ParticleSet(
        p4,
        offsets,
        features,
        context=torch.randn(sets, 2, generator=generator, dtype=dtype),
        labels=torch.arange(sets) % 2,
        weights=torch.rand(sets, generator=generator, dtype=dtype),
    )


def assert_same(one: ParticleSet, other: ParticleSet) -> None:
    """Every field is equal, bit by bit."""
    for name in FIELDS:
        a, b = getattr(one, name), getattr(other, name)
        if a is None or b is None:
            assert a is b, name
        else:
            assert a.dtype == b.dtype, name
            assert torch.equal(a, b), name


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
            for name in ("context", "labels", "weights")
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
            "ParticleSet(4 sets, 6 particles, 2 features, with context, labels, weights, "
            "float32, cpu)"
        )
        assert repr(batch((1,), channels=0, optional=False, dtype=torch.float64)) == (
            "ParticleSet(1 sets, 1 particles, 0 features, float64, cpu)"
        )


P4, OFFSETS = torch.ones(3, 4), torch.tensor([0, 1, 3])
BAD_NUMBERS = torch.ones(3, 4)
BAD_NUMBERS[1, 2] = torch.nan
INFINITE = torch.ones(3, 2)
INFINITE[2, 0] = -torch.inf


@pytest.mark.usefixtures("unchecked_types")
class TestRefusals:
    @pytest.mark.parametrize(
        ("p4", "message"),
        [
            (
                torch.ones(3, 3),
                r"p4: expected a tensor of shape \(particles, 4\) with rows \(E, px, py, pz\) in "
                r"GeV, got torch.float32 of shape \(3, 3\) on cpu. Fix: stack energy, px, py, pz "
                r"along the last axis, without padding.",
            ),
            (torch.ones(1, 3, 4), r"p4: .* got torch.float32 of shape \(1, 3, 4\) on cpu"),
            (np.ones((3, 4)), r"p4: .* got ndarray array\(\[\[1., 1., 1., 1.\]"),
            (
                torch.ones(3, 4, dtype=torch.int64),
                r"p4: expected floating point, got torch.int64. Fix: convert with .float\(\).",
            ),
            (
                BAD_NUMBERS,
                r"p4: expected finite numbers, got \[1.0, 1.0, nan, 1.0\] in row 1 \(1 such "
                r"rows\). Fix: remove or repair these rows before making the batch.",
            ),
        ],
    )
    def test_momenta(self, p4, message):
        with pytest.raises(InputError, match=message):
            ParticleSet(p4, OFFSETS)

    @pytest.mark.parametrize(
        ("offsets", "message"),
        [
            (
                OFFSETS.int(),
                r"offsets: expected int64 of shape \(sets \+ 1,\), got torch.int32 of shape \(3,\) "
                r"on cpu. Fix: pass the running sum of the numbers of particles, starting with 0.",
            ),
            ([0, 1, 3], r"offsets: .* got list \[0, 1, 3\]"),
            (OFFSETS[None], r"offsets: .* got torch.int64 of shape \(1, 3\)"),
            (
                torch.tensor([0, 1, 2]),
                r"offsets: expected bounds that start at 0, never fall and end at 3, the number of "
                r"particles, got torch.int64 of shape \(3,\) on cpu \[0, 1, 2\]. Fix: pass",
            ),
            (torch.tensor([1, 2, 3]), r"offsets: expected bounds .* \[1, 2, 3\]"),
            (torch.tensor([0, 2, 1, 3]), r"offsets: expected bounds .* \[0, 2, 1, 3\]"),
            (torch.tensor([0]), r"offsets: expected bounds .* \[0\]"),
            (OFFSETS[:0], r"offsets: expected bounds .* \[\]"),
            (
                OFFSETS.to("meta"),
                r"offsets: expected device cpu, got meta. Fix: move it there.",
            ),
        ],
    )
    def test_offsets(self, offsets, message):
        with pytest.raises(InputError, match=message):
            ParticleSet(P4, offsets)

    @pytest.mark.parametrize(
        ("features", "message"),
        [
            (
                torch.ones(2, 5),
                r"features: expected torch.float32 of shape \(3, channels\) on cpu, got "
                r"torch.float32 of shape \(2, 5\) on cpu. Fix: give one row for each particle, "
                r"with the dtype and device of p4.",
            ),
            (torch.ones(3), r"features: .* got torch.float32 of shape \(3,\)"),
            (torch.ones(3, 1).double(), r"features: .* got torch.float64 of shape \(3, 1\)"),
            (torch.ones(3, 1, device="meta"), r"features: .* on meta"),
            ([[1.0]] * 3, r"features: .* got list "),
            (
                INFINITE,
                r"features: expected finite numbers, got \[-inf, 1.0\] in row 2 \(1 such rows\)",
            ),
        ],
    )
    def test_features(self, features, message):
        with pytest.raises(InputError, match=message):
            ParticleSet(P4, OFFSETS, features)

    @pytest.mark.parametrize(
        ("optional", "message"),
        [
            (
                {"context": torch.ones(3, 2)},
                r"context: expected torch.float32 of shape \(2, channels\) on cpu, got "
                r"torch.float32 of shape \(3, 2\) on cpu. Fix: give one row for each set of the "
                r"batch.",
            ),
            ({"context": torch.ones(2)}, r"context: .* got torch.float32 of shape \(2,\)"),
            ({"context": torch.ones(2, 1).double()}, r"context: .* got torch.float64"),
            ({"context": torch.full((2, 1), torch.nan)}, r"context: expected finite .* row 0 \(2 "),
            (
                {"labels": torch.ones(3).long()},
                r"labels: expected a tensor of shape \(2,\) on cpu, got torch.int64 of shape "
                r"\(3,\) on cpu. Fix: give one row for each set of the batch.",
            ),
            ({"labels": torch.ones(2, 1).long()}, r"labels: .* got torch.int64 of shape \(2, 1\)"),
            (
                {"labels": torch.tensor([1.0, torch.nan])},
                "labels: expected finite numbers, got nan",
            ),
            ({"labels": [0, 1]}, r"labels: .* got list \[0, 1\]"),
            (
                {"weights": torch.ones(2).long()},
                r"weights: expected floating point of shape \(2,\) on cpu, got torch.int64",
            ),
            ({"weights": torch.ones(2, device="meta")}, r"weights: .* on meta"),
            ({"weights": torch.tensor([torch.inf, 1])}, "weights: expected finite .* got inf in"),
        ],
    )
    def test_per_set(self, optional, message):
        with pytest.raises(InputError, match=message):
            ParticleSet(P4, OFFSETS, **optional)

    def test_nothing_slips_through_where_the_sum_stays_finite(self):
        # +inf and -inf add up to NaN; two numbers of opposite sign do not.
        p4 = torch.ones(2, 4)
        p4[0, 0], p4[1, 0] = torch.inf, -torch.inf
        with pytest.raises(InputError, match=r"in row 0 \(2 such rows\)"):
            ParticleSet(p4, torch.tensor([0, 2]))


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
            "concatenate: expected batches with the same features, dtype, device and optional "
            f"fields, got .*{difference}.*Fix: read all of them with the same columns"
        )
        with pytest.raises(InputError, match=message):
            concatenate([batch(), other])


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


def jets(**columns):
    """Jagged records from columns of lists."""
    return ak.zip({name: ak.Array(column) for name, column in columns.items()})


PTETAPHIM = {
    "pt": [[30.0, 20.0], [], [5.0]],
    "eta": [[0.5, -1.5], [], [2.0]],
    "phi": [[0.1, 3.0], [], [-2.0]],
    "mass": [[0.1, 0.0], [], [4.0]],
}


class TestToAwkward:
    def test_memory_is_shared(self):
        particles = batch()
        array = particles.to_awkward()
        content = array.layout.content
        for i, name in enumerate(("E", "px", "py", "pz")):
            column = content[name].data
            address = column.__array_interface__["data"][0]
            assert address == particles.p4.data_ptr() + 4 * i
            assert column.strides == (16,)
        assert content["feature_1"].data.__array_interface__["data"][0] == (
            particles.features.data_ptr() + 4
        )
        offsets = np.asarray(array.layout.offsets)
        assert offsets.__array_interface__["data"][0] == particles.offsets.data_ptr()

    @pytest.mark.parametrize("quantity", ["pt", "eta", "phi", "mass", "rapidity", "theta"])
    def test_behaviours_of_vector(self, quantity):
        particles = batch(dtype=torch.float64)
        array = particles.to_awkward()
        energy, px, py, pz = particles.p4.T.numpy()
        expected = getattr(vector.array({"px": px, "py": py, "pz": pz, "E": energy}), quantity)
        result = getattr(array, quantity)
        assert ak.num(result).tolist() == [2, 0, 3, 1]
        np.testing.assert_allclose(ak.flatten(result), expected, rtol=1e-13)

    def test_momenta_add_up(self):
        # Momenta of vector, not mere records: their sums are momenta.
        total = ak.sum(batch((2, 3)).to_awkward(), axis=1)
        expected = [float(piece.p4[:, 1].double().sum()) for piece in batch((2, 3))]
        np.testing.assert_allclose(total.px, expected, rtol=1e-5)
        assert total.mass.tolist() == pytest.approx(total.tau.tolist())

    def test_names_of_features(self):
        array = batch().to_awkward(["charge", "d0"])
        assert array.fields == ["E", "px", "py", "pz", "charge", "d0"]
        np.testing.assert_array_equal(ak.flatten(array.d0), batch().features[:, 1])

    @pytest.mark.parametrize("counts", [(), (0, 0)])
    def test_empty(self, counts):
        array = batch(counts, channels=0).to_awkward()
        assert len(array) == len(counts)
        assert ak.num(array).tolist() == list(counts)
        assert array.pt.tolist() == [[]] * len(counts)

    def test_gradients_are_left_behind(self):
        particles = ParticleSet(batch().p4.requires_grad_(), torch.tensor([0, 6]))
        assert len(particles.to_awkward()) == 1

    def test_wrong_number_of_names(self):
        message = (
            r"features: expected 2 names, one for each feature, got \['charge'\]. Fix: give the "
            r"names in the order of the columns that were read."
        )
        with pytest.raises(InputError, match=message):
            batch().to_awkward(["charge"])

    @pytest.mark.parametrize("names", [["pt", "phi"], ["E", "d0"], ["d0", "d0"]])
    def test_names_that_the_momenta_have(self, names):
        message = (
            r"features: expected different names, none of them a coordinate of a momentum, got "
            rf"\['{names[0]}', '{names[1]}'\]. Fix: rename, for example pt to log_pt"
        )
        with pytest.raises(InputError, match=message):
            batch().to_awkward(names)


class TestFromAwkward:
    @given(st.lists(st.integers(0, 5), max_size=6), st.integers(0, 3), st.booleans())
    def test_round_trip(self, counts, channels, double):
        particles = batch(
            counts,
            channels=channels,
            dtype=torch.float64 if double else torch.float32,
            optional=False,
        )
        names = [f"feature_{i}" for i in range(channels)]
        assert_same(ParticleSet.from_awkward(particles.to_awkward(), names), particles)

    def test_memory_is_shared(self):
        particles = batch()
        array = particles.to_awkward(["charge", "d0"])
        again = ParticleSet.from_awkward(array, ["charge", "d0"])
        assert again.p4.data_ptr() == particles.p4.data_ptr()
        assert again.features.data_ptr() == particles.features.data_ptr()
        assert again.offsets.data_ptr() == particles.offsets.data_ptr()
        assert again.p4.is_contiguous()
        one = ParticleSet.from_awkward(array, ["d0"])
        assert torch.equal(one.features, particles.features[:, 1:])

    def test_a_slice_shares_the_particles(self):
        particles = batch()
        again = ParticleSet.from_awkward(particles.to_awkward()[2:])
        assert again.p4.data_ptr() == particles.p4[2:].data_ptr()
        assert again.offsets.tolist() == [0, 3, 4]

    def test_what_must_not_be_written_to_is_copied(self):
        p4 = batch().p4.numpy().copy()
        p4.flags.writeable = False
        offsets = np.array([0, 2, 6])
        offsets.flags.writeable = False
        contents = [ak.contents.NumpyArray(p4[:, i]) for i in range(4)]
        layout = ak.contents.ListOffsetArray(
            ak.index.Index64(offsets),
            ak.contents.RecordArray(contents, ["E", "px", "py", "pz"]),
        )
        particles = ParticleSet.from_awkward(ak.Array(layout))
        particles.p4.zero_()
        assert np.array_equal(p4, batch().p4.numpy())

    @pytest.mark.parametrize("names", [("E", "px", "py", "pz"), ("energy", "px", "py", "pz")])
    def test_stored_components(self, names):
        columns = [[[5.0, 2.0], [], [1.0]], [[3.0, 0.0], [], [0.5]]]
        columns += [[[4.0, 1.0], [], [0.0]], [[0.0, 1.5], [], [0.25]]]
        particles = ParticleSet.from_awkward(jets(**dict(zip(names, columns, strict=True))))
        expected = [[5.0, 3.0, 4.0, 0.0], [2.0, 0.0, 1.0, 1.5], [1.0, 0.5, 0.0, 0.25]]
        assert particles.p4.tolist() == expected
        assert particles.offsets.tolist() == [0, 2, 2, 3]
        assert particles.dtype == torch.float64

    def test_components_by_vector(self):
        array = jets(**PTETAPHIM)
        particles = ParticleSet.from_awkward(array)
        pt, eta, phi, mass = (np.concatenate(PTETAPHIM[n]) for n in ("pt", "eta", "phi", "mass"))
        px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
        energy = np.sqrt(px**2 + py**2 + pz**2 + mass**2)
        np.testing.assert_allclose(particles.p4, np.stack([energy, px, py, pz], 1), rtol=1e-13)

    def test_pt_eta_phi_energy(self):
        columns = {**PTETAPHIM, "energy": [[50.0, 60.0], [], [40.0]]}
        del columns["mass"]
        particles = ParticleSet.from_awkward(jets(**columns))
        assert particles.p4[:, 0].tolist() == [50.0, 60.0, 40.0]

    def test_the_place_of_production_is_no_momentum(self):
        # vector alone refuses such records, or takes x and y for the momentum.
        position = {name: [[9.0, 9.0], [], [9.0]] for name in ("x", "y", "z", "t")}
        particles = ParticleSet.from_awkward(jets(**PTETAPHIM, **position), ["x"])
        assert torch.equal(particles.p4, ParticleSet.from_awkward(jets(**PTETAPHIM)).p4)
        assert particles.features.tolist() == [[9.0]] * 3

    def test_of_two_sets_of_coordinates_the_cartesian_is_taken(self):
        cartesian = {name: [[1.0, 1.0], [], [1.0]] for name in ("px", "py", "pz")}
        cartesian["energy"] = [[2.0, 2.0], [], [2.0]]
        particles = ParticleSet.from_awkward(jets(**PTETAPHIM, **cartesian))
        assert particles.p4.tolist() == [[2.0, 1.0, 1.0, 1.0]] * 3

    def test_names_of_points(self):
        names = ("t", "x", "y", "z")
        array = jets(**{name: [[float(i)]] for i, name in enumerate(names, start=2)})
        assert ParticleSet.from_awkward(array).p4.tolist() == [[2.0, 3.0, 4.0, 5.0]]

    def test_features_take_the_dtype_of_the_momenta(self):
        array = ak.with_field(jets(**PTETAPHIM), ak.Array([[1, -1], [], [0]]), "charge")
        array = ak.with_field(array, array.charge > 0, "positive")
        particles = ParticleSet.from_awkward(array, ["charge", "positive"], dtype=torch.float32)
        assert particles.features.dtype == particles.p4.dtype == torch.float32
        assert particles.features.tolist() == [[1, 1], [-1, 0], [0, 0]]

    def test_whole_numbers_become_floating_point(self):
        array = jets(E=[[5]], px=[[3]], py=[[0]], pz=[[4]])
        assert ParticleSet.from_awkward(array).p4.tolist() == [[5.0, 3.0, 0.0, 4.0]]

    @pytest.mark.parametrize(
        "reorder",
        [
            lambda array: array[[2, 0, 1]],
            lambda array: array[[True, False, True]],
            lambda array: array[array.pt > 10],
            lambda array: ak.to_regular(array[:1], axis=1),
            lambda array: array[::-1],
            lambda array: array[1:2],
            lambda array: array[:0],
        ],
        ids=["order", "mask", "cut", "regular", "reversed", "empty set", "no set"],
    )
    def test_any_layout(self, reorder):
        array = reorder(jets(**PTETAPHIM))
        particles = ParticleSet.from_awkward(array)
        assert particles.counts.tolist() == ak.num(array).tolist()
        np.testing.assert_allclose(
            ak.to_numpy(ak.flatten(particles.to_awkward().pt)), ak.flatten(array.pt), rtol=1e-13
        )

    def test_per_set_arrays(self):
        particles = ParticleSet.from_awkward(
            jets(**PTETAPHIM),
            context=np.ones((3, 2), np.float32),
            labels=ak.Array([True, False, True]),
            weights=[1, 2, 3],
        )
        assert particles.context.dtype == particles.weights.dtype == torch.float64
        assert particles.labels.dtype == torch.int64
        assert particles.labels.tolist() == [1, 0, 1]
        assert particles.weights.tolist() == [1.0, 2.0, 3.0]

    @pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint8, np.int64])
    def test_classes_become_int64(self, dtype):
        particles = ParticleSet.from_awkward(jets(**PTETAPHIM), labels=np.array([0, 1, 2], dtype))
        assert particles.labels.dtype == torch.int64

    def test_targets_stay_floating_point(self):
        particles = ParticleSet.from_awkward(jets(**PTETAPHIM), labels=np.array([0.5, 1.0, 2.0]))
        assert particles.labels.tolist() == [0.5, 1.0, 2.0]

    @pytest.mark.parametrize(
        "array",
        [
            ak.Array([1.0, 2.0]),
            ak.Array([[1.0], [2.0]]),
            jets(pt=[1.0], eta=[1.0], phi=[1.0], mass=[1.0]),
            ak.Array([[[{"px": 1.0}]]]),
            ak.Array([[{"px": 1.0, "py": 1.0, "pz": 1.0, "E": 2.0}], None]),
            ak.Array([[{"px": 1.0, "py": 1.0, "pz": 1.0, "E": 2.0}, None]]),
            ak.Array([]),
        ],
        ids=["flat", "numbers", "one level", "three levels", "no list", "no record", "no type"],
    )
    def test_what_is_not_jagged_once(self, array):
        message = (
            r"momenta: expected an awkward array of type sets \* var \* \{px, py, pz, E, ...\} "
            r"without missing values, got .*Fix: flatten events of jets with ak.flatten"
        )
        with pytest.raises(InputError, match=message):
            ParticleSet.from_awkward(array)

    @pytest.mark.parametrize("dropped", ["pt", "phi", "eta", "mass"])
    def test_a_coordinate_that_is_missing(self, dropped):
        columns = {name: column for name, column in PTETAPHIM.items() if name != dropped}
        message = (
            r"momenta: expected coordinates that vector knows: \(px, py, pz, E\), "
            r"\(pt, eta, phi, mass\) or \(pt, eta, phi, energy\), got records with "
            rf"{', '.join(columns)}. Fix: rename the fields, or add the one that is missing"
        )
        with pytest.raises(InputError, match=message):
            ParticleSet.from_awkward(jets(**columns))

    def test_a_feature_that_is_missing(self):
        array = ak.with_field(jets(**PTETAPHIM), ak.Array([[1, -1], [], [0]]), "charge")
        message = (
            r"feature 'charg': expected one of the fields pt, eta, phi, mass, charge, got "
            r"'charg'. Fix: did you mean charge."
        )
        with pytest.raises(InputError, match=message):
            ParticleSet.from_awkward(array, ["charg"])
        with pytest.raises(InputError, match=r"feature 'd0': .* Fix: choose among the fields."):
            ParticleSet.from_awkward(array, ["d0"])

    @pytest.mark.parametrize(
        "column",
        [[[1.0, None], [], [2.0]], [[[1.0], [2.0, 3.0]], [], [[4.0]]], [["a", "b"], [], ["c"]]],
        ids=["missing", "jagged", "text"],
    )
    def test_a_feature_that_is_no_number(self, column):
        array = ak.zip({**{n: ak.Array(c) for n, c in PTETAPHIM.items()}}, depth_limit=2)
        array = ak.with_field(array, ak.Array(column), "extra")
        message = (
            "extra: expected numbers, none of them missing, and as many in each row, got .*"
            "Fix: fill missing values with ak.fill_none, and make jagged fields rectangular."
        )
        with pytest.raises(InputError, match=message):
            ParticleSet.from_awkward(array, ["extra"])

    def test_a_missing_value_in_a_field_that_is_not_read_does_not_matter(self):
        array = ak.with_field(jets(**PTETAPHIM), ak.Array([[1, None], [], [0]]), "charge")
        assert len(ParticleSet.from_awkward(array)) == 3

    @pytest.mark.parametrize("name", ["context", "labels", "weights"])
    def test_missing_values_per_set(self, name):
        with pytest.raises(InputError, match=f"{name}: expected numbers, none of them missing"):
            ParticleSet.from_awkward(jets(**PTETAPHIM), **{name: ak.Array([1, None, 0])})

    def test_what_the_constructor_refuses(self):
        columns = {**PTETAPHIM, "mass": [[0.1, float("nan")], [], [4.0]]}
        with pytest.raises(InputError, match=r"p4: expected finite numbers, got \[nan, .* row 1"):
            ParticleSet.from_awkward(jets(**columns))
        with pytest.raises(InputError, match=r"labels: .* shape \(3,\) on cpu, got torch.int64"):
            ParticleSet.from_awkward(jets(**PTETAPHIM), labels=[0, 1])
