"""The benchmarks run on a small file, and save what they print."""

import importlib.util
import json
import statistics
from pathlib import Path

import pytest
from training.small_jets import write_jets

BENCHMARKS = Path(__file__).parent.parent / "examples" / "benchmarks"


def load(name):
    """A benchmark as a module."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_loading(tmp_path, capsys, monkeypatch):
    loading = load("loading")
    # weaver-core compiles its padding for half a minute; its place is a reader that just counts.
    name = next(iter(loading.WEAVER))
    monkeypatch.setattr(loading, "weaver", lambda *_: {name: lambda: 60})
    file = tmp_path / "jets.root"
    write_jets(file, 60, seed=0)
    loading.main([str(file), "--batch-size", "16", "--rounds", "2", "-o", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "loading.json").read_text())
    assert (tmp_path / "out" / "loading.txt").read_text().strip() in printed
    assert results["jets"] == 60
    assert results["files"] == {"jets.root": file.stat().st_size}
    rates = results["jets_per_second"]
    assert list(rates)[:2] == [loading.UPROOT, loading.UPROOT_THREADS]
    assert name in rates
    assert all(len(each) == 2 and min(each) > 0 for each in rates.values())
    ratio = results["ratios"]["one ParticleSet / uproot"]
    each = [a / b for a, b in zip(rates[loading.READ], rates[loading.UPROOT], strict=True)]
    assert ratio["each"] == pytest.approx(each)
    assert ratio["median"] == pytest.approx(statistics.median(each))
    assert set(results["machine"]) == {"cpu", "cores", "load", "versions", "commit"}


def test_ratios_are_formed_within_a_round_against_the_best():
    loading = load("loading")
    rates = {loading.SHUFFLED: [100.0, 300.0], **{each: [1.0, 2.0] for each in loading.WEAVER}}
    best = list(loading.WEAVER)[3]
    rates |= {best: [10.0, 60.0], loading.READ: [1.0, 1.0], loading.STREAM: [1.0, 1.0]}
    ratios = loading.ratios(rates)
    assert ratios["batches, shuffled / best of weaver"]["each"] == [10.0, 5.0]
    assert "one ParticleSet / uproot" not in ratios


def test_unknown_layout(tmp_path):
    import numpy as np
    import uproot

    with uproot.recreate(tmp_path / "other.root") as file:
        file.mktree("tree", {"x": "f4"})
        file["tree"].extend({"x": np.zeros(3, np.float32)})
    with pytest.raises(SystemExit, match=r"other\.root: expected a recognised layout"):
        load("loading").main([str(tmp_path / "other.root")])
