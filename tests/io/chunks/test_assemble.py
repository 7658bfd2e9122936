"""Tables of particles and sets: awkward and numpy by hand are the oracles."""

import awkward as ak
import numpy as np
import pytest
import torch
import uproot
import vector
from hypothesis import given, settings
from hypothesis import strategies as st

from hepml.errors import ColumnError, DataError
from hepml.io import PRESETS, Collection, Columns, read

CARTESIAN = {"E": "part_energy", "px": "part_px", "py": "part_py", "pz": "part_pz"}


def rows(*columns):
    return np.stack([np.asarray(ak.flatten(c, axis=None)) for c in columns], axis=1)


def test_momenta_and_offsets_of_jagged_branches(small):
    path, branches = small
    particles = read(path, Columns(Collection(CARTESIAN)))
    expected = rows(*(branches[CARTESIAN[c]] for c in ("E", "px", "py", "pz")))
    np.testing.assert_array_equal(particles.p4.numpy(), expected)
    np.testing.assert_array_equal(particles.counts.numpy(), ak.num(branches["part_px"]))
    assert particles.p4.dtype == torch.float32
    assert particles.features.shape == (len(expected), 0)
    assert particles.labels is particles.weights is particles.context is None


def test_features_of_our_own_layout(small):
    path, branches = small
    particles = read(path, "hepml")
    flat = {name: ak.to_numpy(ak.flatten(branches[name], axis=None)) for name in branches}
    expected = {
        "charge": flat["part_charge"],
        "is_charged_hadron": abs(flat["part_pid"]) == 211,
        "is_neutral_hadron": flat["part_pid"] == 130,
        "is_photon": flat["part_pid"] == 22,
        "is_electron": abs(flat["part_pid"]) == 11,
        "is_muon": abs(flat["part_pid"]) == 13,
        "tanh_d0": np.tanh(flat["part_d0val"]),
        "d0_error": np.clip(flat["part_d0err"], 0, 1),
        "tanh_dz": np.tanh(flat["part_dzval"]),
        "dz_error": np.clip(flat["part_dzerr"], 0, 1),
    } | {
        f"{name}_significance": np.clip(
            np.where(error > 0, value / np.where(error > 0, error, 1), 0), -50, 50
        )
        for name in ("d0", "dz")
        for value, error in [(flat[f"part_{name}val"], flat[f"part_{name}err"])]
    }
    assert tuple(expected) == PRESETS["hepml"].feature_names
    np.testing.assert_array_equal(
        particles.features.numpy(), np.stack(list(expected.values()), axis=1).astype(np.float32)
    )
    np.testing.assert_array_equal(particles.labels.numpy(), branches["label"])
    assert particles.labels.dtype == torch.int64


def test_expressions_mix_particles_and_their_jet(small):
    path, branches = small
    columns = Columns(Collection(CARTESIAN, {"fraction": "log(hypot(part_px, part_py) / jet_pt)"}))
    fraction = np.log(np.hypot(branches["part_px"], branches["part_py"]) / branches["jet_pt"])
    np.testing.assert_allclose(
        read(path, columns).features[:, 0].numpy(), ak.flatten(fraction), rtol=1e-6
    )


def test_constants_are_the_same_for_every_particle(small):
    path, _ = small
    columns = Columns(
        Collection({"pt": "part_energy", "eta": "0", "phi": "0", "mass": "0"}, {"one": "1"})
    )
    particles = read(path, columns)
    assert bool((particles.features == 1).all())
    assert torch.equal(particles.p4[:, 0], particles.p4[:, 1])


def test_weights_and_context(small):
    path, branches = small
    columns = Columns(
        Collection(CARTESIAN),
        weights="1 / jet_pt",
        context={"pt": "jet_pt", "pt_squared": "jet_pt ** 2"},
    )
    particles = read(path, columns)
    np.testing.assert_allclose(particles.weights.numpy(), 1 / branches["jet_pt"], rtol=1e-6)
    expected = np.stack([branches["jet_pt"], branches["jet_pt"] ** 2], axis=1)
    np.testing.assert_allclose(particles.context.numpy(), expected, rtol=1e-6)


def test_a_cut_on_sets_and_a_cut_on_particles(small):
    path, branches = small
    particles = read(
        path,
        Columns(
            Collection(CARTESIAN, {"charge": "part_charge"}, cut="part_energy > 60"),
            cut="jet_pt > 550",
            label="label",
            classes=("qcd", "top"),
        ),
    )
    chosen = branches["jet_pt"] > 550
    hard = branches["part_energy"][chosen] > 60
    assert 0 < chosen.sum() < len(chosen)
    np.testing.assert_array_equal(particles.counts.numpy(), ak.sum(hard, axis=1))
    for place, name in enumerate(("part_energy", "part_px", "part_py", "part_pz")):
        np.testing.assert_array_equal(
            particles.p4[:, place].numpy(), ak.flatten(branches[name][chosen][hard])
        )
    np.testing.assert_array_equal(
        particles.features[:, 0].numpy(), ak.flatten(branches["part_charge"][chosen][hard])
    )
    np.testing.assert_array_equal(particles.labels.numpy(), branches["label"][chosen])


def test_labels_by_expression(small):
    path, branches = small
    columns = Columns(
        Collection(CARTESIAN), classes={"soft": "jet_pt < 550", "hard": "jet_pt >= 550"}
    )
    np.testing.assert_array_equal(read(path, columns).labels.numpy(), branches["jet_pt"] >= 550)
    by_value = Columns(Collection(CARTESIAN), label="jet_pt >= 550", classes=("soft", "hard"))
    assert torch.equal(read(path, by_value).labels, read(path, columns).labels)


@pytest.mark.slow
@settings(max_examples=12)
@given(
    counts=st.lists(st.integers(0, 4), min_size=1, max_size=6),
    kind=st.sampled_from(["ttree", "rntuple"]),
)
def test_fixed_arrays_lose_their_padding(tmp_path_factory, write, jets, counts, kind):
    """The same jets as jagged branches and padded with zeros give the same set."""
    names = [*CARTESIAN.values(), "part_d0val"]
    jagged = {name: values for name, values in jets(counts).items() if name in names}
    padded = {
        name: ak.to_numpy(ak.fill_none(ak.pad_none(values, 4, axis=1), 0)).astype(np.float32)
        for name, values in jagged.items()
    }
    columns = Columns(Collection(CARTESIAN, {"d0": "part_d0val + 1"}))
    folder = tmp_path_factory.mktemp("padded")
    whole = read(write(folder / "jagged.root", jagged, kind=kind), columns)
    cut = read(write(folder / "padded.root", padded, kind=kind), columns)
    assert torch.equal(whole.p4, cut.p4)
    assert torch.equal(whole.offsets, cut.offsets)
    assert torch.equal(whole.features, cut.features)


def test_a_constant_mass_pads_nothing(tmp_path, write):
    pt = np.array([[5, 0, 0], [0, 0, 0]], np.float32)
    zero = np.zeros_like(pt)
    path = write(tmp_path / "a.root", {"pt": pt, "eta": zero, "phi": zero})
    momentum = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "0.13957"}
    assert read(path, Columns(Collection(momentum))).counts.tolist() == [1, 0]


def test_zeros_before_the_last_particle_are_particles(tmp_path, write):
    energy = np.array([[3, 0, 1, 0], [0, 0, 0, 0], [0, 2, 0, 0]], np.float32)
    zero = np.zeros_like(energy)
    path = write(tmp_path / "a.root", {"e": energy, "x": energy, "y": zero, "z": zero})
    particles = read(path, Columns(Collection({"E": "e", "px": "x", "py": "y", "pz": "z"})))
    assert particles.counts.tolist() == [3, 0, 2]
    assert particles.p4[:, 0].tolist() == [3, 0, 1, 0, 2]


def test_collections_are_merged_set_by_set(tmp_path, write):
    tracks = {
        "t_pt": ak.Array([[3.0, 2.0], [], [4.0]]),
        "t_eta": ak.Array([[0.1, 0.2], [], [0.3]]),
        "t_q": ak.Array([[1, -1], [], [1]]),
    }
    towers = {
        "c_pt": ak.Array([[5.0], [6.0, 7.0], []]),
        "c_eta": ak.Array([[1.0], [1.1, 1.2], []]),
        "c_frac": ak.Array([[0.5], [0.6, 0.7], []]),
    }
    path = write(tmp_path / "a.root", tracks | towers)

    def part(p, features, kind):
        return Collection(
            {"pt": f"{p}_pt", "eta": f"{p}_eta", "phi": "0", "mass": "0"}, features, kind
        )

    columns = Columns(
        [
            part("t", {"charge": "t_q", "eta": "t_eta"}, "is_track"),
            part("c", {"em_fraction": "c_frac", "eta": "c_eta"}, "is_tower"),
        ]
    )
    assert columns.feature_names == ("charge", "eta", "em_fraction", "is_track", "is_tower")
    particles = read(path, columns)
    assert particles.counts.tolist() == [3, 2, 1]
    np.testing.assert_allclose(particles.p4[:, 1], [3, 2, 5, 6, 7, 4])
    np.testing.assert_allclose(
        particles.features,
        [
            [1, 0.1, 0, 1, 0],
            [-1, 0.2, 0, 1, 0],
            [0, 1.0, 0.5, 0, 1],
            [0, 1.1, 0.6, 0, 1],
            [0, 1.2, 0.7, 0, 1],
            [1, 0.3, 0, 1, 0],
        ],
        rtol=1e-6,
    )


def test_a_jet_instead_of_its_particles_is_refused(small):
    path, _ = small
    with pytest.raises(ColumnError, match="lists of particles in each entry, got one number"):
        read(path, Columns(Collection({"pt": "jet_pt", "eta": "0", "phi": "0", "mass": "0"})))


@pytest.mark.parametrize("where", ["cut", "weights", "label"])
def test_a_list_where_one_number_is_needed_is_refused(small, where):
    path, _ = small
    more = {"classes": ("a", "b")} if where == "label" else {}
    columns = Columns(Collection(CARTESIAN), **{where: "part_charge"}, **more)
    with pytest.raises(ColumnError, match=r"part_charge'.*one number in each entry, got a list"):
        read(path, columns)


def test_sums_of_constituents_are_the_jets(data):
    """The jet's own four-momentum in the file is what the reader's particles add up to."""
    path = data / "toptag-like" / "val.root"
    particles = read(path, "hepml", max_sets=2000).to(dtype=torch.float64)
    total = np.zeros((len(particles), 4))
    np.add.at(total, particles.set_index.numpy(), particles.p4.numpy())
    with uproot.open(path) as file:
        jet = file["tree"].arrays([f"jet_{c}" for c in ("pt", "eta", "phi", "energy", "mass")])[
            :2000
        ]
    expected = vector.zip(
        {"pt": jet.jet_pt, "eta": jet.jet_eta, "phi": jet.jet_phi, "energy": jet.jet_energy}
    )
    scale = np.asarray(jet.jet_energy)
    for place, component in enumerate(("E", "px", "py", "pz")):
        difference = total[:, place] - np.asarray(getattr(expected, component), np.float64)
        assert np.abs(difference / scale).max() < 1e-6


def with_columns(tmp_path, write, small, **columns):
    """The small file with more columns."""
    return write(tmp_path / "more.root", small[1] | columns)


@pytest.mark.parametrize("value", [np.nan, 0.5, 2])
def test_a_class_that_is_neither_true_nor_false_is_bad(tmp_path, write, small, value):
    one = np.zeros(len(small[1]["label"]), np.float32)
    one[3], other = value, 1 - one
    path = with_columns(tmp_path, write, small, lab_b=one, lab_c=other)
    columns = Columns(Collection(CARTESIAN), classes={"b": "lab_b", "c": "lab_c"})
    with pytest.raises(DataError, match=rf"entry 3.*one true.*got b {value}.*label outside"):
        read(path, columns)
    with pytest.warns(UserWarning, match="dropped 1 bad sets: 1 label outside the classes"):
        assert read(path, columns, bad="drop").labels.tolist() == [1] * (len(one) - 1)


def test_comparisons_with_nan_are_in_no_class(tmp_path, write, small):
    flavour = np.full(len(small[1]["label"]), 5, np.float32)
    flavour[2] = np.nan
    path = with_columns(tmp_path, write, small, flavour=flavour)
    columns = Columns(Collection(CARTESIAN), classes={"light": "flavour != 5", "b": "flavour == 5"})
    with pytest.raises(DataError, match=r"entry 2.*got light nan, b nan"):
        read(path, columns)


@pytest.mark.parametrize("value", [np.nan, 0.5])
def test_a_cut_on_particles_that_is_not_decided_is_bad(tmp_path, write, small, value):
    good = ak.ones_like(small[1]["part_energy"])
    counts = ak.num(good)
    entry = int(np.flatnonzero(ak.to_numpy(counts) > 1)[0])
    flat = ak.to_numpy(ak.flatten(good)).copy()
    flat[int(ak.sum(counts[:entry])) + 1] = value
    path = with_columns(tmp_path, write, small, good=ak.unflatten(flat, counts))
    columns = Columns(Collection(CARTESIAN, cut="good"))
    message = rf"entry {entry}, column 'good' \(cut on particles\).*got {value} in particle 1"
    with pytest.raises(DataError, match=message):
        read(path, columns)
    with pytest.warns(UserWarning, match="dropped 1 bad sets: 1 cut not decided"):
        assert len(read(path, columns, bad="drop")) == len(counts) - 1


def test_identifiers_that_single_precision_rounds_are_no_context(tmp_path, write, small):
    event = np.arange(len(small[1]["label"]), dtype=np.int64) + 2**24 - 2
    path = with_columns(tmp_path, write, small, event=event)
    with pytest.raises(DataError, match=r"entry 3, column 'event' \(context e\).*got 16777217"):
        read(path, Columns(Collection(CARTESIAN), context={"e": "event"}))
    particles = read(path, Columns(Collection(CARTESIAN), context={"e": "event % 1000"}))
    np.testing.assert_array_equal(particles.context[:, 0], event % 1000)
    rounded = read(path, Columns(Collection(CARTESIAN), context={"e": "1.0 * event"}))
    np.testing.assert_array_equal(rounded.context[:, 0], event.astype(np.float32))


def test_integers_and_bools_of_files_compute_as_on_paper(tmp_path, write, small):
    n = len(small[1]["label"])
    hits, flag = np.full(n, 3, np.uint8), np.arange(n) % 2 == 0
    path = with_columns(tmp_path, write, small, hits=hits, loose=flag, tight=flag)
    context = {"missing": "hits - 4", "hundred": "hits * 100", "both": "loose + tight"}
    particles = read(path, Columns(Collection(CARTESIAN), context=context, weights="hits - 2"))
    assert particles.context[:2].tolist() == [[-1, 300, 2], [-1, 300, 0]]
    assert particles.weights.tolist() == [1] * n
    ints = with_columns(tmp_path, write, small, flag=flag.astype(np.int32))
    assert len(read(ints, Columns(Collection(CARTESIAN), cut="~flag"))) == n // 2


def test_a_context_beyond_single_precision_is_not_finite(small):
    for text in ("1e300", "jet_pt * 1e300"):
        with pytest.raises(DataError, match="c not finite"):
            read(small[0], Columns(Collection(CARTESIAN), context={"c": text}))


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_integers_of_every_dtype_compute_as_on_paper(tmp_path, write, small, kind, dtype):
    """Of sets and of particles; the highest and the lowest that the dtype has among them."""
    bounds = np.iinfo(dtype)
    n, flat = len(small[1]["label"]), ak.flatten(small[1]["part_pid"])
    hits = np.resize(np.array([bounds.max, bounds.min, 3], dtype), n)
    ids = np.resize(np.array([bounds.max, bounds.min, 3], dtype), len(flat))
    lists = ak.unflatten(ids, ak.num(small[1]["part_pid"]))
    path = write(tmp_path / "a.root", small[1] | {"hits": hits, "ids": lists}, kind=kind)
    texts = {"less": "{} - 5", "times": "{} * 300", "twice": "{0} + {0}", "size": "sqrt({} ** 2)"}
    columns = Columns(
        Collection(CARTESIAN, {k: f"1.0 * ({t.format('ids')})" for k, t in texts.items()}),
        context={k: f"1.0 * ({t.format('hits')})" for k, t in texts.items()},
    )
    particles = read(path, columns)
    for table, column in ((particles.context, hits), (particles.features, ids)):
        x = column.astype(np.float64)
        expected = np.stack([x - 5, x * 300, 2 * x, abs(x)], axis=1)
        np.testing.assert_allclose(table, expected, rtol=1e-6)


def test_a_number_to_regress_is_no_label(tmp_path, write, jets):
    branches = jets([1, 2, 1])
    branches["label"] = np.array([0.0, 0.37, 1.0], np.float32)
    path = write(tmp_path / "a.root", branches)
    with pytest.raises(DataError, match=r"got 0\.37; numbers to regress are targets"):
        read(path, "hepml")
    branches["label"] = np.array([0, 7, 1], np.int8)
    path = write(tmp_path / "b.root", branches)
    with pytest.raises(DataError, match=r"one of 0\.\.1 \(qcd, top\), got 7"):
        read(path, "hepml")
