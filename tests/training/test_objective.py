"""What is learned, as the columns and a loss say it."""

import pytest

from hepml.errors import InputError
from hepml.io import PRESETS, Collection, Columns
from hepml.training._objective import Objective, objective_of, with_target

MOMENTUM = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "0"}
EVERYTHING = Columns(
    Collection(MOMENTUM, label="origin", classes=("a", "b"), targets={"z": "z0", "d": "d0"}),
    label="kind",
    classes=("qcd", "top"),
    targets={"mass": "jet_mass", "log_pt": "log(jet_pt)"},
    weights="w",
)


@pytest.mark.parametrize(
    ("targets", "loss", "expected", "outputs"),
    [
        ([], None, Objective("set", ("qcd", "top"), "cross-entropy"), 2),
        (["label"], None, Objective("set", ("qcd", "top"), "cross-entropy"), 2),
        (["particle_label"], None, Objective("particle", ("a", "b"), "cross-entropy"), 2),
        (["mass"], None, Objective("set", ("mass",), "mse"), 1),
        (["mass", "log_pt"], "gaussian", Objective("set", ("mass", "log_pt"), "gaussian"), 4),
        (["jet_eta", "x=jet_eta == 2"], "huber", Objective("set", ("jet_eta", "x"), "huber"), 2),
        (["d"], "gaussian", Objective("particle", ("d",), "gaussian"), 2),
    ],
)
def test_the_target_decides(targets, loss, expected, outputs):
    columns = with_target(EVERYTHING, targets)
    found = objective_of(columns, loss)
    assert (found, found.outputs) == (expected, outputs)
    # The columns hold nothing else to be learned, and say the same when they come back.
    assert objective_of(Columns.from_dict(columns.to_dict()), loss) == expected
    assert with_target(columns, targets) == columns
    assert columns.weights == "w"


def test_the_expressions_of_targets():
    assert with_target(EVERYTHING, ["x=jet_eta == 2", "mass"]).targets == {
        "x": "jet_eta == 2",
        "mass": "jet_mass",
    }
    assert with_target(EVERYTHING, ["d"]).collections[0].targets == {"d": "d0"}
    assert with_target(PRESETS["hepml"], []) == PRESETS["hepml"]


@pytest.mark.parametrize(
    ("targets", "loss", "message"),
    [
        (["log(jet_pt)"], None, r"write NAME=log\(jet_pt\), or choose among mass, log_pt, z, d"),
        (["mass", "mass"], None, "different names"),
        (["mass"], "cross-entropy", "mse or huber or gaussian, for targets"),
        ([], "mse", "cross-entropy, for classes"),
    ],
)
def test_what_means_nothing_is_refused(targets, loss, message):
    with pytest.raises(InputError, match=message):
        objective_of(with_target(EVERYTHING, targets), loss)


def test_without_anything_to_learn():
    bare = EVERYTHING.without_labels()
    with pytest.raises(InputError, match="or name a column with --target"):
        objective_of(with_target(bare, []))
    with pytest.raises(InputError, match="no classes of particles"):
        with_target(bare, ["particle_label"])


def test_what_columns_name_is_learned_where_there_are_no_classes_of_sets():
    columns = EVERYTHING.replace(label=None, classes=())
    assert objective_of(with_target(columns, [])).names == ("mass", "log_pt")
    assert objective_of(with_target(columns.replace(targets={}), [])).names == ("a", "b")
