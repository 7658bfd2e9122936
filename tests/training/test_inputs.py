import numpy as np
import pytest
import torch
import yaml
from support.small_jets import TinyFlow, write_jets

from hepml.errors import DataError, FileError, InputError
from hepml.io import PRESETS
from hepml.models import LorentzNet
from hepml.training._inputs import (
    build_model,
    choose_columns,
    complete_arguments,
    try_model,
)

HEPML = PRESETS["hepml"]


@pytest.fixture
def file(tmp_path):
    return str(write_jets(tmp_path / "jets.root", 20))


def test_columns_by_name_by_file_by_value_and_by_themselves(tmp_path, file):
    path = tmp_path / "columns.yaml"
    path.write_text(yaml.safe_dump(HEPML.to_dict()))
    for columns in (None, "hepml", path, str(path), HEPML.to_dict(), HEPML):
        assert choose_columns(columns, "all", [file]) == HEPML


@pytest.mark.parametrize(
    ("features", "names"),
    [
        ("all", HEPML.feature_names),
        ("none", ()),
        ("charge, tanh_d0", ("charge", "tanh_d0")),
        (["tanh_d0", "charge"], ("charge", "tanh_d0")),
    ],
)
def test_features_are_chosen_by_name(features, names):
    assert choose_columns("hepml", features, []).feature_names == names


def test_columns_that_are_none(tmp_path):
    with pytest.raises(InputError, match=r"expected a preset .* got 'hepmll'.*try hepml"):
        choose_columns("hepmll", "all", [])
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1, 2")
    with pytest.raises(FileError, match=r"broken\.yaml: expected a YAML file"):
        choose_columns(broken, "all", [])
    broken.write_text("just text")
    with pytest.raises(FileError, match=r"label, classes, .* got a ScalarNode"):
        choose_columns(broken, "all", [])
    with pytest.raises(InputError, match="columns: expected a label"):
        choose_columns(HEPML.without_labels(), "all", [])


def test_a_file_of_no_known_layout_asks_for_columns(tmp_path):
    import uproot

    with uproot.recreate(tmp_path / "other.root") as other:
        other.mktree("t", {"x": "float32"})
        other["t"].extend({"x": [1.0, 2.0]})
    with pytest.raises(FileError, match=r"--columns\); `hepml inspect .*other\.root` lists them"):
        choose_columns(None, "all", [str(tmp_path / "other.root")])


def test_sizes_come_from_the_columns_and_may_be_repeated_but_not_contradicted():
    expected = {"width": 3, "outputs": 2, "features": 12, "context": 0}
    assert complete_arguments(LorentzNet, {"width": 3}, HEPML) == expected
    assert complete_arguments(LorentzNet, expected, HEPML) == expected
    with pytest.raises(InputError, match="outputs of LorentzNet: expected 2, the number of qcd"):
        complete_arguments(LorentzNet, {"outputs": 3}, HEPML)
    with pytest.raises(InputError, match="0, the number of no features in the columns, got 1"):
        complete_arguments(LorentzNet, {"features": 1}, HEPML.with_features(()))


def test_context_is_chosen_by_name_and_said_where_no_argument_takes_it():
    columns = HEPML.replace(context={"log_pt": "log(jet_pt)", "eta": "jet_eta"})
    names = {"all": ("log_pt", "eta"), "none": (), "eta": ("eta",)}
    for context, expected in names.items():
        chosen = choose_columns(columns, "none", [], context)
        assert chosen.context_names == expected
        assert complete_arguments(LorentzNet, {}, chosen)["context"] == len(expected)
    with pytest.raises(InputError, match=r"context: expected names among log_pt, eta, got .*'pt'"):
        choose_columns(columns, "all", [], "pt")
    with pytest.warns(UserWarning, match="context log_pt, eta is read, but TinyFlow takes no arg"):
        assert complete_arguments(TinyFlow, {}, columns) == {"outputs": 2, "features": 12}


def test_a_model_is_refused_before_it_learns_unless_it_gives_a_number_for_each_class(file):
    model = TinyFlow(features=12, outputs=3)
    with pytest.raises(InputError, match="an output for each of the 2 classes, got 3 outputs"):
        try_model(model, file, HEPML, "error")


class Short(TinyFlow):
    """Takes the short sets of a file, and none of many particles."""

    def forward(self, particles):
        assert particles.counts.max() < 30, "too long"
        return super().forward(particles)


def test_a_model_that_could_not_be_loaded_is_not_trained(file):
    with pytest.raises(InputError, match=r"network Short: .*AssertionError: too long"):
        try_model(Short(features=12), file, HEPML, "error")


def test_a_model_that_does_not_take_its_arguments():
    with pytest.raises(InputError, match=r"arguments of TinyFlow: .*\{'depth': 1\}"):
        build_model(TinyFlow, {"depth": 1})


def test_a_model_is_tried_without_changing_it(file):
    model = build_model(TinyFlow, {"features": 12})
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try_model(model, file, HEPML, "error")
    assert model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_bad_jets_are_no_error_in_a_trial_that_drops_them(tmp_path):
    broken = write_jets(tmp_path / "broken.root", 20, label=np.array([2, 0] * 10, np.int8))
    model = TinyFlow(features=12)
    with pytest.raises(DataError, match="label"):
        try_model(model, str(broken), HEPML, "error")
    try_model(model, str(broken), HEPML, "drop")
