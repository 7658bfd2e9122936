"""The benchmarks run on a small file, and save what they print."""

import importlib.util
import json
import statistics
import time
from pathlib import Path

import pytest
from support.small_jets import write_jets

BENCHMARKS = Path(__file__).parent.parent / "examples" / "benchmarks"


def load(name):
    """A benchmark as a module."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def beside_each_other(monkeypatch):
    """A script finds the module beside it."""
    monkeypatch.syspath_prepend(BENCHMARKS)


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
    assert {"cpu", "cores", "gpu", "versions", "commit"} <= set(results["machine"])


def test_ratios_are_formed_within_a_round_against_the_best():
    loading = load("loading")
    rates = {loading.SHUFFLED: [100.0, 300.0], **{each: [1.0, 2.0] for each in loading.WEAVER}}
    best = list(loading.WEAVER)[3]
    rates |= {best: [10.0, 60.0], loading.READ: [1.0, 1.0], loading.STREAM: [1.0, 1.0]}
    ratios = loading.ratios(rates)
    assert ratios["batches, shuffled / best of weaver"]["each"] == [10.0, 5.0]
    assert "one ParticleSet / uproot" not in ratios


def test_calls_take_turns_after_a_round_that_does_not_count():
    order = []
    calls = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    seconds = load("_measure").interleave(calls, 3, progress=False)
    assert order[:2] == ["a", "b"]
    assert [sorted(order[i : i + 2]) for i in (2, 4, 6)] == [["a", "b"]] * 3
    assert [len(each) for each in seconds.values()] == [3, 3]


def test_short_calls_are_repeated_and_counted_once():
    measure = load("_measure")
    seconds = measure.interleave({"a": lambda: time.sleep(0.002)}, 2, least=0.01, progress=False)
    assert all(0.002 <= each < 0.01 for each in seconds["a"])


def test_the_best_has_the_lowest_median():
    seconds = {"ours": [2.0, 2.0, 4.0], "lucky": [1.0, 9.0, 9.0], "good": [2.0, 2.0, 2.0]}
    assert load("_measure").ratio_to_best(seconds, "ours", ["lucky", "good"]) == [1.0, 1.0, 2.0]


def test_columns_are_as_wide_as_their_content():
    text = load("_measure").table(["", "median"], [["a long name", "1"], ["b", "12345678"]])
    assert text.split("\n") == [
        f"{'':13}  median",
        "a long name         1",
        "b            12345678",
    ]


@pytest.mark.slow
def test_segments(tmp_path, capsys):
    segments = load("segments")
    file = tmp_path / "jets.root"
    write_jets(file, 60, seed=0)
    segments.main(
        [
            *("--items", "300", "--widths", "2", "--rounds", "2", "--least", "0"),
            *("--jets", str(file), "-o", str(tmp_path)),
        ]
    )
    results = json.loads((tmp_path / "segments.json").read_text())
    cells = results["cells"]
    # Each operation, with and without its gradient, for each distribution of lengths.
    assert len(cells) >= len(segments.OPERATIONS) * 2 * len(segments.LENGTHS)
    for cell in cells:
        best = min(
            (
                each
                for name, each in cell["seconds"].items()
                if name not in ("hepml", segments.COPY)
            ),
            key=statistics.median,
        )
        each = [own / other for own, other in zip(cell["seconds"]["hepml"], best, strict=True)]
        assert cell["ratio"] == pytest.approx(each)
    printed = capsys.readouterr().out
    assert (tmp_path / "segments.txt").read_text().strip() in printed
    assert "of the best other (" in printed
    assert ("GPU: not measured: no GPU" in printed) == (results["machine"]["gpu"] is None)


def test_segments_refuses_a_rival_that_computes_something_else(tmp_path, monkeypatch):
    segments = load("segments")
    monkeypatch.setattr(segments, "native", lambda _: {"wrong": lambda values, s: values[: len(s)]})
    cell = segments.Cell("sum", False, "uniform", 2, "float32", "cpu")
    offsets = segments.offsets("uniform", 300, tmp_path)
    with pytest.raises(AssertionError):
        segments.calls(cell, segments.Segments(offsets))


def test_unknown_layout(tmp_path):
    import numpy as np
    import uproot

    with uproot.recreate(tmp_path / "other.root") as file:
        file.mktree("tree", {"x": "f4"})
        file["tree"].extend({"x": np.zeros(3, np.float32)})
    with pytest.raises(SystemExit, match=r"other\.root: expected a recognised layout"):
        load("loading").main([str(tmp_path / "other.root")])


@pytest.mark.slow
def test_training_step(tmp_path, capsys):
    training_step = load("training_step")
    training_step.main(
        ["--network", "ParticleFlow", "--jets", "128", "--batch-size", "32", "-o", str(tmp_path)]
    )
    seconds = json.loads((tmp_path / "training_step.json").read_text())["seconds"]
    # Lightning's names of what it does: one that changed would leave its part empty.
    assert all(seconds[part] > 0 for part in ("loading", "transfer", "forward", "backward"))
    assert seconds["optimiser"] > 0
    assert "backward" in capsys.readouterr().out


@pytest.mark.slow
def test_tensor_products(tmp_path, capsys, monkeypatch):
    tensor_products = load("tensor_products")
    sizes = ["--jets", "2", "--particles", "6", "--channels", "2"]
    tensor_products.main([*sizes, "--rounds", "2", "-o", str(tmp_path)])
    results = json.loads((tmp_path / "tensor_products.json").read_text())
    assert results["difference"] < 1e-13
    assert set(results["ratios"]) == {"forward", "forward and backward"}
    for ratios in results["ratios"].values():
        assert set(ratios) == {"hepml, equal channels", "hepml, equal numbers"}
        assert min(ratios.values()) > 0
    assert "times as fast" in capsys.readouterr().out
    # The comparison sees a coefficient that is not the same.
    matrices = tensor_products.pair_matrices
    monkeypatch.setattr(
        tensor_products,
        "pair_matrices",
        lambda dtype: {pair: matrix + 1e-3 for pair, matrix in matrices(dtype).items()},
    )
    assert tensor_products.difference(2, 5, 2) > 1e-4


@pytest.mark.slow
def test_dynamics(tmp_path, capsys, monkeypatch):
    pytest.importorskip("scipy", reason="needs scipy")
    dynamics = load("dynamics")
    # It takes a quarter of a minute, and is tested with the layer.
    monkeypatch.setattr(dynamics.torch, "compile", lambda function, **_: function)
    sizes = ["--width", "16", "--batch-size", "8", "--trajectories", "4"]
    dynamics.main([*sizes, "--rounds", "2", "-o", str(tmp_path)])
    results = json.loads((tmp_path / "dynamics.json").read_text())
    assert next(iter(results["seconds_per_step"])) == dynamics.PUBLISHED
    assert set(results["largest_errors"]) == {
        dynamics.ALONE,
        dynamics.TOGETHER,
        dynamics.BY_AUTOGRAD,
    }
    assert max(results["largest_errors"].values()) < 1e-2
    assert "times faster" in capsys.readouterr().out


@pytest.mark.slow
def test_models(tmp_path, capsys):
    networks = ["--networks", "ParticleFlow", "LorentzNet"]
    load("models").main([*networks, "--batch-sizes", "4", "--rounds", "1", "-o", str(tmp_path)])
    found = json.loads((tmp_path / "models.json").read_text())
    for what in ("scores", "learns"):
        for name in ("ParticleFlow", "LorentzNet"):
            cell = found[f"{what}, batch 4"][name]
            assert cell["peak_bytes"] > 0
            assert cell["jets_per_second"][0] > 0
    assert "jets/s" in capsys.readouterr().out


@pytest.mark.slow
def test_scaling(tmp_path, capsys):
    scaling = load("scaling")
    scaling.main(
        ["--networks", "ParticleFlow", "--largest", "16", "--rounds", "1", "-o", str(tmp_path)]
    )
    assert "scores, sets per batch" in capsys.readouterr().out
    assert (tmp_path / "scaling.png").stat().st_size > 0
    squares = [{"size": n, "bytes": 3 * n**2} for n in (8, 16, 32, 64)]
    assert scaling.exponent(squares, lambda point: point["bytes"]) == pytest.approx(2)


@pytest.mark.slow
def test_pair_messages(tmp_path, capsys):
    pair_messages = load("pair_messages")
    pair_messages.main(["--batch-size", "3", "--rounds", "1", "-o", str(tmp_path)])
    found = json.loads((tmp_path / "pair_messages.json").read_text())
    assert found["logits"]["torch.float32"] < 1e-5
    assert "published / hepml" in capsys.readouterr().out


@pytest.mark.slow
def test_shuffling(tmp_path):
    shuffling = load("shuffling")
    words = ["--jets", "64", "--batch-size", "64", "--epochs", "1", "-o", str(tmp_path / "out")]
    shuffling.main(words)
    rows = json.loads((tmp_path / "out" / "shuffling.json").read_text())["rows"]
    assert [row["files"] for row in rows[::2]] == ["mixed", "a file for each class", "sorted"]
    assert all(row["fewest classes in a batch"] >= 8 for row in rows)


@pytest.mark.slow
def test_edges(tmp_path):
    edges = load("edges")
    words = ["--items", "300", "--jets", "5", "--rounds", "1", "-o", str(tmp_path / "out")]
    edges.main(words)
    rows = json.loads((tmp_path / "out" / "edges.json").read_text())["rows"]
    assert [len(row["seconds"]) for row in rows] == [2, 2, 2, 2, 3]
    assert all(row["seconds"]["hepml"][0] > 0 for row in rows)
