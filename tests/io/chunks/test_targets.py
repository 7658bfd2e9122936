"""Numbers to be predicted, of sets and of particles, and the classes of particles."""

import awkward as ak
import numpy as np
import pytest

from hepml.errors import DataError, InputError
from hepml.io import Collection, Columns, NodePointer, read

MOMENTUM = {"pt": "pt", "eta": "eta", "phi": "0", "mass": "0"}


def save(write, path, **replaced):
    pt = ak.Array([[5.0, 2.0, 1.0], [], [4.0, 3.0]])
    branches = {
        "pt": pt,
        "eta": pt / 10,
        "truth": pt * 1.5,
        "origin": ak.values_astype(pt % 2, np.int32),
        "mass": np.array([10.0, 20.0, 30.0]),
        "parent": ak.Array([[-1, 0, 0], [], [-1, 0]]),
    } | replaced
    return str(write(path / "jets.root", branches))


def columns(**options):
    return Columns(
        Collection(MOMENTUM, {"eta": "eta"}, **options),
        targets={"mass": "mass", "log_sum": "log1p(sum(pt))"},
    )


def test_targets_of_sets_and_of_particles_in_their_order(write, tmp_path):
    options = {"targets": {"truth": "truth", "twice": "2 * pt"}, "cut": "pt > 1.5"}
    sets = read(save(write, tmp_path), columns(**options))
    expected = [[10, np.log1p(7)], [20, 0], [30, np.log1p(7)]]
    np.testing.assert_allclose(sets.targets, expected, rtol=1e-6)
    assert sets.particle_targets.tolist() == [[7.5, 10], [3, 4], [6, 8], [4.5, 6]]
    assert sets.labels is None


def test_classes_of_particles_have_names(write, tmp_path):
    own = columns(label="origin", classes=("even", "odd"))
    assert own.particle_class_names == ("even", "odd")
    assert own.target_names == ("mass", "log_sum")
    assert Columns.from_dict(own.to_dict()) == own
    sets = read(save(write, tmp_path), own)
    assert sets.particle_labels.tolist() == [1, 0, 1, 0, 1]


def test_merged_collections_have_their_own_expressions(write, tmp_path):
    parts = [
        Collection(MOMENTUM, targets={"t": "truth"}, label="0", classes=("a", "b")),
        Collection(MOMENTUM, targets={"t": "-truth"}, label="1", classes=("a", "b")),
    ]
    sets = read(save(write, tmp_path), Columns(parts))
    first = sets[2]
    assert first.particle_targets.flatten().tolist() == [6, 4.5, -6, -4.5]
    assert first.particle_labels.tolist() == [0, 0, 1, 1]


def test_nodes_of_graphs_have_them_too(write, tmp_path):
    own = columns(targets={"truth": "truth"}).replace(edges=NodePointer("parent"))
    graphs = read(save(write, tmp_path), own)
    assert graphs.node_targets.flatten().tolist() == [7.5, 3, 1.5, 6, 4.5]
    assert graphs.targets[:, 0].tolist() == [10, 20, 30]


def test_a_target_that_is_not_finite_is_an_error_or_dropped(write, tmp_path):
    file = save(write, tmp_path, mass=np.array([10.0, np.nan, 30.0]))
    message = r"entry 1, column 'mass' \(target mass\): expected finite numbers, got nan"
    with pytest.raises(DataError, match=message):
        read(file, columns())
    with pytest.warns(UserWarning, match="1 target mass not finite"):
        assert read(file, columns(), bad="drop").targets[:, 0].tolist() == [10, 30]
    file = save(write, tmp_path, truth=ak.Array([[1.0, np.inf, 1.0], [], [1.0, 1.0]]))
    with pytest.raises(DataError, match=r"\(target t\).*inf in particle 1 \(target not finite"):
        read(file, columns(targets={"t": "truth"}))


def test_a_particle_outside_the_classes_is_named(write, tmp_path):
    file = save(write, tmp_path, origin=ak.Array([[0, 1, 0], [], [0, 2]]))
    with pytest.raises(DataError, match=r"expected one of 0..1 \(a, b\), got 2 in particle 1"):
        read(file, columns(label="origin", classes=("a", "b")))


def test_what_is_predicted_needs_neither_labels_nor_targets(write, tmp_path):
    own = columns(label="missing", classes=("a", "b"), targets={"t": "gone"}).without_labels()
    sets = read(save(write, tmp_path), own)
    assert sets.targets is sets.particle_targets is sets.particle_labels is None
    assert own.target_names == own.particle_target_names == own.particle_class_names == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ("a", "b")}, "beside a label"),
        ({"label": "origin", "classes": ("a", "a")}, "different names"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        Collection(MOMENTUM, **options)


def test_collections_with_other_names_are_not_merged():
    parts = [Collection(MOMENTUM, targets={name: "truth"}) for name in "ab"]
    with pytest.raises(InputError, match="the same names of targets in each collection"):
        Columns(parts)
