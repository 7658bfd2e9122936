"""``hepml check`` from words to files."""

import json
from dataclasses import replace

import pytest
import torch
from support.graph_jets import BUILT, write_graphs
from support.planted_bugs import Masses
from support.small_jets import write_jets
from torch import nn

from hepml.cli import main
from hepml.io import PRESETS
from hepml.models import MODELS, EnergyFlow, LorentzNet, ParticleFlow
from hepml.symmetry import SYMMETRIES
from hepml.training import save_checkpoint, train


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


@pytest.mark.parametrize("per", ["set", "node", "edge"])
def test_networks_of_graphs_are_measured_on_those_of_files(per, tmp_path, capsys):
    file = write_graphs(tmp_path / "graphs.root", 60)
    target = {"set": "label", "node": "node_label", "edge": "edge_label"}[per]
    run = train(
        "InteractionNetwork", file, output=tmp_path / "run", columns=BUILT, target=target,
        model={"width": 4}, epochs=1, batch_size=30, progress=False,
    )  # fmt: skip
    first, rest = ["check", str(run.folder.last)], ["-o", str(tmp_path / "out")]
    assert main([*first, *rest]) == 1
    assert "expected files with graphs" in capsys.readouterr().err
    found = main([*first, str(file), *rest, "--max-sets", "20"])
    text, errors = capsys.readouterr()
    if per == "edge":
        assert found == 1
        assert "which has outputs of edges" in errors
        return
    assert found == 0
    assert text.startswith(f"InteractionNetwork on 20 graphs of {file}")
    assert [row[-1] for row in _rows(text).values()] == ["holds", "holds"]


def test_outputs_of_particles_move_with_them(tmp_path, capsys):
    file = write_jets(tmp_path / "jets.root", 60)
    columns = PRESETS["hepml"]
    part = replace(columns.collections[0], label="part_px > 0", classes=("left", "right"))
    run = train(
        "ParticleFlow", file, output=tmp_path / "run", target="particle_label",
        columns=columns.replace(collections=(part,)), epochs=1, batch_size=30, progress=False,
        model={"particle_widths": [4, 4], "set_widths": [4]},
    )  # fmt: skip
    words = [str(run.folder.last), str(file), "-o", str(tmp_path / "out"), "--max-sets", "5"]
    assert main(["check", *words]) == 0
    rows = _rows(capsys.readouterr().out)
    assert rows["permutation"][-1] == rows["batch composition"][-1] == "holds"
