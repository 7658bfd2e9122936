"""Reductions over the particles of sets: awkward and loops are the oracles."""

import awkward as ak
import numpy as np
import pytest

from hepml.errors import DataError, InputError
from hepml.io import Collection, Columns, JetIndex, iterate, read
from hepml.io.expressions._reductions import REDUCTIONS

CARTESIAN = {"E": "part_energy", "px": "part_px", "py": "part_py", "pz": "part_pz"}
LIGHT = {"eta": "0", "phi": "0", "mass": "0"}
NAN = np.nan
OFFSETS = np.array([0, 3, 3, 4, 6])


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("sum", [1.0, 2, 3, 4, 5, 6], [6, 0, 4, 11]),
        ("sum", [True, False, True, True, False, False], [2, 0, 1, 0]),
        ("sum", np.full(6, 200, np.uint8), [600, 0, 200, 400]),
        ("sum", np.full(6, 2**62), [3 * 2.0**62, 0, 2**62, 2.0**63]),
        ("sum", [1, NAN, 3, 4, 5, 6], [NAN, 0, 4, 11]),
        ("mean", [1, 2, 6, 4, 5, 6], [3, NAN, 4, 5.5]),
        ("max", [1, 7, 3, -4, 5, 6], [7, NAN, -4, 6]),
        ("max", [1, NAN, 3, 4, 5, 6], [NAN, NAN, 4, 6]),
        ("min", np.array([1, 7, 3, -4, 5, 6], np.int8), [1, NAN, -4, 5]),
        ("first", [8, 7, 3, -4, 5, 6], [8, NAN, -4, 5]),
        ("argmax", [1, 7, 7, -4, 5, 6], [1, NAN, 0, 1]),
        ("argmax", [1, NAN, 7, -4, 5, 6], [NAN, NAN, 0, 1]),
        ("count", [1, 7, 7, -4, 5, 6], [3, 0, 1, 2]),
        ("any", [True, False, False, False, True, True], [1, 0, 0, 1]),
        ("all", [True, False, False, False, True, True], [0, 1, 0, 1]),
        ("any", [1, NAN, 0, NAN, 0, 0], [1, 0, NAN, 0]),
        ("all", [1, NAN, 0, NAN, 1, 1], [0, 1, NAN, 1]),
    ],
)
def test_each_reduction(name, values, expected):
    with np.errstate(invalid="ignore"):
        value = REDUCTIONS[name](np.asarray(values), OFFSETS)
    np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_nothing_at_all(name):
    for offsets in ([0], [0, 0]):
        with np.errstate(invalid="ignore"):
            value = REDUCTIONS[name](np.zeros(0), np.array(offsets))
        assert value.shape == (len(offsets) - 1,)


def test_sums_of_single_precision_are_rounded_once():
    random = np.random.default_rng(0)
    values = random.uniform(0, 1, 5000).astype(np.float32)
    total = REDUCTIONS["sum"](values, np.array([0, 5000]))
    assert total.dtype == np.float32
    assert total[0] == np.float32(values.astype(np.float64).sum())


@pytest.mark.parametrize("name", ["max", "min", "first", "argmax"])
@pytest.mark.parametrize("counts", [[], [1, 2], [0, 3]])
def test_types_do_not_go_with_the_sets_of_a_chunk(name, counts):
    offsets = np.cumsum([0, *counts])
    values = np.arange(offsets[-1])
    assert REDUCTIONS[name](values, offsets).dtype == np.float64
    assert REDUCTIONS[name](values.astype(np.int8), offsets).dtype == np.float64


@pytest.mark.parametrize(
    "condition",
    [
        "x > 1",
        "(x > 1) & (x < 3)",
        "~(x > 1)",
        "isfinite(x)",
        "logical_or(x, x)",
        "where(x > 1, x < 3, True)",
    ],
)
def test_conditions_are_not_counted_whatever_is_nan(condition):
    with pytest.raises(InputError, match=r"a column in count\(\).*sum\(condition\)"):
        Columns(Collection(CARTESIAN), context={"n": f"count({condition})"})


def test_numbers_that_a_condition_chooses_are_counted():
    Columns(Collection(CARTESIAN), context={"n": "count(where(x > 1, 1, 0))"})


def test_reductions_of_sets(small):
    path, branches = small
    context = {
        "n": "count(part_px)",
        "n_hard": "sum(part_energy > 50)",
        "ht": "sum(hypot(part_px, part_py)) / jet_pt",
        "lead": "where(count(part_px) > 0, max(part_energy / sum(part_energy)), -1)",
        "electron": "any(abs(part_pid) == 11)",
    }
    columns = Columns(
        Collection(CARTESIAN),
        context=context,
        cut="count(part_px) != 3",
        classes={"neutral": "all(part_charge == 0)", "charged": "any(part_charge != 0)"},
        weights="1 + sum(part_charge) ** 2",
    )
    particles = read(path, columns)
    kept = {k: v[ak.num(branches["part_px"]) != 3] for k, v in branches.items()}
    energy = kept["part_energy"]
    lead = ak.fill_none(ak.max(energy / ak.sum(energy, axis=1), axis=1), -1)
    expected = [
        ak.num(energy),
        ak.sum(energy > 50, axis=1),
        ak.sum(np.hypot(kept["part_px"], kept["part_py"]), axis=1) / kept["jet_pt"],
        lead,
        ak.any(abs(kept["part_pid"]) == 11, axis=1),
    ]
    assert 0 < len(particles) < len(branches["label"])
    np.testing.assert_allclose(particles.context, np.stack(expected, axis=1), rtol=1e-5)
    charged = ak.any(kept["part_charge"] != 0, axis=1)
    np.testing.assert_array_equal(particles.labels, charged)
    weights = 1 + ak.sum(ak.values_astype(kept["part_charge"], int), axis=1) ** 2
    np.testing.assert_array_equal(particles.weights, weights)


def test_reductions_of_particles_are_the_same_for_all_of_their_set(small):
    path, branches = small
    energy = branches["part_energy"]
    columns = Columns(
        Collection(
            CARTESIAN,
            {"share": "part_energy / sum(part_energy)", "leads": "part_energy == max(part_energy)"},
        )
    )
    features = read(path, columns).features
    share = ak.flatten(energy / ak.sum(energy, axis=1))
    np.testing.assert_allclose(features[:, 0], share, rtol=1e-6)
    leads = ak.flatten(energy == ak.max(energy, axis=1))
    np.testing.assert_array_equal(features[:, 1], leads)


def test_reductions_run_over_what_the_network_sees(small):
    """After the cut and the number of particles; in the cut itself before these."""
    path, branches = small
    energy = branches["part_energy"]
    part = Collection(CARTESIAN, {"share": "part_energy / sum(part_energy)"}, hardest=2)
    cut = Collection(part.momentum, part.features, cut="part_energy > mean(part_energy)")
    context = {"n": "count(part_px)", "sum": "sum(part_energy)"}
    kept = energy[energy > ak.mean(energy, axis=1)]
    particles = read(path, Columns(cut, context=context, cut="count(part_px) > 1"))
    kept = kept[ak.num(kept) > 1]
    np.testing.assert_array_equal(particles.context[:, 0], ak.num(kept))
    np.testing.assert_allclose(particles.context[:, 1], ak.sum(kept, axis=1), rtol=1e-6)
    expected = ak.flatten(kept / ak.sum(kept, axis=1))
    np.testing.assert_allclose(particles.features[:, 0], expected, rtol=1e-6)
    hardest = read(path, Columns(part, context=context))
    np.testing.assert_array_equal(hardest.context[:, 0], np.minimum(ak.num(energy), 2))


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_reductions_leave_padding_out(tmp_path, write, kind):
    pt = np.array([[3.0, 1, 0, 0], [0, 0, 0, 0], [5, 4, 2, 1]], np.float32)
    path = write(tmp_path / "a.root", {"pt": pt, "w": np.ones(3)}, kind=kind)
    momentum = {"pt": "pt", "eta": "log(pt / min(pt))", "phi": "0", "mass": "0"}
    columns = Columns(
        Collection(momentum, {"above": "pt - mean(pt)"}),
        context={"n": "count(pt)", "lowest": "where(count(pt) > 0, min(pt), -1)"},
        cut="(count(pt) != 3) & (w > 0)",
    )
    particles = read(path, columns)
    assert particles.context.tolist() == [[2, 1], [0, -1], [4, 1]]
    np.testing.assert_allclose(particles.features[:, 0], [1, -1, 2, 1, -1, -2])
    np.testing.assert_allclose(particles.p4[:, 3], np.sinh(np.log([3, 1, 5, 4, 2, 1])) * pt[pt > 0])


def test_reductions_over_the_particles_of_the_jets_of_events(tmp_path, write):
    events = {
        "Jet_pt": ak.Array([[50.0, 40.0], [], [30.0]]),
        "Cand_pt": ak.Array([[1.0, 2.0, 3.0, 4.0], [5.0], [6.0, 7.0]]),
        "Cand_jet": ak.Array([[1, 0, -1, 1], [-1], [0, 0]]),
    }
    momentum = {"pt": "Cand_pt", "eta": "0", "phi": "0", "mass": "0"}
    columns = Columns(
        Collection(
            momentum, {"share": "Cand_pt / sum(Cand_pt)"}, index=JetIndex("Jet_pt", "Cand_jet")
        ),
        context={"sum": "sum(Cand_pt) / Jet_pt"},
        cut="count(Cand_pt) > 1",
    )
    (chunk,) = iterate(write(tmp_path / "a.root", events), columns)
    assert chunk.rows.tolist() == [1, 2]
    np.testing.assert_allclose(chunk.particles.context[:, 0], [5 / 40, 13 / 30])
    np.testing.assert_allclose(chunk.particles.features[:, 0], [1 / 5, 4 / 5, 6 / 13, 7 / 13])


def test_reductions_of_several_collections(tmp_path, write):
    branches = {
        "c_pt": ak.Array([[1.0, 2.0], [3.0]]),
        "n_pt": ak.Array([[4.0], []]),
        "n_x": ak.Array([[9.0], []]),
        "jet_pt": np.array([10.0, 20.0]),
    }
    path = write(tmp_path / "a.root", branches)
    parts = [
        Collection(
            {"pt": f"{c}_pt", "eta": "0", "phi": "0", "mass": "0"}, {"r": f"{c}_pt / jet_pt"}
        )
        for c in "cn"
    ]
    context = {"charged": "sum(c_pt) / (sum(c_pt) + sum(n_pt))", "n": "count(n_pt / jet_pt)"}
    particles = read(path, Columns(parts, context=context, cut="sum(n_pt) + sum(c_pt) > 3.5"))
    np.testing.assert_allclose(particles.context, [[3 / 7, 1]])
    for text in ("sum(c_pt * n_pt)", "sum(n_x)", "sum(jet_pt)"):
        with pytest.raises(InputError, match="columns that one collection has"):
            read(path, Columns(parts, context={"x": text}))


def test_what_is_open_or_empty_is_bad(small):
    path, branches = small
    empty = np.flatnonzero(ak.num(branches["part_px"]) == 0)
    columns = Columns(Collection(CARTESIAN), cut="max(part_energy) > 0")
    with pytest.raises(DataError, match=r"entry 0, .*\(cut\): expected true or false, got nan"):
        read(path, columns)
    with pytest.warns(UserWarning, match=f"dropped {len(empty)} bad sets: {len(empty)} cut not"):
        assert len(read(path, columns, bad="drop")) == len(branches["label"]) - len(empty)


def test_lists_of_unequal_lengths_in_a_reduction_are_bad(tmp_path, write, small):
    other = ak.concatenate([small[1]["part_px"][:-1], ak.Array([[1.0] * 9])])
    path = write(tmp_path / "a.root", small[1] | {"other": other})
    for columns in (
        Columns(Collection(CARTESIAN), context={"x": "sum(other)"}),
        Columns(Collection(CARTESIAN), cut="sum(other) < 1e9"),
    ):
        with pytest.raises(DataError, match=r"entry 59, column 'other'.*got 9 values against 0"):
            read(path, columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sum(jet_pt)", "a column with a number for each particle.*'jet_pt'"),
        ("count(part_px > 1)", "sum\\(condition\\)"),
        ("max(part_px, part_py)", "maximum\\(a, b\\)"),
        ("sum(1)", "'sum\\(1\\)' without a column"),
        ("any(part_px)", "expected conditions"),
        ("sum()", "of 1 argument, got 0"),
    ],
)
def test_reductions_without_a_meaning(small, text, message):
    with pytest.raises(InputError, match=message):
        read(small[0], Columns(Collection(CARTESIAN), context={"x": text}))


def test_what_says_which_particles_there_are_is_not_reduced(tmp_path, write):
    path = write(tmp_path / "a.root", {"pt": np.ones((2, 3), np.float32)})
    momentum = {"pt": "pt", "eta": "0", "phi": "0", "mass": "0"}
    for padding in ({"mask": "pt > mean(pt)"}, {"count": "count(pt)"}):
        plain = {"collections": {"momentum": momentum, "padding": padding}}
        with pytest.raises(InputError, match="no reduction over the particles of a set"):
            read(path, Columns.from_dict(plain))
