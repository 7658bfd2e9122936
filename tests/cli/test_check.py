"""``hepml check`` from words to files."""

import json

import pytest
import torch
from support.graph_jets import BUILT
from support.planted_bugs import Masses
from support.small_jets import write_jets
from torch import nn

from hepml.cli import main
from hepml.io import PRESETS
from hepml.models import MODELS, EnergyFlow, InteractionNetwork, LorentzNet, ParticleFlow
from hepml.symmetry import SYMMETRIES
from hepml.training import save_checkpoint


def checkpoint(path, model=ParticleFlow, features=("charge",), **arguments):
    """An untrained tagger of our own layout."""
    torch.manual_seed(0)
    columns = PRESETS["hepml"].with_features(features)
    arguments = ({"features": len(features)} if features else {}) | arguments
    save_checkpoint(path, model(**arguments), arguments=arguments, columns=columns)
    return str(path)


def _rows(text):
    """The cells of the lines between rule and footnote, by symmetry."""
    lines = text.splitlines()
    rule = next(i for i, line in enumerate(lines) if line.startswith("---"))
    rows = {}
    for line in lines[rule + 1 :]:
        name = max((name for name in SYMMETRIES if line.startswith(name)), key=len, default=None)
        if name is None:
            break
        rows[name] = line[len(name) :].split()
    return rows


@pytest.mark.slow
def test_the_certificate_of_a_tagger_that_keeps_its_claims(tmp_path, capsys):
    tagger = checkpoint(tmp_path / "net.ckpt", LorentzNet, (), width=8, blocks=2)
    file = str(write_jets(tmp_path / "jets.root", 30))
    out = tmp_path / "certificate"
    words = ["check", tagger, file, "-o", str(out), "--max-jets", "6", "--gamma", "2", "10"]
    assert main(words) == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    assert text.startswith(f"LorentzNet on 6 jets of {file}\nsymmetry")
    rows = _rows(text)
    assert list(rows) == list(LorentzNet().claims)
    for row in rows.values():
        assert row[0] == "yes"
        assert row[-1] == "holds"
        assert float(row[1]) < 1e-5
    content = json.loads((out / "symmetries.json").read_text())
    assert content["checkpoint"] == tagger
    assert content["jets"] == f"6 jets of {file}"
    assert list(content["symmetries"]) == list(rows)
    lorentz = content["symmetries"]["lorentz with beams"]
    assert {point["strength"] for point in lorentz["measurements"]} == {2.0, 10.0}
    assert {point["precision"] for point in lorentz["measurements"]} == {"float64", "float32"}
    figures = sorted(path.name for path in out.glob("*.p*"))
    assert figures == [
        f"{name}.{kind}"
        for name in ("batch_composition", "lorentz_with_beams", "lorentz_with_beams_exact")
        for kind in ("pdf", "png")
    ]
    # Elements that round nothing show the network alone.
    exact = content["exact"]["lorentz with beams"]
    assert {point["strength"] for point in exact["measurements"]} == {2.125, 8.03125}
    assert rows["lorentz with beams"][3:5] == ["gamma", "8.03125"]
    assert float(rows["lorentz with beams"][1]) < 1e-11 < float(rows["lorentz with beams"][5])
    assert rows["lorentz with beams"][7:9] == ["gamma", "10"]
    assert {"permutation", "parity"}.isdisjoint(content["exact"])


class Broken(nn.Module):
    """Claims what it has not."""

    claims = ("permutation", "lorentz")

    def __init__(self, *, outputs: int = 2, features: int = 0) -> None:
        super().__init__()
        assert (outputs, features) == (2, 0)
        self.network = Masses(True)

    def forward(self, particles):
        return self.network(particles)


def test_a_broken_claim_gives_exit_status_1(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(MODELS, "Broken", Broken)
    tagger = checkpoint(tmp_path / "net.ckpt", Broken, ())
    words = ["check", tagger, "-o", str(tmp_path / "out"), "--gamma", "2", "--max-jets", "8"]
    assert main(words) == 1
    text, _ = capsys.readouterr()
    assert text.startswith("Broken on 8 random jets (")
    rows = _rows(text)
    assert rows["permutation"][-1] == "holds"
    assert rows["lorentz"][-1] == "broken"
    assert "lorentz: network (Masses) breaks it, before network.read (Linear)" in text
    # What nobody claims may be broken.
    assert main([*words, "--overwrite", "--symmetry", "permutation", "rotation"]) == 0
    rows = _rows(capsys.readouterr().out)
    assert list(rows) == ["permutation", "rotation"]
    assert rows["rotation"][0] == "no"
    assert rows["rotation"][-3:] == ["not", "claimed:", "broken"]


@pytest.mark.slow
def test_a_limit_is_certified_by_its_power(tmp_path, capsys):
    tagger = checkpoint(tmp_path / "flow.ckpt", EnergyFlow, ())
    words = ["--symmetry", "soft-emission", "--precision", "float64", "--elements", "4"]
    assert main(["check", tagger, "-o", str(tmp_path / "out"), *words]) == 0
    text, _ = capsys.readouterr()
    row = _rows(text)["soft emission"]
    assert row[2:5] == ["energy", "fraction", "1e-06"]
    assert "holds, falls as its power" in text
    assert float(row[-1]) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lost.ckpt"], "try flow.ckpt"),
        (["flow.ckpt", "lost.root"], "expected a file, got no such file"),
        (["flow.ckpt", "--symmetry", "lorenz"], "Fix: try 'lorentz'"),
        (["flow.ckpt", "--precision", "half"], "dtypes: expected one or more of float64"),
        (["flow.ckpt", "--symmetry", "lorentz", "--gamma", "0.5"], "a Lorentz factor of 1 or more"),
        (["flow.ckpt", "--device", "cuda:99"], "device 'cuda:99'"),
        (["flow.ckpt", "-o", "old"], "symmetries.json, which exists"),
    ],
)
def test_mistakes_give_one_message(tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    checkpoint("flow.ckpt")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "symmetries.json").write_text("precious")
    assert main(["check", *words]) == 1
    text, errors = capsys.readouterr()
    assert text == ""
    assert errors.startswith("hepml check: ")
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert (tmp_path / "old" / "symmetries.json").read_text() == "precious"


def test_a_model_that_claims_nothing_needs_names(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(MODELS, "Broken", Broken)
    monkeypatch.setattr(Broken, "claims", ())
    tagger = checkpoint(tmp_path / "net.ckpt", Broken, ())
    assert main(["check", tagger, "-o", str(tmp_path / "out")]) == 1
    assert "Broken, which claims nothing. Fix: name them" in capsys.readouterr().err


def test_a_network_of_graphs_is_measured_in_python(tmp_path, capsys):
    arguments = {"outputs": 2, "features": 2, "edge_features": 1, "width": 4}
    path = tmp_path / "net.ckpt"
    save_checkpoint(path, InteractionNetwork(**arguments), arguments=arguments, columns=BUILT)
    assert main(["check", str(path), "-o", str(tmp_path / "out")]) == 1
    assert "got InteractionNetwork, which takes graphs" in capsys.readouterr().err
