"""Bad sets: every kind is planted into a good file and must be found, named, and dropped."""

import warnings

import awkward as ak
import numpy as np
import pytest
import torch

from hepml.errors import DataError, InputError
from hepml.io import PRESETS, BatchStream, Collection, Columns, iterate, read

CARTESIAN = {"E": "part_energy", "px": "part_px", "py": "part_py", "pz": "part_pz"}
COLUMNS = PRESETS["hepml"]
JET, PARTICLE = 17, 2


def spoil(branches, name, value):
    """The same branches with one number replaced."""
    lists = ak.to_list(branches[name])
    if isinstance(lists[JET], list):
        lists[JET][PARTICLE] = value
        array = ak.values_astype(ak.Array(lists), np.float32)
    else:
        lists[JET] = value
        array = np.asarray(lists, np.asarray(branches[name]).dtype)
    return dict(branches) | {name: array}


@pytest.fixture
def good(jets):
    return jets([4] * 30)


@pytest.mark.parametrize(
    ("name", "value", "columns", "message", "reason"),
    [
        (
            "part_py",
            np.nan,
            COLUMNS,
            r"column 'part_py': expected finite numbers, got nan in particle 2 \(NaN momentum",
            "NaN momentum",
        ),
        (
            "part_energy",
            np.inf,
            COLUMNS,
            r"column 'part_energy': expected finite numbers, got inf in particle 2 \(infinite",
            "infinite momentum",
        ),
        (
            "part_energy",
            -3.5,
            COLUMNS,
            r"column 'part_energy': expected energies of zero or more, got -3\.5 in particle 2",
            "negative energy",
        ),
        (
            "part_d0val",
            np.nan,
            COLUMNS,
            r"column 'tanh\(part_d0val\)' \(feature tanh_d0\): expected finite numbers, got nan",
            "feature not finite",
        ),
        (
            "label",
            2,
            COLUMNS,
            r"column 'label': expected one of 0\.\.1 \(qcd, top\), got 2 \(label outside",
            "label outside the classes",
        ),
        (
            "label",
            -1,
            COLUMNS,
            r"column 'label': expected one of 0\.\.1 \(qcd, top\), got -1",
            "label outside the classes",
        ),
        (
            "label",
            5,
            COLUMNS.replace(label=None, classes={"a": "label == 0", "b": "label == 1"}),
            r"column 'label == 0' or 'label == 1': expected one true .* got none is true",
            "label outside the classes",
        ),
        (
            "label",
            5,
            COLUMNS.replace(label=None, classes={"a": "label >= 0", "b": "label == 5"}),
            r"column 'label >= 0' or 'label == 5': .* got a, b \(label outside",
            "label outside the classes",
        ),
        (
            "jet_pt",
            np.nan,
            COLUMNS.replace(weights="jet_pt"),
            r"column 'jet_pt' \(weights\): expected finite numbers, got nan",
            "weights not finite",
        ),
        (
            "jet_pt",
            np.inf,
            COLUMNS.replace(context={"pt": "jet_pt"}),
            r"column 'jet_pt' \(pt\): expected finite numbers, got inf",
            "pt not finite",
        ),
        (
            "jet_pt",
            0.5,
            COLUMNS.replace(label="jet_pt", classes=("a", "b")),
            r"column 'jet_pt': expected one of 0\.\.1 \(a, b\), got 0\.5",
            "label outside the classes",
        ),
    ],
)
def test_a_bad_jet_is_one_clear_error_or_dropped(
    tmp_path, write, good, name, value, columns, message, reason
):
    if "not finite" in reason and name == "jet_pt":
        good["label"] = good["label"] * 0
    others = [i for i in range(30) if i != JET]
    if name == "label" and isinstance(columns.classes, dict) and "a" in columns.classes:
        good["label"] = (good["label"] * 0).astype(np.int8)
    if columns.label == "jet_pt":
        good["jet_pt"] = np.ones_like(good["jet_pt"])
    path = write(tmp_path / "jets.root", spoil(good, name, value), clusters=[10, 20])
    with pytest.raises(DataError, match=rf"jets\.root:tree, entry 17, {message}") as refused:
        read(path, columns)
    assert "drop and count such sets with bad='drop'" in str(refused.value)
    assert "\n" not in str(refused.value)
    clean = read(write(tmp_path / "good.root", good), columns)[others]
    with pytest.warns(UserWarning, match=f"dropped 1 bad sets: 1 {reason}"):
        left = read(path, columns, bad="drop")
    assert torch.equal(left.p4, clean.p4)
    assert torch.equal(left.features, clean.features)
    assert torch.equal(left.offsets, clean.offsets)
    assert torch.equal(left.labels, clean.labels)
    chunks = list(iterate(path, columns, step=10, bad="drop"))
    assert [dict(chunk.dropped) for chunk in chunks] == [{}, {reason: 1}, {}]
    assert chunks[1].rows.tolist() == [i for i in range(10) if i != JET - 10]
    assert [chunk.total for chunk in chunks] == [10, 10, 10]
    assert all(chunk.sets_per_entry is None for chunk in chunks)


def test_columns_of_different_lengths(tmp_path, write, good):
    lists = ak.to_list(good["part_charge"])
    del lists[JET][0]
    lists[3].append(1)
    spoilt = good | {"part_charge": ak.values_astype(ak.Array(lists), np.int8)}
    path = write(tmp_path / "jets.root", spoilt)
    with pytest.raises(
        DataError,
        match=r"entry 3, column 'part_charge': expected as many values as 'part_energy' has, "
        r"got 5 values against 4 \(unequal lengths; 2 bad among the 30 sets",
    ):
        read(path, COLUMNS)
    with pytest.warns(UserWarning, match="dropped 2 bad sets: 2 unequal lengths"):
        left = read(path, COLUMNS, bad="drop")
    others = [i for i in range(30) if i not in (3, JET)]
    clean = read(write(tmp_path / "good.root", good), COLUMNS)[others]
    assert torch.equal(left.p4, clean.p4)
    assert torch.equal(left.features, clean.features)
    assert torch.equal(left.labels, clean.labels)


def test_no_damage_is_seen_in_columns_that_are_not_read(tmp_path, write, good):
    path = write(tmp_path / "jets.root", spoil(spoil(good, "part_d0val", np.nan), "label", 9))
    assert len(read(path, COLUMNS.with_features(["charge"]).without_labels())) == 30
    assert (
        sum(len(c.particles) for c in iterate(path, COLUMNS.with_features(()), with_labels=False))
        == 30
    )


def test_a_bad_jet_that_the_cut_removes_is_no_error(tmp_path, write, good):
    good["jet_pt"][JET] = 100
    lists = ak.to_list(good["part_charge"])
    del lists[JET][0]
    spoilt = good | {"part_charge": ak.values_astype(ak.Array(lists), np.int8)}
    for branches in (spoilt, spoil(good, "part_px", np.nan), spoil(good, "label", 7)):
        particles = read(write(tmp_path / "a.root", branches), COLUMNS.replace(cut="jet_pt > 200"))
        assert len(particles) == 29


def test_a_jet_with_two_faults_counts_once(tmp_path, write, good):
    branches = spoil(spoil(good, "part_px", np.nan), "label", 9)
    with pytest.warns(UserWarning, match="dropped 1 bad sets: 1 NaN momentum$"):
        assert len(read(write(tmp_path / "a.root", branches), COLUMNS, bad="drop")) == 29


def test_a_momentum_beyond_single_precision_is_infinite(tmp_path, write):
    pt = ak.Array([[1.0], [1e300]])
    path = write(tmp_path / "a.root", {"pt": pt})
    columns = Columns(Collection({"pt": "pt", "eta": "0", "phi": "0", "mass": "0"}))
    with pytest.raises(DataError, match=r"entry 1.*a momentum beyond single precision"):
        read(path, columns)


def test_all_jets_may_be_bad(tmp_path, write, good):
    good["label"][:] = 3
    with pytest.warns(UserWarning, match="dropped 30 bad sets"):
        left = read(write(tmp_path / "a.root", good), COLUMNS, bad="drop")
    assert len(left) == 0
    assert left.p4.shape == (0, 4)
    assert left.features.shape == (0, 12)
    assert left.offsets.tolist() == [0]


def test_faults_in_merged_collections_are_found_in_either(tmp_path, write):
    branches = {
        "a_pt": ak.Array([[1.0, 2.0], [3.0], [4.0]]),
        "b_pt": ak.Array([[5.0], [np.nan, 6.0], [7.0]]),
        "a_x": ak.Array([[0.0, 0.0], [0.0], [np.inf]]),
    }
    columns = Columns(
        [
            Collection({"pt": "a_pt", "eta": "0", "phi": "0", "mass": "0"}, {"x": "a_x"}),
            Collection({"pt": "b_pt", "eta": "0", "phi": "0", "mass": "0"}),
        ]
    )
    path = write(tmp_path / "a.root", branches)
    with pytest.raises(DataError, match=r"entry 1, column 'b_pt'.*got nan in particle 0 .*2 bad"):
        read(path, columns)
    with pytest.warns(UserWarning, match="1 feature not finite, 1 NaN momentum"):
        assert read(path, columns, bad="drop").p4[:, 1].tolist() == [1, 2, 5]


def spoilt(good, places):
    """The same jets with labels outside the classes at some places."""
    label = np.asarray(good["label"]).copy()
    label[places] = 9
    return dict(good) | {"label": label}


@pytest.mark.parametrize("cut", [None, "number >= 3"])
def test_bad_jets_beyond_the_limit_are_nobodys_business(tmp_path, write, good, cut):
    first = 0 if cut is None else 3
    columns = COLUMNS.replace(cut=cut)
    path = write(tmp_path / "jets.root", spoilt(good, [1, first + 12]), clusters=[10, 20])
    if cut is not None:
        assert len(read(path, columns, max_sets=12)) == 12
    with pytest.raises(DataError, match=rf"entry {first + 12}, column 'label'"):
        read(path, columns.replace(cut="number > 1" if cut is None else cut), max_sets=13)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read(path, columns.replace(cut="number > 1"), max_sets=9, bad="drop")) == 9
    with pytest.warns(UserWarning, match=f"dropped {1 if cut else 2} bad sets"):
        left = read(path, columns, max_sets=13, bad="drop")
    # A bad jet is one of the first: it makes no room for another.
    assert len(left) == 13 - (1 if cut else 2)


def test_bad_jets_that_a_stream_does_not_use_are_nobodys_business(tmp_path, write, good):
    """It uses four of each of its three ranges of ten entries."""
    columns = COLUMNS.replace(context={"number": "number"})

    def stream_of(name, places, bad="error"):
        path = write(tmp_path / name, spoilt(good, places), clusters=[10, 20])
        return BatchStream(path, columns, batch_size=5, step=10, max_sets=12, bad=bad)

    batches = list(stream_of("a.root", []))
    used = [int(number) for batch in batches for number in batch.context[:, 0]]
    others = sorted(set(range(30)) - set(used))
    assert len(used) == 12
    assert sum(map(len, stream_of("b.root", others))) == 12
    stream = stream_of("c.root", [used[5], used[10], *others], bad="drop")
    with pytest.warns(UserWarning, match="dropped 2 bad sets"):
        assert sum(map(len, stream)) == 10


@pytest.mark.parametrize(
    ("values", "cut", "bad"),
    [
        ([1, 0, np.nan, 1], "flag", {2: "nan"}),
        ([1, 0.5, 0, 1], "flag", {1: "0.5"}),
        ([3, -1, np.nan, 9], "flag > 2", {2: "nan"}),
        ([3, -1, np.nan, 9], "~(flag > 2)", {2: "nan"}),
        ([3, -1, np.nan, 9], "(flag > 2) & (jet_pt > 0)", {2: "nan"}),
        ([3, -1, np.nan, 9], "isfinite(flag) & (flag > 2)", {}),
    ],
)
def test_a_cut_that_is_not_decided_is_bad(tmp_path, write, jets, values, cut, bad):
    path = write(tmp_path / "a.root", jets([2] * 4) | {"flag": np.array(values, np.float32)})
    columns = COLUMNS.replace(cut=cut)
    if bad:
        ((entry, got),) = bad.items()
        message = rf"entry {entry}, column .*\(cut\): expected true or false, got {got} \(cut not"
        with pytest.raises(DataError, match=message):
            read(path, columns)
        with pytest.raises(DataError, match=message):
            read(path, columns, max_sets=4)
    (chunk,) = iterate(path, columns, bad="drop")
    assert {int(row) for rows in chunk.bad.values() for row in rows} == set(bad)
    assert not set(bad) & set(chunk.rows.tolist())


def test_no_expression_changes_a_column_that_others_read(tmp_path, write, jets):
    branches = jets([3] * 4)
    path = write(tmp_path / "a.root", branches)
    part = COLUMNS.collections[0]
    features = {"wrong": "hypot(part_px, part_py, part_pz)", "pz": "part_pz"}
    with pytest.raises(InputError, match=r"hypot\(a, b\), of 2 arguments, got 3"):
        read(path, Columns(Collection(part.momentum, features)))


SHORT = {
    "momentum": ("pt", {}),
    "mass": ("m", {}),
    "feature": ("q", {}),
    "label": ("y", {"label": "y", "classes": ("a", "b")}),
    "class": ("y", {"classes": {"a": "y == 0", "b": "y == 1"}}),
    "weight": ("w", {"weights": "w"}),
    "cut": ("w", {"cut": "w > 0.5"}),
    "context": ("w", {"context": {"w": "w"}}),
}


@pytest.mark.parametrize("where", SHORT)
def test_a_branch_that_is_shorter_than_its_tree_is_an_error(tmp_path, write, shorten, where):
    """Wherever one reads: its rows would belong to other sets."""
    random = np.random.default_rng(0)
    lists = {name: ak.Array([[1.0, 2.0]] * 10) for name in ("pt", "m", "q")}
    numbers = {"y": random.integers(0, 2, 10).astype(np.int32), "w": random.uniform(size=10)}
    name, more = SHORT[where]
    path = write(tmp_path / "a.root", lists | numbers, clusters=[6], compression=None)
    columns = Columns(
        Collection({"pt": "pt", "eta": "0", "phi": "0", "mass": "m"}, {"q": "q"}), **more
    )
    assert len(read(path, columns.replace(cut=None))) == 10
    shorten(tmp_path / "a.root", name, 6)
    message = rf"a.root:tree, column '{name}': expected 10 entries, as its tree has, got 6\. Fix:"
    for bad in ("error", "drop"):
        with pytest.raises(DataError, match=message):
            read(path, columns, bad=bad)
        with pytest.raises(DataError, match=message):
            next(iterate(path, columns, bad=bad, step=5, max_sets=1))
    others = Columns(Collection({"pt": "q", "eta": "0", "phi": "0", "mass": "m"}))
    if name not in ("m", "q"):
        assert read(path, others).counts.tolist() == [2] * 10
