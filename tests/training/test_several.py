import csv
from pathlib import Path
from statistics import stdev

import pytest
from support.small_jets import TinyFlow, write_jets
from torch import nn

from hepml.errors import FileError, InputError
from hepml.io import PRESETS, locate
from hepml.io.streams._shared import shared_sets
from hepml.training import RunFolder, SeveralRuns, TrainedRun, train, train_folds, train_seeds
from hepml.training._hold_out import hold_out

OPTIONS = {"epochs": 1, "batch_size": 20, "progress": False}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jets")
    return [str(write_jets(folder / f"{i}.root", 80, seed=i)) for i in range(2)]


def rows(several):
    with open(several.table, newline="") as file:
        return {row["run"]: row for row in csv.DictReader(file)}


def finished(**figures):
    return TrainedRun(RunFolder(Path()), PRESETS["hepml"], nn.Identity(), figures)


def test_mean_and_spread_are_those_of_the_figures_that_all_runs_have(tmp_path):
    several = SeveralRuns(
        tmp_path,
        {
            "a": finished(epoch=3, val_loss=1.0, val_auc=0.9, more=1.0),
            "b": finished(epoch=1, val_loss=2.0, val_auc=float("nan")),
            "c": finished(epoch=1, val_loss=6.0, val_auc=0.7),
        },
    )
    assert several.names == ["val_loss", "val_auc"]
    assert several.mean["val_loss"] == 3.0
    # ((1 - 3)^2 + (2 - 3)^2 + (6 - 3)^2) / 2
    assert several.spread["val_loss"] == pytest.approx(7**0.5)
    assert several.mean["val_auc"] != several.mean["val_auc"]
    assert several.spread["val_auc"] != several.spread["val_auc"]


@pytest.mark.slow
def test_a_run_with_each_seed_is_that_of_the_seed_alone(files, tmp_path):
    options = OPTIONS | {"validation": files[1]}
    output = tmp_path / "runs"
    several = train_seeds(TinyFlow, files[0], output=output, seeds=[3, 1], **options)
    alone = train(TinyFlow, files[0], output=tmp_path / "alone", seed=1, **options)
    assert list(several.runs) == ["seed-3", "seed-1"]
    assert several.runs["seed-1"].figures == alone.figures
    assert several.runs["seed-3"].figures != alone.figures
    table = rows(several)
    assert list(table) == ["seed-3", "seed-1", "mean", "spread"]
    losses = [float(table[run]["val_loss"]) for run in several.runs]
    assert float(table["spread"]["val_loss"]) == pytest.approx(stdev(losses))
    # What is finished stays, and what is not there begins.
    last = output / "seed-1" / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    more = train_seeds(TinyFlow, files[0], output=output, seeds=[1, 2], resume=True, **options)
    assert last.read_bytes() == before
    assert list(rows(more)) == ["seed-1", "seed-2", "mean", "spread"]


@pytest.mark.slow
def test_a_folder_with_a_run_is_refused_before_another_begins(files, tmp_path):
    train(TinyFlow, files[0], output=tmp_path / "runs" / "seed-1", **OPTIONS)
    with pytest.raises(FileError, match="seed-1: expected a folder without a run"):
        train_seeds(TinyFlow, files[0], output=tmp_path / "runs", seeds=[0, 1], **OPTIONS)
    assert not (tmp_path / "runs" / "seed-0").exists()


@pytest.mark.slow
@pytest.mark.parametrize("by", [{}, {"fold_by": "sum(part_energy)"}])
def test_each_set_is_validated_with_in_one_fold_and_not_learned_from_there(files, tmp_path, by):
    several = train_folds(TinyFlow, files[0], output=tmp_path, folds=2, **by, **OPTIONS)
    assert list(several.runs) == ["fold-0", "fold-1"]
    cuts = [
        run.folder.config.read_text().split("validation_cut:")[1].split("\n")[0].strip(" '")
        for run in several.runs.values()
    ]
    columns, places = PRESETS["hepml"], locate(files[0])
    nothing = {"files": files[:1], "validation": [], "validation_fraction": None}
    splits = [hold_out(columns, nothing | {"validation_cut": cut}) for cut in cuts]

    def both(one, other):
        return sum(shared_sets(places, one, places, other).values())

    tested = [validated for _, validated in splits]
    assert both(*tested) == 0
    assert sum(both(each, each) for each in tested) == 80
    assert all(both(learned, validated) == 0 for learned, validated in splits)
    assert all(both(each, each) > 5 for each in tested)


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [
        (train_seeds, {"seeds": []}, "seeds: expected two or more different numbers"),
        (train_seeds, {"seeds": [1]}, "seeds: expected two or more different numbers.*got 1"),
        (train_seeds, {"seeds": [1, 1]}, "seeds: expected two or more different numbers"),
        (train_seeds, {"seeds": [0, -1]}, "seeds: expected two or more different numbers"),
        (train_seeds, {"seeds": [0, 1], "seed": 3}, "seed: expected none beside seeds"),
        (train_seeds, {"seeds": [0, 1], "devices": 2}, "devices: expected 1 with several runs"),
        (train_folds, {"folds": 1}, "folds: expected at least 2, got 1"),
        (train_folds, {"folds": 2, "validation": "a"}, "validation: expected none beside folds"),
        (train_folds, {"folds": 3, "fold_by": "label"}, "fold_by: .*each of 3 folds.*in fold 2"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    files, tmp_path, call, options, message
):
    with pytest.raises(InputError, match=message):
        call(TinyFlow, files[0], output=tmp_path / "runs", **OPTIONS | options)
    assert not (tmp_path / "runs").exists()
