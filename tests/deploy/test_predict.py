"""Scores in files: one entry for each entry of the input, or no file at all."""

import json
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import torch
import uproot
from support.small_jets import write_jets

from hepml.deploy import Tagger, predict
from hepml.errors import ColumnError, DataError, FileError, InputError
from hepml.io import PRESETS, Collection, Columns, JetIndex, read
from hepml.models import ParticleFlow
from hepml.training import save_checkpoint

COLUMNS = PRESETS["hepml"]
NAMES = ("score_qcd", "score_top")


def make_tagger(columns=COLUMNS, **arguments):
    """A network with weights that nobody trained: scores only have to differ."""
    torch.manual_seed(0)
    model = ParticleFlow(features=len(columns.feature_names))
    return Tagger(model, columns, **arguments)


@pytest.fixture
def tagger():
    return make_tagger()


def rewritten(path, source, change):
    """A copy of a file with changed branches."""
    branches = {name: array for name, array in read_tree(source).items() if name != "npart"}
    change(branches)
    with uproot.recreate(path) as file:
        file.mktree("tree", {name: ak.Array(array).type for name, array in branches.items()})
        file["tree"].extend(branches)
    return path


def read_tree(path, tree="tree"):
    """All branches of a tree."""
    with uproot.open(path) as file:
        return dict(zip((t := file[tree]).keys(), ak.unzip(t.arrays()), strict=True))


def read_scores(path):
    """The scores as a table of numbers."""
    branches = read_tree(path, "scores")
    assert tuple(branches) == NAMES
    return np.stack([ak.to_numpy(branches[name]) for name in NAMES], 1)


def test_scores_lie_beside_the_jets_of_all_files(tmp_path, tagger):
    files = [write_jets(tmp_path / f"{seed}.root", 40 + seed, seed) for seed in range(3)]
    (written,) = predict(tagger, files, tmp_path / "out.root", step=7)
    scores = read_scores(tmp_path / "out.root")
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, tagger(read(files)).float(), rtol=1e-6)
    assert (written.path, written.entries, written.sets, written.bad) == (
        tmp_path / "out.root",
        123,
        123,
        {},
    )
    with uproot.open(written.path) as file:
        about = json.loads(str(file["about"]))
    assert about["classes"] == {"qcd": "qcd", "top": "top"}
    assert about["input"] == [[str(path), 40 + i] for i, path in enumerate(files)]


def test_a_checkpoint_or_the_folder_of_a_run_is_a_tagger(tmp_path):
    path = write_jets(tmp_path / "jets.root", 20)
    arguments = {"features": len(COLUMNS.feature_names)}
    model = ParticleFlow(**arguments)
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    save_checkpoint(best, model, arguments=arguments, columns=COLUMNS)
    expected = Tagger(model, COLUMNS)(read(path)).float()
    for number, place in enumerate((best, str(tmp_path / "run"))):
        (written,) = predict(place, path, tmp_path / f"{number}.root")
        np.testing.assert_allclose(read_scores(written.path), expected, rtol=1e-6)


def test_a_folder_gets_a_file_for_each_input(tmp_path, tagger):
    files = [write_jets(tmp_path / f"{seed}.root", 20, seed) for seed in range(2)]
    written = predict(tagger, tmp_path / "*.root", tmp_path / "scores")
    assert [w.path for w in written] == [tmp_path / "scores" / path.name for path in files]
    for path, result in zip(files, written, strict=True):
        np.testing.assert_allclose(read_scores(result.path), tagger(read(path)).float(), rtol=1e-6)


def test_the_cut_and_the_labels_of_the_training_are_ignored(tmp_path):
    source = write_jets(tmp_path / "labelled.root", 30, jet_pt=np.arange(30, dtype=np.float32))
    path = rewritten(tmp_path / "data.root", source, lambda branches: branches.pop("label"))
    tagger = make_tagger(COLUMNS.replace(cut="jet_pt > 10", weights="jet_pt"))
    predict(tagger, path, tmp_path / "out.root")
    expected = tagger(read(path, COLUMNS.without_labels())).float()
    np.testing.assert_allclose(read_scores(tmp_path / "out.root"), expected, rtol=1e-6)


def test_bad_jets_get_nan_in_their_place(tmp_path, tagger):
    good = write_jets(tmp_path / "good.root", 25)

    def spoil(branches):
        table = ak.to_list(branches["part_px"])
        table[3][0] = float("nan")
        table[11][-1] = float("inf")
        branches["part_px"] = ak.values_astype(ak.Array(table), np.float32)

    bad = rewritten(tmp_path / "bad.root", good, spoil)
    (written,) = predict(tagger, bad, tmp_path / "out.root", step=4)
    scores = read_scores(written.path)
    assert np.flatnonzero(np.isnan(scores).any(1)).tolist() == [3, 11]
    assert np.isnan(scores[[3, 11]]).all()
    assert (written.entries, written.sets, sum(written.bad.values())) == (25, 23, 2)
    fine = np.delete(np.arange(25), [3, 11])
    np.testing.assert_allclose(scores[fine], tagger(read(good)).float()[fine], rtol=1e-6)


def event_columns():
    """Events with several jets, as in PFNano."""
    return Columns(
        Collection(
            {"pt": "PFCands_pt", "eta": "PFCands_eta", "phi": "PFCands_phi", "mass": "0.14"},
            index=JetIndex("Jet_pt", "Link_jet", "Link_particle"),
        ),
        cut="Jet_pt > 30",
    )


def write_events(path, seed=0):
    """Events of jets; jet 2 of each event has no particles, and some events no jets."""
    random = np.random.default_rng(seed)
    jets = random.integers(0, 4, 20)
    particles = np.full(20, 15)
    links = jets * 5
    with uproot.recreate(path) as file:
        columns = {
            "PFCands_pt": (random.exponential(10, 300).astype(np.float32), particles),
            "PFCands_eta": (random.normal(size=300).astype(np.float32), particles),
            "PFCands_phi": (random.uniform(-3, 3, 300).astype(np.float32), particles),
            "Jet_pt": (random.exponential(40, jets.sum()).astype(np.float32), jets),
            "Link_jet": (
                np.concatenate([np.repeat(np.arange(n), 5) for n in jets]).astype(np.int32) % 2,
                links,
            ),
            "Link_particle": (random.integers(0, 15, links.sum()).astype(np.int32), links),
        }
        branches = {name: ak.unflatten(*column) for name, column in columns.items()}
        file.mktree("Events", {name: array.type for name, array in branches.items()})
        file["Events"].extend(branches)
    return path, jets


def test_events_of_several_jets_get_jagged_scores_with_one_counter(tmp_path):
    path, jets = write_events(tmp_path / "events.root")
    tagger = make_tagger(event_columns(), class_names=["qcd", "top"])
    (written,) = predict(tagger, path, tmp_path / "out.root", step=3)
    branches = read_tree(written.path, "scores")
    assert tuple(branches) == ("nscore", *NAMES)
    assert branches["nscore"].to_list() == jets.tolist()
    # Not those of the file alone that pass the cut.
    expected = tagger(read(path, event_columns().replace(cut=None))).float()
    for name, column in zip(NAMES, expected.T, strict=True):
        assert ak.num(branches[name]).to_list() == jets.tolist()
        np.testing.assert_allclose(ak.flatten(branches[name]), column, rtol=1e-6)
    assert (written.entries, written.sets) == (20, jets.sum())


def test_observers_lie_beside_the_scores_of_all_jets(tmp_path):
    event = np.arange(30, dtype=np.uint64) + 2**60
    pt = np.arange(30, dtype=np.float32)
    source = write_jets(tmp_path / "plain.root", 30, jet_pt=pt)

    def add(branches):
        branches["event"] = event
        branches["jet_nhits"] = np.arange(30, dtype=np.uint8)
        table = ak.to_list(branches["part_px"])
        table[3][0] = float("nan")
        branches["part_px"] = ak.values_astype(ak.Array(table), np.float32)

    path = rewritten(tmp_path / "jets.root", source, add)
    columns = COLUMNS.replace(cut="jet_pt > 10", observers={"nhits": "jet_nhits"})
    observers = {"event": "event", "pt_mev": "jet_pt * 1000", "hard": "jet_pt > 20"}
    observers["n"] = "count(part_px)"
    (written,) = predict(
        make_tagger(columns), path, tmp_path / "out.root", observers=observers, step=7
    )
    branches = read_tree(written.path, "scores")
    assert tuple(branches) == (*NAMES, "nhits", *observers)
    found = {name: ak.to_numpy(branches[name]) for name in ("nhits", *observers)}
    assert {name: str(values.dtype) for name, values in found.items()} == {
        "nhits": "uint8",
        "event": "uint64",
        "pt_mev": "float32",
        "hard": "bool",
        "n": "int64",
    }
    assert found["n"].tolist() == ak.num(read_tree(path)["part_px"]).to_list()
    assert found["event"].tolist() == event.tolist()
    assert found["nhits"].tolist() == list(range(30))
    assert found["pt_mev"].tolist() == (1000 * pt).tolist()
    assert found["hard"].tolist() == (pt > 20).tolist()
    assert np.flatnonzero(np.isnan(branches["score_top"])).tolist() == [3]


def test_observers_of_events_are_repeated_for_their_jets(tmp_path):
    path, jets = write_events(tmp_path / "events.root")
    with uproot.open(path) as file:
        branches = file["Events"].arrays(how=dict)
    expected = branches["Jet_pt"]
    branches = {k: v for k, v in branches.items() if k[0] != "n"} | {"run": np.arange(20)}
    with uproot.recreate(path) as file:
        file.mktree("Events", {name: ak.Array(array).type for name, array in branches.items()})
        file["Events"].extend(branches)
    tagger = make_tagger(event_columns(), class_names=["qcd", "top"])
    (written,) = predict(
        *(tagger, path, tmp_path / "out.root"), observers={"pt": "Jet_pt", "run": "run"}, step=3
    )
    found = read_tree(written.path, "scores")
    assert found["pt"].to_list() == expected.to_list()
    assert found["run"].to_list() == [[i] * n for i, n in enumerate(jets)]
    with pytest.raises(DataError, match=r"observer 'PFCands_pt' .* one number for each set"):
        predict(tagger, path, tmp_path / "no.root", observers=["PFCands_pt"])
    assert not (tmp_path / "no.root").exists()


def test_observers_that_cannot_be_written(tmp_path, tagger):
    path = write_jets(tmp_path / "jets.root", 10)
    for name in ("score_top", "nscore", "jet.pt", "npt"):
        with pytest.raises(InputError, match=f"observer '{name}': expected letters"):
            predict(tagger, path, tmp_path / "out.root", observers={name: "jet_pt", "pt": "jet_pt"})
    with pytest.raises(ColumnError, match=r"'lost' \(observer lost\)"):
        predict(tagger, path, tmp_path / "out.root", observers=["lost"])
    wide = rewritten(
        tmp_path / "wide.root",
        path,
        lambda branches: branches.update(jet_pt=np.full(10, 1 / 3)),
    )
    with pytest.raises(DataError, match=r"expected numbers that float32 holds, .* got float64"):
        predict(tagger, [path, wide], tmp_path / "out.root", observers=["jet_pt"])
    assert not (tmp_path / "out.root").exists()


def test_nan_of_the_network_is_counted_and_scores_of_choice_are_not(tmp_path):
    path = write_jets(tmp_path / "jets.root", 20)
    tagger = make_tagger()
    assert predict(tagger, path, tmp_path / "fine.root")[0].nan == 0
    next(tagger.model.parameters()).data.fill_(float("nan"))
    (written,) = predict(tagger, path, tmp_path / "nan.root")
    assert (written.sets, written.bad, written.nan) == (20, {}, 20)
    hollow = COLUMNS.replace(collections=replace(COLUMNS.collections[0], cut="part_charge > 5"))
    tagger = make_tagger(hollow, empty=float("nan"))
    (written,) = predict(tagger, path, tmp_path / "empty.root")
    assert written.nan == 0
    assert np.isnan(read_scores(written.path)).all()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_files(tmp_path):
    jets = 4000
    path = write_jets(tmp_path / "jets.root", jets)
    torch.manual_seed(0)
    features = len(COLUMNS.feature_names)
    tagger = Tagger(ParticleFlow(features=features, particle_widths=(4,), set_widths=(4,)), COLUMNS)
    particles = read(path)
    chunk = particles.p4.nbytes + particles.features.nbytes
    predict(tagger, path, tmp_path / "warm.root")
    peaks = []
    for copies in (4, 16):
        tracemalloc.start()
        predict(tagger, [path] * copies, tmp_path / f"{copies}.root")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A file is one chunk. What uproot knows of a file (its branches, 0.15 MB each time it is
    # opened) is a circle of references that waits for the garbage collector: it stays below this.
    assert (peaks[1] - peaks[0]) / 12 < 0.3 * chunk


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_run_that_is_stopped_leaves_what_was_there(tmp_path, tagger, error, monkeypatch):
    path = write_jets(tmp_path / "jets.root", 100)
    out = tmp_path / "out.root"
    predict(tagger, path, out)
    before = out.read_bytes()
    calls = []

    def stop(particles):
        calls.append(len(particles))
        if len(calls) > 2:
            raise error
        return Tagger.values(tagger, particles)

    monkeypatch.setattr(tagger, "values", stop)
    with pytest.raises(error):
        predict(tagger, path, out, overwrite=True, step=10)
    assert out.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["jets.root", "out.root"]


def test_a_file_that_cannot_be_read_leaves_nothing(tmp_path, tagger):
    good = write_jets(tmp_path / "good.root", 30)
    other = rewritten(tmp_path / "other.root", good, lambda branches: branches.pop("part_charge"))
    with pytest.raises(ColumnError, match="part_charge"):
        predict(tagger, [good, other], tmp_path / "out.root")
    assert sorted(os.listdir(tmp_path)) == ["good.root", "other.root"]


def empty_copy(path, source):
    """A tree of the same branches without entries, as a skim may leave."""
    with uproot.open(source) as file:
        tree = file["tree"].arrays()
    with uproot.recreate(path) as file:
        file.mktree("tree", {name: tree[name].type.content for name in tree.fields})
    return path


def test_a_skim_without_entries_adds_nothing(tmp_path, tagger):
    files = [write_jets(tmp_path / f"{seed}.root", 10 + seed, seed) for seed in range(2)]
    empty = empty_copy(tmp_path / "empty.root", files[0])
    inputs = [empty, files[0], empty, files[1]]
    with pytest.warns(UserWarning, match=r"no entries in .*empty\.root and 1 more: no scores"):
        (written,) = predict(tagger, inputs, tmp_path / "out.root")
    assert (written.entries, written.sets) == (21, 21)
    np.testing.assert_allclose(read_scores(written.path), tagger(read(files)).float(), rtol=1e-6)
    with uproot.open(written.path) as file:
        assert [entries for _, entries in json.loads(str(file["about"]))["input"]] == [0, 10, 0, 11]
    with pytest.warns(UserWarning, match=r"no entries in .*empty\.root: no scores"):
        first, second = predict(tagger, [empty, files[0]], tmp_path / "scores")
    assert (first.entries, second.entries) == (0, 10)
    assert len(read_scores(first.path)) == 0
    assert len(read_scores(second.path)) == 10
    with pytest.raises(DataError, match=r"empty\.root: expected entries, got none in any file"):
        predict(tagger, empty, tmp_path / "none.root")
    assert not (tmp_path / "none.root").exists()


def test_events_without_entries_keep_their_branches(tmp_path):
    path, _ = write_events(tmp_path / "events.root")
    with uproot.open(path) as file, uproot.recreate(tmp_path / "empty.root") as empty:
        tree = file["Events"].arrays()
        empty.mktree("Events", {n: tree[n].type.content for n in tree.fields if n[0] != "n"})
    tagger = make_tagger(event_columns(), class_names=["qcd", "top"])
    with pytest.warns(UserWarning, match="no entries in"):
        first, second = predict(tagger, [tmp_path / "empty.root", path], tmp_path / "scores")
    assert tuple(read_tree(first.path, "scores")) == tuple(read_tree(second.path, "scores"))
    assert (first.entries, second.entries) == (0, 20)


def test_a_later_file_that_cannot_be_read_is_found_before_the_first_jet(
    tmp_path, tagger, monkeypatch
):
    good = write_jets(tmp_path / "good.root", 30)
    (tmp_path / "cut.root").write_bytes(good.read_bytes()[:-2000])
    (tmp_path / "text.root").write_text("no ROOT file")
    monkeypatch.setattr(tagger, "values", lambda _: pytest.fail("a jet was scored"))
    for name in ("cut.root", "text.root"):
        with pytest.raises(FileError, match=name):
            predict(tagger, [good, tmp_path / name], tmp_path / "out" / "scores.root")
    assert not (tmp_path / "out").exists()


def test_existing_files_are_replaced_on_demand_and_input_never(tmp_path, tagger):
    path = write_jets(tmp_path / "jets.root", 20)
    out = tmp_path / "out.root"
    out.write_text("precious")
    with pytest.raises(FileError, match=r"out\.root: expected a new file, got a file that exists"):
        predict(tagger, path, out)
    assert out.read_text() == "precious"
    predict(tagger, path, out, overwrite=True)
    assert len(read_scores(out)) == 20
    (tmp_path / "link.root").symlink_to(path)
    before = path.read_bytes()
    for output in (path, tmp_path / "link.root", tmp_path):
        with pytest.raises(FileError, match="got an input file"):
            predict(tagger, path, output, overwrite=True)
    assert path.read_bytes() == before


def test_an_output_that_cannot_be_written_is_named(tmp_path, tagger):
    path = write_jets(tmp_path / "jets.root", 20)
    (tmp_path / "occupied").write_text("a file, no folder")
    with pytest.raises(FileError, match=r"output .*occupied: expected a folder, got a file"):
        predict(tagger, path, tmp_path / "occupied" / "out.root")


def test_names_that_collide_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_jets(tmp_path / folder / "jets.root", 5)
    with pytest.raises(InputError, match=r"a/jets\.root and .*b/jets\.root"):
        predict(make_tagger(), tmp_path / "*/jets.root", tmp_path / "scores")
    tagger = make_tagger(COLUMNS.without_labels(), class_names=["H->bb", "H->b b"])
    path = tmp_path / "a" / "jets.root"
    predict(tagger, path, tmp_path / "out.root")
    assert list(read_tree(tmp_path / "out.root", "scores")) == ["score_H__bb", "score_H__b_b"]
    tagger = make_tagger(COLUMNS.without_labels(), class_names=["b+", "b-"])
    with pytest.raises(InputError, match="got b\\+, b-"):
        predict(tagger, path, tmp_path / "other.root")


def test_a_tagger_without_columns_reads_no_files(tmp_path):
    tagger = Tagger(ParticleFlow())
    with pytest.raises(InputError, match="expected columns, which say how to read files"):
        predict(tagger, tmp_path / "jets.root", tmp_path / "out.root")


@pytest.mark.slow
@pytest.mark.skipif("HEPML_TEST_DATA" not in os.environ, reason="HEPML_TEST_DATA is not set")
def test_every_jet_of_pfnano_gets_its_scores(tmp_path):
    path = Path(os.environ["HEPML_TEST_DATA"]) / "cms-pfnano" / "pfnano.root"
    columns = PRESETS["pfnano"]
    tagger = make_tagger(columns.without_labels(), class_names=["qcd", "top"])
    (written,) = predict(tagger, path, tmp_path / "out.root", step=3)
    jets = ak.num(uproot.open(path)["Events"][columns.collections[0].index.jets].array())
    branches = read_tree(written.path, "scores")
    assert branches["nscore"].to_list() == jets.to_list()
    assert (written.entries, written.sets) == (10, ak.sum(jets))
    assert ak.all(np.isfinite(branches["score_top"]))


@pytest.mark.parametrize("tree", ["", " ", "a/b", "x;1", "a:b", "about", "scores "])
def test_what_is_no_name_of_a_tree_is_refused(tmp_path, tagger, tree):
    path = write_jets(tmp_path / "jets.root", 5)
    with pytest.raises(InputError, match="tree: expected a name without"):
        predict(tagger, path, tmp_path / "out.root", tree=tree)
    assert not (tmp_path / "out.root").exists()


def test_a_tree_may_have_a_name_of_several_words(tmp_path, tagger):
    path = write_jets(tmp_path / "jets.root", 5)
    predict(tagger, path, tmp_path / "out.root", tree="my scores")
    assert len(read_tree(tmp_path / "out.root", "my scores")["score_top"]) == 5
