import shutil
import warnings

import numpy as np
import pytest
import uproot
from support.small_jets import write_jets

from hepml.errors import InputError
from hepml.io import PRESETS, locate
from hepml.io.streams._shared import shared_sets
from hepml.training._hold_out import (
    fingerprints,
    hold_out,
    trees,
    validates,
    warn_of_training_files,
)

COLUMNS = PRESETS["hepml"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jets")
    return [str(write_jets(folder / f"{i}.root", 100, seed=i)) for i in range(2)]


def options(files, **given):
    nothing = {"validation": [], "validation_fraction": None, "validation_cut": None}
    return {"files": files} | nothing | given


def counts(files, *columns):
    """How many sets pass the cuts of one and of both columns."""
    locations = locate(files)
    own = [sum(shared_sets(locations, c, locations, c).values()) for c in columns]
    return [*own, sum(shared_sets(locations, columns[0], locations, columns[1]).values())]


@pytest.mark.parametrize("cut", [None, "label == 1"])
def test_a_fraction_is_held_out(files, cut):
    columns = COLUMNS.replace(cut=cut)
    learned, validated = hold_out(columns, options(files, validation_fraction=0.2))
    train, held, both = counts(files, learned, validated)
    assert both == 0
    assert train + held == sum(shared_sets(locate(files), columns, locate(files), columns).values())
    assert held / (train + held) == pytest.approx(0.2, abs=0.01 if cut is None else 0.06)


def test_a_column_entry_of_a_file_does_not_say_what_is_held_out(files, tmp_path):
    with uproot.open(files[0]) as file:
        name = file.keys(cycle=False)[0]
        jets = file[name].arrays()
    path = str(tmp_path / "own.root")
    with uproot.recreate(path) as file:
        file[name] = {key: jets[key] for key in jets.fields} | {"entry": np.zeros(100, np.int32)}
    pairs = [
        hold_out(COLUMNS, options([each], validation_fraction=0.2)) for each in (path, files[0])
    ]
    assert counts([path], *pairs[0]) == counts(files[:1], *pairs[1]) == [79, 21, 0]


@pytest.mark.parametrize("period", [2, 5, 10, 34])
def test_no_order_of_the_jets_goes_with_the_fraction(period):
    """Of every so manieth entry the same fraction is held out."""
    entry = np.arange(20_000)
    held = entry * 0.6180339887498949 % 1 < 0.1
    shares = [held[i::period].mean() for i in range(period)]
    assert np.abs(np.array(shares) - 0.1).max() < 0.02


def test_a_cut_holds_out_the_sets_that_pass_it(files):
    learned, validated = hold_out(COLUMNS, options(files, validation_cut="entry % 5 == 0"))
    assert counts(files, learned, validated) == [160, 40, 0]
    columns = COLUMNS.replace(cut="label == 1")
    learned, validated = hold_out(columns, options(files, validation_cut="entry % 2"))
    assert learned.cut == "(label == 1) & (~(entry % 2))"
    assert validated.cut == "(label == 1) & (entry % 2)"


def test_names_of_columns_that_are_no_expressions_are_cuts_too():
    columns = COLUMNS.replace(cut="jets/good")
    learned, _ = hold_out(columns, options([], validation_cut="entry == 0"))
    assert learned.cut == "(get('jets/good')) & (~(entry == 0))"


def test_a_cut_on_validation_files_leaves_the_others_alone(files):
    given = options(files[:1], validation=files[1:], validation_cut="entry % 5 == 0")
    learned, validated = hold_out(COLUMNS, given)
    assert learned == COLUMNS
    assert validated.cut == "(entry % 5 == 0)"


def test_without_any_of_them_nothing_changes(files):
    assert hold_out(COLUMNS, options(files)) == (COLUMNS, COLUMNS)
    assert not validates(options(files))
    assert validates(options(files, validation_fraction=0.1))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
def test_a_fraction_is_between_zero_and_one(files, fraction):
    with pytest.raises(InputError, match="validation_fraction: expected a number between 0 and 1"):
        hold_out(COLUMNS, options(files, validation_fraction=fraction))


@pytest.mark.parametrize("other", [{"validation": ["a.root"]}, {"validation_cut": "entry == 0"}])
def test_a_fraction_is_the_only_hold_out(files, other):
    with pytest.raises(InputError, match=r"validation_fraction: expected no .*, got both"):
        hold_out(COLUMNS, options(files, validation_fraction=0.1, **other))


def test_sets_that_are_learned_from_and_validated_with_are_said(files, tmp_path):
    shutil.copy(files[0], tmp_path / "copy.root")
    validation = [files[1], str(tmp_path / "copy.root")]
    with pytest.warns(UserWarning, match=r"validation: 100 sets are learned from as well"):
        hold_out(COLUMNS, options(files[:1], validation=validation))
    with pytest.warns(UserWarning, match=r"validation: 20 sets are learned from as well"):
        hold_out(
            COLUMNS, options(files[:1], validation=validation, validation_cut="entry % 5 == 0")
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hold_out(COLUMNS, options(files[:1], validation=files[1:]))
        rest = COLUMNS.replace(cut="entry % 5 != 0")
        given = options(files[:1], validation=files[:1], validation_cut="entry % 5 == 0")
        hold_out(rest, given)


def test_the_files_of_a_run_are_recognised(files, tmp_path):
    run = {"fingerprints": fingerprints(files[:1]), "validation": files[1:]}
    shutil.copy(files[0], tmp_path / "copy.root")
    with pytest.warns(
        UserWarning, match=r"copy\.root: .* learned from the sets of this file; measure"
    ):
        warn_of_training_files(run, [str(tmp_path / "copy.root")])
    held = run | {"validation_fraction": 0.1}
    with pytest.warns(UserWarning, match="but for those it held out"):
        warn_of_training_files(held, files)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_training_files(run, files[1:])
        warn_of_training_files({}, files)


def test_of_a_file_only_the_trees_of_a_run_are_recognised(tmp_path):
    path = str(tmp_path / "two.root")
    with uproot.recreate(path) as file:
        for name in ("train", "test"):
            file.mktree(name, {"number": np.int64}).extend({"number": np.arange(5)})
    old = {"fingerprints": fingerprints(path)}
    run = old | {"trees": trees(f"{path}:train", None)}
    for learned, files, wanted in (
        (run, f"{path}:train;1", None),
        (run, [f"{path}:test", f"{path}:train"], None),
        (run, path, "train"),
        (old, f"{path}:test", None),
    ):
        with pytest.warns(UserWarning, match=r"two\.root: .* learned from the sets of this file"):
            warn_of_training_files(learned, files, wanted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_training_files(run, f"{path}:test")
        warn_of_training_files(run, path, "test")
