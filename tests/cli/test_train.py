import csv
import subprocess
import sys
from inspect import signature

import pytest
import torch
import yaml
from sklearn.metrics import roc_auc_score
from support.small_jets import write_jets

from hepml.cli import main
from hepml.cli._several import SEVERAL_OPTIONS
from hepml.cli._train import make_parser
from hepml.io import read
from hepml.models import MODELS, NETWORKS
from hepml.training import load_checkpoint, train


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jets")
    return [str(write_jets(folder / f"{i}.root", 200, seed=i)) for i in range(2)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parse(*words):
    return make_parser().parse_args(list(words))


SMALL = ["--epochs", "1", "--batch-size", "50", "--model.width", "4", "--model.blocks", "1"]


@pytest.mark.slow
def test_from_files_to_a_checkpoint(files, folder, capsys):
    words = ["train", "LorentzNet", files[0], "--validation", files[1], "--features", "none"]
    assert main([*words, *SMALL, "-o", "runs/small"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("LorentzNet with ")
    assert "; best epoch 1: train loss 0." in out[0]
    assert ", val auc 0." in out[0]
    assert out[1].startswith("run         runs/small/ (config.yaml, checkpoints, metrics.csv")
    assert out[2] == "checkpoint  runs/small/checkpoints/best.ckpt"
    assert out[3] == f"next        hepml evaluate runs/small/checkpoints/best.ckpt {files[1]}"
    _, columns, info = load_checkpoint("runs/small/checkpoints/best.ckpt")
    assert (info.arguments["width"], info.arguments["blocks"]) == (4, 1)
    assert columns.feature_names == ()

    assert main([*words, *SMALL, "-o", "runs/small"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "--resume" in err
    assert "--overwrite" in err

    # The configuration is complete: with it alone, and changed from the command line.
    assert main(["train", "--config", "runs/small/config.yaml", "-o", "again"]) == 0
    options = [
        yaml.safe_load((folder / f / "config.yaml").read_text()) for f in ("runs/small", "again")
    ]
    assert options[1].pop("output") == "again"
    assert options[0].pop("output") == "runs/small"
    assert options[0] == options[1]


@pytest.mark.slow
def test_two_processes_learn_one_model_and_speak_with_one_voice(files, folder):
    words = ["EnergyFlow", files[0], "--validation", files[1], *SMALL[:2], "--batch-size", "20"]
    words += ["--features", "none", "--devices", "2", "--accelerator", "cpu", "-o", "run"]
    done = subprocess.run(
        [sys.executable, "-m", "hepml.cli", "train", *words],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("best epoch 1") == 1
    assert done.stderr.count("\n") == 2, done.stderr
    model, columns, info = load_checkpoint("run/checkpoints/best.ckpt")
    particles = read(files[1], columns)
    with torch.no_grad():
        scores = model(particles).softmax(1)[:, 1]
    auc = roc_auc_score(particles.labels, scores)
    assert info.figures["val_auc"] == pytest.approx(auc, abs=1e-6)
    with open(folder / "run" / "metrics.csv") as file:
        assert next(csv.DictReader(file))["jets"] == "200"


@pytest.mark.slow
def test_the_default_folder_is_named_after_the_network(files, folder):
    assert main(["train", "EnergyFlow", files[0], *SMALL[:4], "--features", "none"]) == 0
    assert (folder / "runs" / "energyflow" / "checkpoints" / "best.ckpt").exists()


def test_the_options_are_those_of_train():
    parsed = set(parse("LorentzNet", "a.root").as_dict()) - {"config", "missing", *SEVERAL_OPTIONS}
    assert parsed == set(signature(train).parameters) - {"progress"}
    defaults = {n: p.default for n, p in signature(train).parameters.items()}
    for name, value in parse("LorentzNet", "a.root").items(branches=True):
        if name in defaults and name not in ("network", "files", "output", "model"):
            assert value == (list(d) if isinstance(d := defaults[name], tuple) else d), name


@pytest.mark.parametrize("name", MODELS)
def test_the_help_of_a_network_lists_its_own_options(name, capsys):
    with pytest.raises(SystemExit):
        main(["train", name, "--help"])
    out = capsys.readouterr().out
    for option in signature(MODELS[name]).parameters:
        assert (f"--model.{option} " in out) == (
            option not in ("outputs", "features", "context", "edge_features")
        )


def test_the_network_is_the_first_word_an_option_or_in_the_configuration(folder):
    (folder / "run.yaml").write_text("network: LorentzNet\nmodel: {width: 8}\nfiles: [a.root]\n")
    for words in (
        ("LorentzNet", "a.root", "--model.width", "8"),
        ("a.root", "--network", "LorentzNet", "--model.width=8"),
        ("a.root", "--network=LorentzNet", "--model.width=8"),
        ("--config", "run.yaml"),
        ("--config=run.yaml",),
    ):
        parsed = parse(*words)
        assert (parsed.network, parsed.files, parsed.model.width) == ("LorentzNet", ["a.root"], 8)
    assert parse("--config", "run.yaml", "b.root", "--model.width", "9").model.width == 9
    (folder / "short.yaml").write_text("network: LorentzNet\nfiles: [a.root]\n")
    assert parse("ParticleFlow", "--config", "short.yaml").network == "ParticleFlow"
    with pytest.raises(SystemExit):
        parse("ParticleFlow", "--config", "run.yaml")


def test_the_configuration_of_a_run_that_was_moved_means_the_run_where_it_is(folder):
    (folder / "new").mkdir()
    config = "new/config.yaml"
    (folder / config).write_text("network: LorentzNet\nfiles: [a.root]\noutput: old\n")
    assert parse("--config", config).output == "old"
    (folder / "new" / "checkpoints").mkdir()
    assert parse("--config", config, "--resume").output == "new"
    assert parse("LorentzNet", f"--config={config}").output == "new"
    for words in (["-o", "other"], ["-oother"], ["--output", "other"], ["--output=other"]):
        assert parse("--config", config, *words).output == "other"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["LorenzNet", "a.root"], "got 'LorenzNet'. Fix: try LorentzNet."),
        (["a.root"], f"{', '.join(NETWORKS)}, or package.module:Class, got none. Fix: name it f"),
        (["LorentzNet", "tarin.root"], "file 'tarin.root': expected a file, got no such file"),
    ],
)
def test_mistakes_of_names_are_told_in_one_line(words, message, capsys, folder):
    assert main(["train", *words]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.widht", "8"], "--model.widht 8"),
        (["--model.width", "wide"], "Expected a <class 'int'>. Got value: wide"),
        (["--model.outputs", "3"], "--model.outputs 3"),
        (["--epochs", "many"], "epochs"),
        (["--precision", "16"], "precision"),
        (["--config", "none.yaml"], "none.yaml"),
    ],
)
def test_mistakes_of_options_are_told_by_the_parser(words, message, capsys, folder):
    with pytest.raises(SystemExit) as exit:
        main(["train", "LorentzNet", "a.root", *words])
    assert exit.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_the_configuration_can_be_printed_and_read_again(folder, capsys):
    with pytest.raises(SystemExit):
        main(["train", "LorentzNet", "a.root", "--model.width", "8", "--print_config"])
    (folder / "run.yaml").write_text(capsys.readouterr().out)
    assert parse("--config", "run.yaml").model.width == 8


@pytest.mark.slow
@pytest.mark.filterwarnings("default:skipped, of")
def test_missing_files_are_skipped_and_counted(files, capsys):
    words = ["train", "ParticleFlow", files[0], "lost.root", "--validation", files[1], "no_*.root"]
    options = ["--epochs", "1", "--batch-size", "50", "-o", "run"]
    assert main([*words, *options]) == 1
    assert "no such file" in capsys.readouterr().err
    assert main([*words, *options, "--missing", "skip"]) == 0
    err = capsys.readouterr().err
    assert "skipped, of 2 files, 1 that do not exist (lost.root)" in err
    assert "skipped, of 2 files, 1 that do not exist (no_*.root)" in err
