import csv
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch import Trainer
from support.small_jets import TinyFlow, write_jets

from hepml.errors import ColumnError, DataError, FileError, HepmlError, InputError
from hepml.io import PRESETS
from hepml.models import ParticleFlow
from hepml.training import ParticleData, TaggingTask, load_checkpoint, train
from hepml.training.engine._callbacks import EpochTable
from hepml.training.engine._trainer import quiet_lightning


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jets")
    return [write_jets(folder / f"{i}.root", 300, seed=i) for i in range(2)]


@pytest.fixture
def run(files, tmp_path):
    """Train a tiny network in a folder of the test."""

    def run(network=TinyFlow, name="run", **options):
        options = {"epochs": 1, "batch_size": 50, "progress": False} | options
        return train(network, files[0], output=tmp_path / name, **options)

    return run


@pytest.mark.slow
def test_a_network_learns_and_its_folder_holds_what_is_promised(run, files, capsys):
    trained = run(
        "ParticleFlow",
        validation=files[1],
        epochs=4,
        progress=True,
        learning_rate=3e-3,
    )
    assert trained.figures["val_auc"] > 0.9
    folder = trained.folder.path
    assert {p.name for p in folder.iterdir()} >= {"config.yaml", "checkpoints", "metrics.csv"}
    assert {p.name for p in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}

    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    best = max(rows, key=lambda row: float(row["val_auc"]))
    assert float(best["val_auc"]) == pytest.approx(trained.figures["val_auc"], abs=1e-6)
    assert best["epoch"] == str(trained.figures["epoch"])

    model, columns, info = load_checkpoint(trained.folder.best)
    assert isinstance(model, ParticleFlow)
    assert columns == trained.columns == PRESETS["hepml"]
    assert info.figures["val_auc"] == pytest.approx(trained.figures["val_auc"])
    assert info.run["epochs"] == 4

    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0].startswith("ParticleFlow with ")
    assert "300 jets to learn from, 300 to validate with; all shuffled together; " in lines[0]
    assert "; classes qcd, top" in lines[0]
    assert len(lines) == 5, "one line for each epoch and nothing of Lightning's own"
    assert lines[4].startswith("epoch 4/4: train loss 0.")


@pytest.mark.slow
def test_the_configuration_repeats_the_run(run, tmp_path):
    first = run("ParticleFlow", features="charge,tanh_d0", seed=3)
    options = yaml.safe_load(first.folder.config.read_text())
    again = train(**options | {"output": tmp_path / "again", "progress": False})
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name
    other = run("ParticleFlow", "other", features="charge,tanh_d0", seed=4)
    weights = [next(trained.model.parameters()) for trained in (first, other)]
    assert not torch.equal(*weights)


@pytest.mark.slow
def test_a_class_of_the_users_own_learns_too(run):
    trained = run(TinyFlow, model={"width": 5}, features=["charge"])
    assert trained.model.of_particle[0].in_features == 5
    assert load_checkpoint(trained.folder.last, model=TinyFlow).info.arguments["width"] == 5


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"precision": "64"}, {"precision": "bf16-mixed"}])
def test_every_precision_learns(run, options, files):
    trained = run("ParticleFlow", validation=files[1], **options)
    dtype = torch.float64 if options["precision"] == "64" else torch.float32
    assert next(trained.model.parameters()).dtype == dtype
    assert trained.figures["val_auc"] > 0.6


@pytest.mark.slow
def test_workers_read_every_jet_once(run):
    trained = run(workers=2, batch_size=20)
    with open(trained.folder.metrics, newline="") as file:
        assert [row["jets"] for row in csv.DictReader(file)] == ["300"]


@pytest.mark.slow
def test_weights_in_the_columns_are_used(run):
    columns = PRESETS["hepml"].replace(weights="label + 0.5")
    assert run(columns=columns).figures["train_loss"] != run(name="b").figures["train_loss"]


def write_nothing(folder):
    assert not [p for p in folder.iterdir() if p.suffix != ".root"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"network": "LorenzNet"}, InputError, "try LorentzNet"),
        ({"files": "data/tarin.root"}, FileError, "no such file"),
        ({"validation": "val.root"}, FileError, "no such file"),
        ({"columns": "hepmll"}, InputError, "try hepml"),
        ({"columns": "jetclass"}, ColumnError, "part_"),
        ({"columns": {"collection": []}}, InputError, "keys among collections"),
        ({"columns": PRESETS["hepml"].without_labels()}, InputError, "label and the names"),
        ({"features": "charge,spin"}, InputError, r"got \['spin'\]"),
        ({"model": {"widht": 3}}, InputError, "widht.*hepml train ParticleFlow --help"),
        ({"model": {"outputs": 3}}, InputError, "2, the number of qcd, top in the columns, got 3"),
        ({"model": {"features": 1}}, InputError, "leave features out"),
        ({"epochs": 0}, InputError, "epochs: expected at least 1, got 0"),
        ({"max_sets": 0}, InputError, "max_sets: expected at least 1"),
        ({"learning_rate": -1.0}, InputError, "learning_rate: expected a positive number"),
        ({"learning_rate": float("nan")}, InputError, "learning_rate.*got nan"),
        ({"warmup": 1.5}, InputError, "warmup"),
        (
            {"validation_fraction": 2.0},
            InputError,
            "between 0 and 1, got 2",
        ),
        ({"validation_cut": "nothing > 0"}, ColumnError, "nothing"),
        (
            {"validation_cut": "label == 1"},
            DataError,
            r"two classes, got jets of one class that pass the cut '\(label == 1\)'",
        ),
        (
            {"validation_cut": "entry > 9500"},
            InputError,
            r"files to validate with: expected sets that pass the cut '\(entry > 9500\)', got none",
        ),
        (
            {"validation_cut": "entry >= 0"},
            InputError,
            r"files to learn from: expected sets that pass the cut '\(~\(entry >= 0\)\)', got none",
        ),
        ({"bad": "drop", "devices": 2}, InputError, "bad: expected 'error' with several devices"),
        ({"resume": True, "overwrite": True}, InputError, "resume or overwrite, got both"),
        ({"accelerator": "abacus"}, InputError, "accelerator"),
    ],
)
def test_a_mistake_leaves_nothing_behind(files, tmp_path, options, error, message):
    options = {"network": "ParticleFlow", "files": files[0], "batch_size": 50} | options
    with pytest.raises(error, match=message):
        train(**options, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_few_jets_of_sorted_files_are_of_every_class(files):
    columns = PRESETS["hepml"].replace(
        label=None, classes=(), class_files={"a": "0.root", "b": "1.root"}
    )
    data = ParticleData(
        files, files, columns=columns, batch_size=50, max_sets=100, max_validation_sets=50
    )
    (batch,) = data.val_dataloader()
    assert torch.bincount(batch.labels).tolist() == [25, 25]
    counts = [torch.bincount(batch.labels).tolist() for batch in data.train_dataloader()]
    assert np.sum(counts, axis=0).tolist() == [50, 50]
    assert np.min(counts) >= 15


@pytest.mark.slow
def test_a_fraction_of_the_jets_is_held_out(run, capsys):
    trained = run(validation_fraction=0.2, progress=True)
    assert 0 < trained.figures["val_auc"] <= 1
    assert "; 239 jets to learn from, 61 to validate with; " in capsys.readouterr().err
    # Whoever uses the network reads all jets.
    assert trained.columns.cut is None
    assert load_checkpoint(trained.folder.last, model=TinyFlow).columns.cut is None
    known = load_checkpoint(trained.folder.last, model=TinyFlow).info.run
    assert list(known["fingerprints"]) == list(known["trees"])


@pytest.mark.slow
def test_batches_are_no_larger_than_the_sample(run, capsys):
    trained = run(max_sets=30, batch_size=128, progress=True)
    opening = capsys.readouterr().err.splitlines()[0].split("; ")
    assert "batches of 30, not 128: there are no more jets" in opening
    with open(trained.folder.metrics, newline="") as file:
        assert next(csv.DictReader(file))["jets"] == "30"


def test_bad_data_is_found_before_anything_is_written(tmp_path):
    broken = write_jets(tmp_path / "broken.root", 60, label=np.full(60, 2, np.int8))
    with pytest.raises(DataError, match="label"):
        train("ParticleFlow", broken, output=tmp_path / "run", batch_size=10)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_bad_jets_are_dropped_and_counted_where_this_is_asked_for(tmp_path):
    labels = np.arange(60, dtype=np.int8) % 2
    labels[[7, 31]] = 5
    broken = write_jets(tmp_path / "broken.root", 60, label=labels)
    options = {"epochs": 1, "batch_size": 20, "progress": False}
    with pytest.warns(UserWarning, match="dropped 2 bad sets: 2 .*label"):
        trained = train(TinyFlow, broken, output=tmp_path / "run", bad="drop", **options)
    with open(trained.folder.metrics, newline="") as file:
        assert next(csv.DictReader(file))["jets"] == "58"


@pytest.mark.slow
def test_a_run_is_not_overwritten_by_accident(run, tmp_path):
    first = run()
    before = first.folder.best.read_bytes()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match=r"holds config\.yaml.*--resume.*--overwrite"):
        run(seed=1)
    with pytest.raises(HepmlError):
        run(seed=1, overwrite=True, features="spin")
    assert first.folder.best.read_bytes() == before
    run(seed=1, overwrite=True)
    assert first.folder.best.read_bytes() != before
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_a_run_that_diverges_keeps_its_last_good_checkpoint(run, tmp_path):
    class Diverges(TinyFlow):
        calls = 0

        def forward(self, particles):
            Diverges.calls += self.training
            return super().forward(particles) * (1 if Diverges.calls <= 8 else torch.nan)

    with pytest.raises(DataError, match="loss nan in batch 3 of epoch 2"):
        run(Diverges, epochs=3)
    last = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt", model=TinyFlow)
    assert all(p.isfinite().all() for p in last.model.parameters())


@pytest.mark.slow
def test_ctrl_c_stays_an_interrupt(run, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(EpochTable, "on_train_epoch_start", interrupt)
    with pytest.raises(KeyboardInterrupt, match=r"--resume` goes on after the beginning"):
        run()
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.slow
def test_the_output_may_be_any_new_folder_but_no_file(files, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="expected a folder, got a file"):
        train(TinyFlow, files[0], output=tmp_path / "file", batch_size=50)
    with pytest.raises(FileError, match=r"run: expected a folder, got .*file, a file"):
        train(TinyFlow, files[0], output=tmp_path / "file" / "run", batch_size=50)
    trained = train(
        TinyFlow, files[0], output=tmp_path / "a" / "b", batch_size=50, epochs=1, progress=False
    )
    assert Path(trained.folder.best).exists()


@pytest.mark.parametrize("columns", [None, "hepml"])
def test_no_files_are_one_clear_error(tmp_path, columns):
    with pytest.raises(FileError, match="files: expected one file or more, got none"):
        train(TinyFlow, [], columns=columns, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_missing_files_are_found_first(files, tmp_path):
    with pytest.raises(FileError, match="no such file"):
        train(TinyFlow, files[0], validation=["none.root"], output=tmp_path / "run")


@pytest.mark.slow
def test_the_task_and_the_data_work_in_a_trainer_of_ones_own(files, tmp_path):
    torch.manual_seed(0)
    task = TaggingTask(TinyFlow(features=len(PRESETS["hepml"].feature_names)), 2)
    data = ParticleData(files[0], files[1], columns=PRESETS["hepml"], batch_size=16)
    before = [p.detach().clone() for p in task.parameters()]
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    with quiet_lightning():
        trainer.fit(task, data)
    assert trainer.global_step == len(data.train_dataloader())
    assert not any(map(torch.equal, before, task.parameters()))
    assert 0 <= float(trainer.callback_metrics["val_auc"]) <= 1
