"""From and to awkward arrays: values, behaviours, shared memory, and what is refused."""

import awkward as ak
import numpy as np
import pytest
import torch
import vector
from hypothesis import given
from hypothesis import strategies as st
from support.particle_batches import assert_same, batch

from hepml.data import ParticleSet
from hepml.errors import InputError


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

    @pytest.mark.parametrize("dtype", [">i4", ">u8", ">f4", ">f8", np.longdouble])
    def test_any_order_of_bytes_and_any_width(self, dtype):
        numbers = np.array([0, 1, 2], dtype)
        for name in ("labels", "weights", "context"):
            values = numbers[:, None] if name == "context" else numbers
            particles = ParticleSet.from_awkward(jets(**PTETAPHIM), **{name: values})
            assert getattr(particles, name).flatten().tolist() == [0, 1, 2]

    def test_wide_momenta_become_double(self):
        wide = jets(**PTETAPHIM)
        wide["pt"] = ak.values_astype(wide.pt, np.longdouble)
        p4 = ParticleSet.from_awkward(wide).p4
        # They are rounded once, where doubles are at each step.
        torch.testing.assert_close(
            p4, ParticleSet.from_awkward(jets(**PTETAPHIM)).p4, rtol=1e-14, atol=0
        )

    @pytest.mark.parametrize("values", [["a", "b", "c"], np.array(["2026"] * 3, "M8[Y]")])
    def test_per_set_values_that_are_no_numbers(self, values):
        with pytest.raises(InputError, match="labels: expected numbers"):
            ParticleSet.from_awkward(jets(**PTETAPHIM), labels=values)

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


FILLED = np.arange(4) < np.array([[2], [4], [0], [1]])


class TestFixedArrays:
    """What fixed arrays lose at their ends is what files lose; jagged arrays keep everything."""

    def fixed(self, fill=0.0, mass=0.0, **more):
        columns = {name: np.where(FILLED, 2.0, fill) for name in ("pt", "eta", "phi")}
        columns |= {"mass": np.where(FILLED, 0.1, mass)} | more
        return ak.zip({k: ak.from_numpy(v) for k, v in columns.items()}, depth_limit=2)

    @pytest.mark.parametrize("mass", [0.0, 0.14])
    def test_padding_is_left_out(self, mass):
        array = self.fixed(mass=mass, charge=np.where(FILLED, 1, -7))
        for each in (array, array[[0, 1, 2, 3]], ak.to_packed(array)):
            particles = ParticleSet.from_awkward(each, ["charge"])
            assert particles.counts.tolist() == [2, 4, 0, 1]
            assert particles.features.flatten().tolist() == [1] * 7
        assert ParticleSet.from_awkward(array[:0]).counts.tolist() == []
        assert ParticleSet.from_awkward(array[:, :0]).counts.tolist() == [0, 0, 0, 0]

    def test_cartesian_momenta(self):
        columns = {name: np.where(FILLED, 2.0, 0.0) for name in ("E", "px", "py", "pz")}
        array = ak.zip({k: ak.from_numpy(v) for k, v in columns.items()}, depth_limit=2)
        assert ParticleSet.from_awkward(array).counts.tolist() == [2, 4, 0, 1]

    def test_names_of_points(self):
        columns = {name: np.where(FILLED, 2.0, 0.0) for name in "xyzt"}
        array = ak.zip({k: ak.from_numpy(v) for k, v in columns.items()}, depth_limit=2)
        assert ParticleSet.from_awkward(array).counts.tolist() == [2, 4, 0, 1]

    def test_zeros_in_jagged_arrays_are_particles(self):
        array = ak.from_regular(self.fixed())
        assert ParticleSet.from_awkward(array).counts.tolist() == [4, 4, 4, 4]

    @pytest.mark.parametrize("fill", [-1.0, -999.0, np.nan])
    def test_other_padding_is_refused(self, fill):
        message = rf"momenta: expected zeros .*, got {fill:g} in the last place of set 0, which"
        with pytest.raises(InputError, match=message):
            ParticleSet.from_awkward(self.fixed(fill))
        kept = ak.from_regular(self.fixed(fill))
        assert ParticleSet.from_awkward(kept[kept.pt > 0]).counts.tolist() == [2, 4, 0, 1]


RECORDS = ak.contents.RecordArray(
    [ak.contents.NumpyArray(np.ones(10)) for _ in range(4)], ["pt", "eta", "phi", "mass"]
)


def by_bounds(bounds):
    return ak.contents.ListOffsetArray(ak.index.Index64(np.array(bounds)), RECORDS)


def by_starts(starts, stops):
    bounds = (ak.index.Index64(np.array(each)) for each in (starts, stops))
    return ak.contents.ListArray(*bounds, RECORDS)


@pytest.mark.parametrize(
    "layout",
    [
        # Every difference of neighbours is positive in int64, where they overflow.
        by_bounds([0, 10**9, 2**63 - 1, -2, 10]),
        by_bounds([0, 5, 3, 10]),
        by_bounds([-3, 5, 10]),
        by_bounds([0, 5, 100]),
        by_bounds([0, 2**62]),
        by_bounds([-(2**63), 0, 10]),
        by_starts([0, 5], [5, 100]),
        by_starts([-1, 5], [5, 10]),
        by_starts([0, 0], [2**62, 1]),
        by_starts([0, 0], [2**35, 1]),
        by_starts([5, 5], [3, 10]),
    ],
)
def test_damaged_bounds_are_refused(layout):
    with pytest.raises(InputError, match=r"offsets: expected bounds|momenta: expected an awkward"):
        ParticleSet.from_awkward(ak.Array(layout))


def test_records_of_lists_are_refused():
    array = ak.Array({name: np.ones((3, 4)) for name in ("pt", "eta", "phi", "mass")})
    with pytest.raises(InputError, match=r"momenta: expected an awkward array .* got 3 \* {"):
        ParticleSet.from_awkward(array)
