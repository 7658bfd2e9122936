"""SIGTERM: nothing unfinished is left, and the status tells what happened."""

import os
import signal

from support.small_jets import write_jets

from hepml.cli import main
from hepml.cli._generate import RECIPES
from hepml.datasets.jets._file import jet_files
from hepml.deploy import Tagger
from hepml.io import PRESETS
from hepml.models import ParticleFlow
from hepml.training import save_checkpoint


def terminated(*_, **__):
    """What a batch system does when the time is over."""
    os.kill(os.getpid(), signal.SIGTERM)


def test_generate_leaves_no_temporary_file(tmp_path, monkeypatch, capsys):
    def recipe(output, **_):
        with jet_files([tmp_path / output], overwrite=False):
            assert len(list(tmp_path.iterdir())) == 1
            terminated()

    monkeypatch.setitem(RECIPES, "top-tagging", recipe)
    assert main(["generate", "top-tagging", "jets.root"]) == 143
    assert capsys.readouterr().err == "hepml generate: ended by SIGTERM\n"
    assert list(tmp_path.iterdir()) == []


def test_predict_leaves_no_temporary_file(tmp_path, monkeypatch):
    columns = PRESETS["hepml"]
    features = len(columns.feature_names)
    model = ParticleFlow(features=features)
    save_checkpoint(tmp_path / "a.ckpt", model, arguments={"features": features}, columns=columns)
    jets = write_jets(tmp_path / "jets.root", 20)
    monkeypatch.setattr(Tagger, "values", terminated)
    words = ["predict", str(tmp_path / "a.ckpt"), str(jets), "-o", str(tmp_path / "out.root")]
    assert main(words) == 143
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ckpt", "jets.root"]
