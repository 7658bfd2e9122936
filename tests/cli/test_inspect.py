"""What ``hepml inspect`` prints, and what it says about files that it cannot show."""

import json
import os
import textwrap
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

from hepml.cli import main
from hepml.cli._inspect import SETS, _classes
from hepml.io import PRESETS, Columns, read, recognise

DATA = os.environ.get("HEPML_TEST_DATA")


def jets(counts, seed=0):
    """Branches of our own layout with so many particles in each jet."""
    random = np.random.default_rng(seed)
    momentum = random.normal(scale=50, size=(sum(counts), 3)).astype(np.float32)
    particles = {
        "part_energy": np.sqrt((momentum**2).sum(1)),
        "part_px": momentum[:, 0],
        "part_py": momentum[:, 1],
        "part_pz": momentum[:, 2],
        "part_charge": random.integers(-1, 2, len(momentum)).astype(np.int8),
        "part_pid": random.choice([211, -11, 13, 22, 130], len(momentum)).astype(np.int16),
        **{
            f"part_{name}": random.normal(size=len(momentum)).astype(np.float32)
            for name in ("d0val", "d0err", "dzval", "dzerr")
        },
    }
    branches = {name: ak.unflatten(values, counts) for name, values in particles.items()}
    return branches | {"label": np.arange(len(counts), dtype=np.int8) % 2}


def write(path, branches, tree="tree", **objects):
    with uproot.recreate(path) as file:
        file.mktree(tree, {name: ak.Array(values).type for name, values in branches.items()})
        file[tree].extend(branches)
        for name, value in objects.items():
            file[name] = value
    return str(path)


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "jets.root", jets([3, 0, 5, 4, 1]))


def inspect(capsys, *words):
    """The exit status, the standard output and the standard error."""
    status = main(["inspect", *map(str, words)])
    return status, *capsys.readouterr()


def test_own_layout(capsys, file):
    status, out, err = inspect(capsys, file)
    assert (status, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert "TTree tree: 5 entries, 21 columns" in out
    assert ["part_px", "float[]"] in lines
    assert "layout: hepml" in out
    assert "5 sets in 5 entries of tree" in out
    assert "particles in a set: 0 to 5, mean 2.6" in out
    assert "classes: qcd 3, top 2" in out


def test_columns_are_yaml_that_reads_back(capsys, file):
    expected = recognise(file).columns
    status, out, err = inspect(capsys, "--columns", file, file)
    assert (status, err) == (0, "")
    assert Columns.from_dict(yaml.safe_load(out)) == expected
    _, report, _ = inspect(capsys, file)
    assert textwrap.indent(out, "  ").rstrip() in report


def test_columns_of_an_unknown_layout(capsys, tmp_path):
    path = write(tmp_path / "other.root", {"x": np.arange(3.0)})
    status, out, err = inspect(capsys, "--columns", path)
    assert (status, out) == (1, "")
    assert err.startswith("error: ")
    assert "expected a layout that hepml knows" in err


def test_unknown_layout(capsys, tmp_path):
    path = write(tmp_path / "other.root", {"x": np.arange(3.0), "y": np.arange(3)}, "a/b")
    status, out, err = inspect(capsys, path)
    assert (status, err) == (0, "")
    assert "TTree a/b: 3 entries, 2 columns" in out
    assert "layout: none that hepml knows" in out


def test_many_columns_are_folded(capsys, tmp_path):
    names = [f"Jet_x{i}" for i in range(50)] + ["Muon_pt", "Muon_eta", "run"]
    path = write(tmp_path / "many.root", dict.fromkeys(names, np.arange(2.0)))
    _, out, _ = inspect(capsys, path)
    assert "Jet_* (50)  double: x0, x1, x2" in out
    assert "Muon_* (2)  double: pt, eta\n" in out
    assert "others (1)  double: run\n" in out
    assert "Jet_x49" not in out
    assert max(map(len, out.splitlines())) <= 140
    _, out, _ = inspect(capsys, "--all", path)
    assert [line.split() for line in out.splitlines()[3:56]] == [[name, "double"] for name in names]


def test_several_trees_and_rntuples(capsys, tmp_path):
    path = str(tmp_path / "two.root")
    with uproot.recreate(path) as file:
        file.mktree("first", {"x": "f4"})
        file["first"].extend({"x": np.zeros(4, np.float32)})
        file.mkrntuple("second", {"y": np.zeros(7)})
    status, out, err = inspect(capsys, path)
    assert (status, err) == (0, "")
    assert "TTree first: 4 entries, 1 column\n" in out
    assert "RNTuple second: 7 entries, 1 column\n" in out
    assert "layout: none" in out
    _, out, _ = inspect(capsys, f"{path}:second")
    assert "first" not in out


def test_no_tree(capsys, tmp_path):
    path = str(tmp_path / "none.root")
    with uproot.recreate(path) as file:
        file["text"] = "nothing else"
    status, out, err = inspect(capsys, path)
    assert (status, err) == (0, "")
    assert "no TTree or RNTuple" in out


def test_recipe(capsys, tmp_path):
    recipe = {"name": "top-tagging", "seed": 7, "jet": {"radius": 0.8}, "cells": [0.5] * 99}
    path = write(tmp_path / "jets.root", jets([2, 3]), recipe=json.dumps(recipe))
    _, out, _ = inspect(capsys, path)
    assert "made with the recipe\n  name: top-tagging\n  seed: 7\n  jet: {radius: 0.8}\n" in out
    assert max(map(len, out.splitlines())) <= 140
    _, out, _ = inspect(capsys, "--all", path)
    lines = out[out.index("made with the recipe") : out.index("layout:")].splitlines()[1:]
    assert yaml.safe_load("\n".join(lines)) == recipe


@pytest.mark.parametrize("text", ["flour,\n  eggs", "[flour, eggs", '["flour", "eggs"]', "5"])
def test_a_recipe_of_another_program_is_shown_as_it_is(capsys, tmp_path, text):
    path = write(tmp_path / "jets.root", jets([2, 3]), recipe=text)
    for words in ([], ["--all"]):
        status, out, err = inspect(capsys, *words, path)
        assert (status, err) == (0, "")
        shown = out[out.index("made with the recipe") : out.index("layout:")].splitlines()[1:]
        assert " ".join(" ".join(shown).split()) == " ".join(text.split())


def test_bad_sets_are_counted(capsys, tmp_path):
    branches = jets([2, 3, 4])
    px = ak.to_list(branches["part_px"])
    px[1][0] = np.nan
    branches["part_px"] = ak.values_astype(ak.Array(px), np.float32)
    status, out, err = inspect(capsys, write(tmp_path / "jets.root", branches))
    assert (status, err) == (0, "")
    assert "2 sets in 3 entries of tree" in out
    assert "left out as bad: 1 set (" in out


def test_data_that_cannot_be_read_is_one_line(capsys, tmp_path):
    path = str(tmp_path / "jets.root")
    branches = jets([1])
    with uproot.recreate(path) as file:
        file.mktree("tree", {name: ak.Array(values).type for name, values in branches.items()})
    status, out, err = inspect(capsys, path)
    assert status == 1
    assert "TTree tree: 0 entries" in out
    assert err.count("\n") == 1
    assert f"{path}:tree: expected entries, got none" in err


def test_without_label(capsys, tmp_path):
    branches = jets([2, 3])
    del branches["label"]
    _, out, _ = inspect(capsys, write(tmp_path / "jets.root", branches))
    assert "layout: hepml" in out
    assert "no label: to learn from these" in out


def test_many_classes_are_told_by_the_most_frequent():
    names = [f"class_{i}" for i in range(20)]
    labels = np.repeat([7, 3, 19, 0], [2, 5, 3, 1])
    text = _classes(names, labels)
    assert text.startswith("class_3 5, class_19 3, class_7 2, class_0 1, ")
    assert text.endswith("(20 classes)")


def test_only_a_sample_is_read(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("hepml.cli._inspect.SAMPLE", 3)
    path = tmp_path / "jets.root"
    first = jets([1, 1, 1])
    with uproot.recreate(path) as file:
        file.mktree("tree", {name: ak.Array(values).type for name, values in first.items()})
        file["tree"].extend(first)
        file["tree"].extend(jets([9, 9, 9, 9]))
    _, out, _ = inspect(capsys, path)
    assert "3 sets in the first 3 of 7 entries of tree" in out
    assert "particles in a set: 1 to 1, mean 1.0" in out


def test_each_bad_file_is_one_line_and_the_others_are_shown(capsys, tmp_path, file):
    (tmp_path / "table.csv").write_text("px,py\n1,2\n")
    (tmp_path / "empty.root").write_bytes(b"")
    whole = Path(file).read_bytes()
    (tmp_path / "cut.root").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.h5").write_text("no HDF5")
    names = ["table.csv", "empty.root", "cut.root", "text.h5", "missing.root", "no_*.root"]
    status, out, err = inspect(
        capsys, *(tmp_path / name for name in names), "gopher://a/b.root", tmp_path, file
    )
    assert status == 1
    assert "layout: hepml" in out
    lines = err.splitlines()
    assert len(lines) == len(names) + 2
    for name, line in zip([*names, "gopher", str(tmp_path)], lines, strict=True):
        assert line.startswith("error: ")
        assert name in line
        assert "expected" in line


def test_hdf5(capsys, tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    tracks = np.zeros((6, 40), [("d0", "f4"), ("valid", "?"), ("hits", "i4", (3,))])
    with h5py.File(tmp_path / "tracks.h5", "w") as file:
        file["deep/tracks"] = tracks
        file["jets"] = np.zeros(6, [("pt", "f4")])
        file["loose"] = np.zeros((6, 2))
        file["number"] = 1.5
    status, out, err = inspect(capsys, tmp_path / "tracks.h5")
    assert (status, err) == (0, "")
    for line in (
        "dataset deep/tracks: 6 entries, 3 columns\n",
        "  d0     float32[40]\n  valid  bool[40]\n  hits   int32[40][3]\n",
        "dataset jets: 6 entries, 1 column\n  pt  float32\n",
        "dataset loose: 6 entries of float64[2]\n",
        "dataset number: 1 entry of float64\n",
        "layout: none",
    ):
        assert line in out


def test_hdf5_of_pandas(capsys, tmp_path):
    pd = pytest.importorskip("pandas", reason="needs pandas")
    pytest.importorskip("tables", reason="needs tables")
    names = [f"{c}_{i}" for i in range(3) for c in ("E", "PX", "PY", "PZ")]
    values = np.zeros((4, 12), np.float32)
    values[0, :4] = values[1, :4] = values[1, 4:8] = (5, 0, 3, 4)
    frame = pd.DataFrame(values, columns=names).assign(is_signal_new=[0, 1, 1, 1])
    frame.to_hdf(tmp_path / "top.h5", key="table", format="table")
    status, out, err = inspect(capsys, tmp_path / "top.h5")
    assert (status, err) == (0, "")
    assert "pandas table table: 4 entries, 5 columns" in out
    assert [line.split() for line in out.splitlines()[3:5]] == [
        ["is_signal_new", "int64"],
        ["E", "float32[3]"],
    ]
    assert "layout: top-tagging-h5" in out
    assert "particles in a set: 0 to 2, mean 0.8" in out
    assert "classes: qcd 1, top 3" in out


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="HEPML_TEST_DATA is not set")
def test_every_real_file(capsys):
    pytest.importorskip("h5py", reason="needs h5py")
    files = sorted(path for path in Path(DATA).rglob("*") if path.suffix in (".root", ".h5"))
    assert len(files) > 20
    for path in files:
        status, out, err = inspect(capsys, path)
        assert (status, err) == (0, ""), path
        assert "layout: " in out
        assert max(map(len, out.splitlines())) <= 140
        assert out.count("\n") < 150, path


def test_every_layout_says_what_a_set_is():
    assert set(SETS) == set(PRESETS)


@pytest.mark.slow
@pytest.mark.skipif("HEPML_TEST_DATA" not in os.environ, reason="HEPML_TEST_DATA is not set")
@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("delphes/events_delphes_example.root", "the particle-flow candidates of a whole event"),
        ("atlas-physlite/PHYSLITE_example.root", "the calibrated jets and leptons of an event"),
        ("cms-pfnano/pfnano.root", "an AK8 jet's candidates"),
        ("cms-nanoaod/nano_tt_v15.root", "an AK8 jet's candidates, none for jets far forward"),
    ],
)
def test_events_are_not_taken_for_jets(file, line, capsys):
    assert main(["inspect", str(Path(os.environ["HEPML_TEST_DATA"]) / file)]) == 0
    assert f"\n  a set: {line}" in capsys.readouterr().out


def test_a_name_in_several_parents_is_listed_with_each(capsys, tmp_path):
    with uproot.recreate(tmp_path / "a.root") as file:
        tree = file.mktree("T", {"a/E": "f4", "b/E": "f4", "c/E": "i4", "c/only": "f4"})
        tree.extend({"a/E": [1.0], "b/E": [2.0], "c/E": [3], "c/only": [4.0]})
    for name in ("a.root", "a.root:T;1", "a.root:/T"):
        status, out, _ = inspect(capsys, f"{tmp_path}/{name}")
        assert status == 0
        assert [line.split() for line in out.splitlines()[3:7]] == [
            *(["a/E", "float"], ["b/E", "float"], ["c/E", "int32_t"], ["only", "float"]),
        ]
    status, _, err = inspect(capsys, f"{tmp_path}/a.root:T;9")
    assert status == 1
    assert "expected a tree 'T;9', got the trees T;1" in err


def test_graphs_have_a_line_each_and_columns_by_name(capsys, tmp_path):
    parents = {f"Part_{i}partIdx": ak.Array([[-1, 0], [-1]]) for i in ("", *range(14))}
    path = write(tmp_path / "tree.root", {"Part_pt": ak.Array([[2.0, 1.0], [3.0]]), **parents})
    status, out, err = inspect(capsys, path)
    assert (status, err) == (0, "")
    assert "graphs (columns as YAML with `hepml inspect --graph NAME`):" in out
    assert "  Part_partIdx  Part: 3 nodes, 1 edges in 2 graphs" in out
    status, out, err = inspect(capsys, path, "--graph", "Part_partIdx")
    assert (status, err) == (0, "")
    columns = Columns.from_dict(yaml.safe_load(out))
    assert columns.to_dict()["edges"] == [{"way": "pointer", "index": "Part_partIdx"}]
    assert len(read(path, columns).senders) == 1
    status, out, err = inspect(capsys, path, "--graph", "parent")
    assert (status, out) == (1, "")
    assert "expected one of Part_partIdx, got no such graphs" in err
