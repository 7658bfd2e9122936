"""``hepml evaluate`` from words to files."""

import json

import numpy as np
import pytest
import torch
from support.small_jets import write_jets

from hepml.cli import main
from hepml.io import PRESETS
from hepml.models import EnergyFlow, ParticleFlow
from hepml.training import save_checkpoint


def checkpoint(path, model=ParticleFlow, features=("charge",)):
    """An untrained tagger of our own layout."""
    torch.manual_seed(0)
    columns = PRESETS["hepml"].with_features(features)
    arguments = {"features": len(features)}
    save_checkpoint(path, model(**arguments), arguments=arguments, columns=columns)
    return str(path)


@pytest.mark.slow
def test_two_taggers_give_one_table_and_one_roc(tmp_path, capsys):
    taggers = [
        checkpoint(tmp_path / "run" / "checkpoints" / "best.ckpt"),
        checkpoint(tmp_path / "safe.ckpt", EnergyFlow, []),
    ]
    files = [str(write_jets(tmp_path / f"{i}.root", 150, i)) for i in range(2)]
    out = tmp_path / "report"
    taggers[0] = str(tmp_path / "run")
    assert main(["evaluate", *taggers, *files, "-o", str(out), "--replicas", "10"]) == 0
    text, errors = capsys.readouterr()
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["ParticleFlow", "EnergyFlow"]
    assert lines[4] == "300 jets, not weighted"
    assert lines[5].startswith(f"wrote {out / 'metrics.json'} and, beside it as .png and .pdf, roc")
    assert "Traceback" not in errors
    content = json.loads((out / "metrics.json").read_text())
    assert content["files"] == files
    assert content["taggers"]["ParticleFlow"]["sets"] == 300
    assert sorted(path.name for path in out.glob("*.pdf")) == [
        "calibration.pdf",
        "confusion_EnergyFlow.pdf",
        "confusion_ParticleFlow.pdf",
        "kinematics.pdf",
        "mass.pdf",
        "roc.pdf",
        "scores_EnergyFlow.pdf",
        "scores_ParticleFlow.pdf",
    ]


def test_options_reach_the_evaluation(tmp_path, capsys, monkeypatch):
    seen = {}

    def report(results, folder, files, **options):
        seen.update(results[0].to_dict(), folder=folder, files=files, **options)
        return [tmp_path / "metrics.json"]

    monkeypatch.setattr("hepml.cli._evaluate.write_report", report)
    tagger = checkpoint(tmp_path / "flow.ckpt")
    file = str(write_jets(tmp_path / "jets.root", 100))
    words = ["--pairs", "qcd/top", "--max-jets", "60", "--replicas", "7", "--seed", "3"]
    words += ["--batch-size", "16", "--columns", "hepml", "--bad", "drop", "--names", "mine"]
    words += ["--weights", "none", "--score-branch", "theirs=jet_pt", "--experiment", "CMS"]
    assert main(["evaluate", tagger, file, *words]) == 0
    assert list(seen["pairs"]) == ["qcd/top"]
    assert seen["sets"] == 60
    assert seen["bootstrap"] == {"replicas": 7, "seed": 3}
    assert (seen["folder"], seen["files"], seen["overwrite"]) == ("evaluation", [file], False)
    assert seen["experiment"] == "CMS"
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in table[2:4]] == ["mine", "theirs"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["jets.root"], "checkpoints: expected one or more names that end in .ckpt"),
        (["flow.ckpt"], "files: expected one or more files with jets"),
        (["lost.ckpt", "jets.root"], "try flow.ckpt"),
        (["flow.ckpt", "lost.root"], "expected a file, got no such file"),
        (["flow.ckpt", "jets.root", "--pairs", "top"], "pair 'top'"),
        (["flow.ckpt", "jets.root", "--pairs", "top/w"], "classes among qcd, top, got w"),
        (["flow.ckpt", "jets.root", "--device", "cuda:99"], "device 'cuda:99'"),
        (["flow.ckpt", "jets.root", "--replicas", "1"], "replicas: expected at least 2"),
        (["flow.ckpt", "jets.root", "--score-branch", "pt"], "score branch 'pt'"),
        (["flow.ckpt", "jets.root", "--score-branch", "a=jet_pt", "a=1"], "a second time"),
        (["flow.ckpt", "jets.root", "--experiment", "UA1"], "experiment 'UA1'"),
        (["flow.ckpt", "jets.root", "--names", "a", "b"], "names: expected 1"),
    ],
)
def test_mistakes_give_one_message(tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    checkpoint("flow.ckpt")
    write_jets("jets.root", 20)
    assert main(["evaluate", *words]) == 1
    text, errors = capsys.readouterr()
    assert text == ""
    assert errors.startswith("hepml evaluate: ")
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_an_evaluation_is_replaced_on_demand_only(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint("flow.ckpt")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "metrics.json").write_text("precious")
    assert main(["evaluate", "flow.ckpt", "no.root", "-o", "old"]) == 1
    assert "old/metrics.json, which exists" in capsys.readouterr().err


def test_jets_that_were_dropped_are_counted(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        "hepml.cli._evaluate.write_report", lambda *_, **__: [tmp_path / "metrics.json"]
    )
    tagger = checkpoint(tmp_path / "flow.ckpt")
    labels = np.arange(40, dtype=np.int8) % 2
    labels[[7, 31]] = 5
    file = str(write_jets(tmp_path / "jets.root", 40, label=labels))
    assert main(["evaluate", tagger, file, "--bad", "drop", "--replicas", "2"]) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("left out")]
    assert line.startswith("left out as bad: 2 jets (")
    assert "label" in line


def test_an_output_folder_that_is_a_file_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint("flow.ckpt")
    write_jets("jets.root", 20)
    (tmp_path / "taken").write_text("")
    assert main(["evaluate", "flow.ckpt", "jets.root", "-o", "taken", "--replicas", "2"]) == 1
    assert "output taken: expected a folder, got a file" in capsys.readouterr().err
