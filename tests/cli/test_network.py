"""Networks of one's own: trained, and named again where their checkpoints are used."""

import json
import sys

import pytest
from support.small_jets import write_jets

from hepml.cli import main

OWN = """
import torch
from hepml.models import ParticleFlow

class Wide(torch.nn.Module):
    claims = ("permutation",)

    def __init__(self, width, outputs=2, features=0):
        super().__init__()
        self.flow = ParticleFlow(
            outputs=outputs, features=features, particle_widths=[width], set_widths=[width]
        )

    def forward(self, particles):
        if not len(particles.p4):
            raise RuntimeError("no particles")
        return self.flow(particles)
"""


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with a module and a file, in which commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    (tmp_path / "wide_nets.py").write_text(OWN)
    write_jets("jets.root", 60)
    write_jets("test.root", 60, seed=1)
    yield tmp_path
    sys.modules.pop("wide_nets", None)


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
def test_a_network_of_ones_own_from_training_to_scores(capsys):
    own = ["--network", "wide_nets:Wide"]
    words = ["train", *own, "jets.root", "--model.width", "5", "--epochs", "1", "--batch-size"]
    assert main([*words, "20", "--features", "charge"]) == 0
    line = (
        "next        hepml evaluate runs/wide/checkpoints/best.ckpt FILES --network wide_nets:Wide"
    )
    assert line in capsys.readouterr().out.splitlines()
    assert main(["train", "--config", "runs/wide/config.yaml", "--resume", "--epochs", "1"]) == 0
    used = {
        "predict": ["runs/wide", "jets.root", "-o", "scores.root"],
        "evaluate": ["runs/wide", "test.root"],
        "check": ["runs/wide", "--max-jets", "4", "--precision", "float64"],
    }
    for command, options in used.items():
        sys.modules.pop("wide_nets", None)
        assert main([command, *options]) == 1
        assert "got 'wide_nets:Wide'" in capsys.readouterr().err
        assert "wide_nets" not in sys.modules
        assert main([command, *options, *own]) == 0
    with open("symmetries/symmetries.json") as file:
        assert json.load(file)["model"] == "Wide"


@pytest.mark.usefixtures("workplace")
def test_a_name_that_cannot_be_imported(capsys):
    for command in (["train", "jets.root"], ["predict", "a.ckpt", "jets.root", "-o", "b.root"]):
        assert main([*command, "--network", "wide_nets:Narrow"]) == 1
        assert "'wide_nets:Narrow': expected package.module:Class" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
def test_context_is_learned_from_and_may_be_left_out(tmp_path):
    from hepml.deploy import Tagger
    from hepml.io import PRESETS

    columns = PRESETS["hepml"].replace(context={"log_pt": "log(jet_pt)"}).to_dict()
    (tmp_path / "columns.yaml").write_text(json.dumps(columns))
    words = ["train", "ParticleFlow", "jets.root", "--columns", "columns.yaml", "--epochs", "1"]
    words += ["--batch-size", "20", "--features", "none"]
    assert main([*words, "-o", "with"]) == 0
    assert main([*words, "-o", "without", "--context", "none"]) == 0
    assert Tagger.load("with").context_names == ("log_pt",)
    assert Tagger.load("without").context_names == ()
    assert main(["evaluate", "with", "without", "test.root"]) == 0
    assert main(["check", "with", "--max-jets", "4", "--precision", "float64"]) == 0
