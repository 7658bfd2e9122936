"""Each example runs, shortened, and is short."""

import json
import os
import runpy
from pathlib import Path

import pytest
from support.small_jets import write_jets

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name, *words):
    """What ``python examples/name.py words`` does."""
    runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](list(map(str, words)))


@pytest.fixture
def data(tmp_path):
    """Stands for data/: the three files of an easier problem."""
    for seed, name in enumerate(("train", "val", "test")):
        write_jets(tmp_path / f"{name}.root", 300, seed)
    return tmp_path


@pytest.mark.slow
def test_top_tagging(data, capsys):
    out = data / "run"
    run("top_tagging", "--data", data, "--jets", 256, "--epochs", 1, "--output", out)
    printed = capsys.readouterr().out
    assert "ParticleFlow" in printed
    assert "scores.root: 300 entries" in printed
    assert {path.name for path in (out / "evaluation").iterdir()} >= {"metrics.json", "roc.pdf"}


@pytest.mark.slow
def test_in_an_analysis(data, capsys):
    out = data / "run"
    run("in_an_analysis", "--data", data, "--jets", 256, "--epochs", 1, "--output", out)
    first = capsys.readouterr().out
    assert "events with jets have one among the fifth most like a top" in first
    # The tagger that was trained, given by name: the same scores.
    run("in_an_analysis", out, "--data", data, "--jets", 256)
    assert capsys.readouterr().out == first


@pytest.mark.slow
@pytest.mark.skipif("HEPML_TEST_DATA" not in os.environ, reason="HEPML_TEST_DATA is not set")
def test_flavour_tagging_deepjet(tmp_path, capsys):
    file = Path(os.environ["HEPML_TEST_DATA"]) / "deepjet-ttbar" / "ntuple_ttbar.root"
    words = ["--jets", 256, "--epochs", 1, "--output", tmp_path / "run"]
    run("flavour_tagging_deepjet", file, *words)
    printed = capsys.readouterr().out
    for pair in ("b against uds+g", "b against c", "c against uds+g"):
        assert pair in printed


@pytest.mark.slow
@pytest.mark.skipif("HEPML_TEST_DATA" not in os.environ, reason="HEPML_TEST_DATA is not set")
def test_common_vertex(tmp_path, capsys):
    file = Path(os.environ["HEPML_TEST_DATA"]) / "btag-like" / "feasibility_200events.root"
    run("common_vertex", file, "--folds", 2, "--epochs", 1, "--output", tmp_path / "run")
    printed = capsys.readouterr().out
    assert "InteractionNetwork, same/different: AUC" in printed
    assert "InteractionNetwork, node_label: accuracy" in printed
    assert "difference of d0: AUC 0.753" in printed


@pytest.mark.slow
def test_momentum_precision(capsys):
    runpy.run_path(str(EXAMPLES / "momentum_precision.py"))["main"]()
    assert "minkowski_dot in float32" in capsys.readouterr().out


@pytest.mark.slow
def test_symmetry_certificates(data, capsys, tmp_path):
    out = tmp_path / "certificates"
    words = ["--networks", "ParticleFlow", "LorentzCG, no beams", "--jets", 6, "--gammas", 2, 10]
    run("symmetry_certificates", "--data", data / "val.root", *words, "--output", out)
    printed = capsys.readouterr().out
    assert "soft emission of EnergyFlow, claimed: holds" in printed
    assert "soft emission of ParticleFlow, not claimed: broken" in printed
    found = json.loads((out / "certificates.json").read_text())
    assert [each["verdict"] for each in found["LorentzCG, no beams"]] == ["holds"] * 4
    assert [each["elements"] for each in found["LorentzCG, no beams"]][2:] == ["random", "exact"]
    assert {path.suffix for path in out.iterdir()} == {".txt", ".json", ".png", ".pdf"}


@pytest.mark.slow
def test_check_your_network(capsys):
    run("check_your_network", "--jets", 4)
    printed = capsys.readouterr().out
    assert "transformer: batch composition holds" in printed
    assert "transformer without mask: batch composition broken" in printed
    assert "transformer: lorentz broken" in printed


@pytest.mark.slow
def test_hamiltonian_table(tmp_path, capsys):
    pytest.importorskip("scipy", reason="needs scipy")
    words = ["mass-spring", "--quick", "--serial", "--output", tmp_path]
    run("hamiltonian_table", *words)
    printed = capsys.readouterr().out
    table = [line for line in printed.splitlines() if line.startswith("|")][2:]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]
    assert [row[:2] for row in rows][:2] == [["baseline", "rk4"], ["HNN", "rk4"]]
    assert {row[1] for row in rows if row[0] == "ours"} == {"rk4", "leapfrog", "yoshida4"}
    # No more weights and steps than the published network, which has an output without use.
    assert all(int(row[2].replace(",", "")) <= 42_400 for row in rows if row[0] != "baseline")
    found = [
        json.loads((tmp_path / "mass-spring" / f"HNN-{seed}" / "row.json").read_text())[3]["rk4"]
        for seed in range(5)
    ]
    each = sorted(energy for _, energy, *_ in found)
    error = found[0][2]
    assert f"{each[2]:.2e} ± {error:.0e}, 5 seeds {each[0]:.0e} to {each[4]:.0e}" in rows[1]
    # Again: all is there.
    run("hamiltonian_table", *words)
    assert capsys.readouterr().out == printed


@pytest.mark.slow
def test_noether_table(capsys):
    pytest.importorskip("scipy", reason="needs scipy")
    run("noether_table", "--steps", 10)
    printed = capsys.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith("| distances")]
    for line in lines:
        cells = line.split("|")[3:6]
        kept = [float(cell.strip(" *")) for cell in cells if "*" in cell]
        assert kept
        assert max(kept) < 1e-10
    assert "conserved by construction, float64: at most" in printed


@pytest.mark.slow
def test_noether_table_tells_what_is_not_conserved(monkeypatch, capsys):
    pytest.importorskip("scipy", reason="needs scipy")
    table = runpy.run_path(str(EXAMPLES / "noether_table.py"))
    # Relative positions know directions: angular momentum is none of theirs.
    monkeypatch.setitem(table["BY_CONSTRUCTION"], "relative positions", {"rk4": ("P", "L")})
    with pytest.raises(SystemExit, match=r"expected below 1e-10.*relative positions, rk4, L"):
        table["main"](["--steps", "10"])
    assert "| relative positions | rk4 |" in capsys.readouterr().out


def test_every_example_is_tested_and_short():
    names = {path.stem: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*.py")}
    assert {f"test_{name}" for name in names} <= set(globals())
    assert max(names.values()) < 130
