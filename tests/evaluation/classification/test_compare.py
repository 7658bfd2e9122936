"""Taggers beside each other: figures from files against figures in memory."""

import json
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, roc_auc_score
from support.small_jets import TinyFlow, write_jets

from hepml.deploy import Tagger
from hepml.errors import ColumnError, FileError, InputError
from hepml.evaluation import Discriminant, compare, comparison_table, write_report
from hepml.io import PRESETS, read
from hepml.models import ParticleFlow
from hepml.training import save_checkpoint

COLUMNS = PRESETS["hepml"]
FEATURES = len(COLUMNS.feature_names)


def make_tagger(columns=COLUMNS, seed=0, **arguments):
    """A network without training: more particles still give other scores."""
    torch.manual_seed(seed)
    model = ParticleFlow(outputs=len(columns.class_names), features=len(columns.feature_names))
    return Tagger(model, columns, **arguments)


@pytest.fixture
def files(tmp_path):
    return [write_jets(tmp_path / f"jets_{seed}.root", 200, seed) for seed in range(2)]


def test_figures_are_those_of_all_jets_of_all_files(files):
    tagger = make_tagger()
    (result,) = compare([tagger], files)
    particles = read(files)
    probabilities = tagger(particles)
    np.testing.assert_allclose(result.probabilities, probabilities, rtol=1e-6)
    assert result.labels.tolist() == particles.labels.tolist()
    (found,) = result.evaluation.discriminations
    labels = particles.labels.numpy()
    assert found.auc.value == pytest.approx(roc_auc_score(labels, probabilities[:, 1]), abs=1e-12)
    accuracy = accuracy_score(labels, probabilities.argmax(1))
    assert result.evaluation.accuracy.value == pytest.approx(accuracy, abs=1e-12)
    assert result.parameters == sum(p.numel() for p in tagger.model.parameters())
    assert 0 < result.sets_per_second < math.inf


def test_cut_weights_and_number_of_jets_are_those_asked_for(tmp_path):
    jet_pt = np.linspace(1, 3, 200, dtype=np.float32)
    path = write_jets(tmp_path / "jets.root", 200, jet_pt=jet_pt)
    tagger = make_tagger(COLUMNS.replace(cut="jet_pt > 2", weights="jet_pt"))
    (result,) = compare([tagger], path, max_sets=70)
    kept = result.weights
    assert len(kept) == 70
    assert np.isin(kept, jet_pt[jet_pt > 2]).all()
    # They are drawn evenly: one of each 70th part of the 100 that pass.
    assert np.diff(np.searchsorted(jet_pt, kept)).max() <= 3
    assert result.evaluation.accuracy.value == pytest.approx(
        np.average(result.probabilities.argmax(1) == result.labels, weights=kept)
    )


def test_checkpoints_are_named_by_what_differs(tmp_path, files):
    for place in ("first.ckpt", "second/checkpoints/best.ckpt", "third/checkpoints/best.ckpt"):
        arguments = {"features": FEATURES}
        save_checkpoint(
            tmp_path / place, ParticleFlow(**arguments), arguments=arguments, columns=COLUMNS
        )
    torch.manual_seed(0)
    # A folder stands for the best checkpoint of the run.
    paths = [tmp_path / "first.ckpt", tmp_path / "second/checkpoints/best.ckpt", tmp_path / "third"]
    other = Tagger(TinyFlow(features=FEATURES), COLUMNS)
    results = compare([*paths, other], files, replicas=2)
    assert [result.name for result in results] == [
        "ParticleFlow (first)",
        "ParticleFlow (second)",
        "ParticleFlow (third)",
        "TinyFlow",
    ]
    (alone,) = compare(str(paths[2]), files, replicas=2)
    assert alone.name == "ParticleFlow"
    twins = compare([make_tagger(), make_tagger()], files, replicas=2)
    assert [result.name for result in twins] == ["ParticleFlow (1)", "ParticleFlow (2)"]


def test_the_table_has_a_line_for_each_tagger_and_states_what_it_shows(files):
    results = compare([make_tagger(name="one"), make_tagger(seed=1, name="two")], files)
    heading, rule, *lines, jets = comparison_table(results).splitlines()
    assert heading.split("  ")[0] == "model"
    for column in ("parameters", "accuracy", "AUC", "1/eB at eS=0.5", "1/eB at eS=0.3", "jets/s"):
        assert column in heading
    assert set(rule) == {"-"}
    assert jets == "400 jets, not weighted"
    assert [line.split()[0] for line in lines] == ["one", "two"]
    for line, result in zip(lines, results, strict=True):
        found = result.evaluation.discriminations[0]
        for estimate in (result.evaluation.accuracy, found.auc, *found.rejections.values()):
            assert str(estimate) in line


def three_classes():
    """Columns in which half of the jets of the second class are a third."""
    return COLUMNS.replace(label="label + (jet_pt > 1) * label", classes=("qcd", "w", "top"))


def test_more_classes_have_a_line_for_each_pair(tmp_path):
    jet_pt = np.tile(np.array([1, 2], np.float32), 100)
    path = write_jets(tmp_path / "jets.root", 200, jet_pt=jet_pt)
    results = compare([make_tagger(three_classes())], path)
    lines = comparison_table(results).splitlines()
    assert "classes" in lines[0]
    assert [line[: len("ParticleFlow")].strip() for line in lines[2:-1]] == ["ParticleFlow", "", ""]
    assert "top against qcd+w" in lines[4]
    (named,) = compare([make_tagger(three_classes())], path, pairs=[Discriminant.parse("top/w")])
    assert [str(d.pair) for d in named.evaluation.discriminations] == ["top/w"]


@pytest.mark.slow
def test_the_report_is_json_and_pictures(tmp_path, files):
    results = compare([make_tagger(name="one"), make_tagger(seed=1, name="two/2")], files)
    written = write_report(results, tmp_path / "report" / "new", files)
    assert [path.name for path in written] == [
        "metrics.json",
        *(
            f"{kind}.{ending}"
            for kind in ("roc", "kinematics", "mass", "calibration")
            for ending in ("png", "pdf")
        ),
        *(f"{kind}_one.{ending}" for kind in ("scores", "confusion") for ending in ("png", "pdf")),
        *(f"{kind}_two_2.{e}" for kind in ("scores", "confusion") for e in ("png", "pdf")),
    ]
    assert all(path.stat().st_size > 500 for path in written)
    content = json.loads(written[0].read_text())
    assert content["files"] == [str(path) for path in files]
    first = content["taggers"]["one"]
    assert first["pairs"]["top/qcd"]["rejection"]["0.3"]["uncertainty"] > 0
    assert first["accuracy"] == results[0].evaluation.accuracy.to_dict()
    assert np.sum(first["confusion"]) == 400


def test_several_pairs_of_several_taggers_get_a_roc_each(tmp_path, monkeypatch):
    jet_pt = np.tile(np.array([1, 2], np.float32), 100)
    path = write_jets(tmp_path / "jets.root", 200, jet_pt=jet_pt)
    monkeypatch.setattr(
        "hepml.evaluation.classification._report.save_figure", lambda _, stem: [stem]
    )
    taggers = [make_tagger(three_classes(), seed=i, name=f"n{i}") for i in range(2)]
    names = [p.name for p in write_report(compare(taggers, path, replicas=2), tmp_path)]
    assert [name for name in names if name.startswith("roc")] == [
        "roc_qcd_against_w+top",
        "roc_w_against_qcd+top",
        "roc_top_against_qcd+w",
    ]
    single = compare(taggers[:1], path, replicas=2)
    with pytest.raises(FileError, match=r"metrics\.json, which exists"):
        write_report(single, tmp_path)
    single = write_report(single, tmp_path, overwrite=True)
    assert [p.name for p in single] == [
        "metrics.json",
        *("roc", "kinematics", "mass", "calibration", "scores", "confusion"),
    ]


def test_a_report_that_cannot_be_written_is_one_clear_error(tmp_path, files):
    (tmp_path / "roc.png").mkdir()
    results = compare([make_tagger()], files, replicas=2)
    with pytest.raises(FileError, match=r"roc\.png: expected a new file, got a folder"):
        write_report(results, tmp_path)


def test_files_of_another_layout_need_other_columns(files):
    tagger = make_tagger(COLUMNS.with_features(["charge"]))
    other = COLUMNS.with_features(["charge"]).replace(cut="jet_pt > 0.5")
    assert compare([tagger], files, columns=other, replicas=2)[0].evaluation.rows == 400
    for result in compare([tagger, make_tagger()], files, columns=COLUMNS, replicas=2):
        assert result.evaluation.rows == 400
    with pytest.raises(InputError, match=r"expected features \(charge\) and classes \(qcd, top\)"):
        compare([tagger], files, columns=COLUMNS.with_features(["is_muon"]))
    with pytest.raises(InputError, match="got no columns"):
        compare([Tagger(ParticleFlow())], files)
    with pytest.raises(ColumnError, match="is_top"):
        compare([make_tagger(COLUMNS.replace(label="is_top"))], files)


def test_each_tagger_reads_the_context_that_it_learned_from(files):
    columns = COLUMNS.with_features([]).replace(context={"pt": "log(1 + jet_pt)", "one": "1"})
    with_pt = columns.with_context(["pt"])
    torch.manual_seed(0)
    tagger = Tagger(ParticleFlow(context=1), with_pt)
    (result,) = compare([tagger], files)
    np.testing.assert_allclose(result.probabilities, tagger(read(files, with_pt)), rtol=1e-6)
    (other,) = compare([tagger], files, columns=columns)
    np.testing.assert_array_equal(other.probabilities, result.probabilities)
    with pytest.raises(InputError, match=r"and context \(pt\), got .* classes \(qcd, top\)\. Fix"):
        compare([tagger], files, columns=columns.with_context([]))


def test_arguments_that_make_no_sense(files):
    with pytest.raises(InputError, match="taggers: expected one or more, got none"):
        compare([], files)
    with pytest.raises(InputError, match="max_sets: expected at least 1, got 0"):
        compare([make_tagger()], files, max_sets=0)


def test_of_many_pairs_the_table_shows_those_with_most_signal(tmp_path):
    """20 classes, of which number i has i jets."""
    label = np.repeat(np.arange(20), np.arange(20) + 1)
    names = [f"class_{i}" for i in range(20)]
    columns = COLUMNS.replace(classes=names)
    path = write_jets(tmp_path / "jets.root", len(label), label=label)
    results = compare([make_tagger(columns)], path, replicas=2)
    assert len(results[0].evaluation.discriminations) == 20
    lines = comparison_table(results).splitlines()
    assert [line.split(" against")[0].split()[-1] for line in lines[2:-2]] == names[8:]
    assert lines[-2] == "(8 further pairs are not shown)"


def test_cut_weights_and_numbers_of_jets_are_said(tmp_path):
    jet_pt = np.linspace(1, 3, 200, dtype=np.float32)
    path = write_jets(tmp_path / "jets.root", 200, jet_pt=jet_pt)
    tagger = make_tagger(COLUMNS.replace(cut="jet_pt > 2", weights="jet_pt"))
    (result,) = compare([tagger], path, replicas=2)
    said = comparison_table([result]).splitlines()[-1]
    assert said == "100 jets of 200 (cut: jet_pt > 2), weighted by jet_pt"
    plain = result.to_dict()
    assert (plain["cut"], plain["weights"], plain["sets"]) == ("jet_pt > 2", "jet_pt", 100)
    assert plain["sets_before_cut"] == 200
    (drawn,) = compare([tagger], path, max_sets=70, replicas=2)
    assert (
        comparison_table([drawn])
        .splitlines()[-1]
        .startswith("70 jets, drawn evenly from 100 (cut: jet_pt > 2), weighted")
    )
    assert drawn.to_dict()["drawn_from"] == 100
    (unweighted,) = compare([tagger], path, weights="none", replicas=2)
    assert unweighted.weights is None
    assert unweighted.to_dict()["weights"] is None
    (other,) = compare([tagger], path, weights="jet_pt ** 2", replicas=2)
    np.testing.assert_allclose(other.weights, jet_pt[jet_pt > 2] ** 2, rtol=1e-6)
    both = comparison_table(compare([tagger, make_tagger(name="all")], path, replicas=2))
    assert both.splitlines()[-2:] == [
        "ParticleFlow: 100 jets of 200 (cut: jet_pt > 2), weighted by jet_pt",
        "all: 200 jets, not weighted",
    ]


def test_scores_of_the_file_stand_beside_taggers(tmp_path):
    score = np.linspace(-3, 5, 200, dtype=np.float32)
    path = write_jets(tmp_path / "jets.root", 200, jet_pt=score)
    tagger, other = compare([make_tagger()], path, scores={"theirs": "-2 * jet_pt"}, replicas=5)
    labels = read(path).labels.numpy()
    assert tagger.name == "ParticleFlow"
    assert (other.name, other.model, other.parameters) == ("theirs", "-2 * jet_pt", None)
    found = other.evaluation.discriminations[0].auc.value
    assert found == pytest.approx(roc_auc_score(labels, -2 * score), abs=1e-12)
    row = comparison_table([tagger, other]).splitlines()[3].split()
    assert row[:3] == ["theirs", "-", "-"]
    # In all digits of the file, of which float32 holds none here.
    fine = np.where(labels, 2.0, 1.0) * 1e-9
    path = write_jets(tmp_path / "fine.root", 200, jet_pt=fine)
    (sure,) = compare([], path, columns=COLUMNS, scores={"s": "1 + jet_pt"}, replicas=2)
    assert sure.evaluation.discriminations[0].auc.value == 1.0
    alone = compare([], path, columns=COLUMNS, scores={"theirs": "jet_pt"}, replicas=2)
    assert len(alone) == 1
    with pytest.raises(InputError, match="expected columns with the classes of the jets"):
        compare([], path, scores={"theirs": "jet_pt"})
    with pytest.raises(InputError, match="names: expected different names, got 'ParticleFlow'"):
        compare([make_tagger()], path, scores={"ParticleFlow": "jet_pt"})


def test_names_are_given_to_taggers_in_their_order(files):
    taggers = [make_tagger(), make_tagger(seed=1)]
    assert [r.name for r in compare(taggers, files, names=["a", "b"], replicas=2)] == ["a", "b"]
    with pytest.raises(InputError, match="names: expected 2, one for each tagger, got 1: a"):
        compare(taggers, files, names=["a"])
    with pytest.raises(InputError, match="names: expected different names, got 'a' for several"):
        compare(taggers, files, names=["a", "a"])


def test_a_result_knows_its_checkpoint_and_the_run_it_is_from(tmp_path, files):
    path = tmp_path / "run" / "checkpoints" / "best.ckpt"
    arguments = {"features": FEATURES}
    save_checkpoint(path, ParticleFlow(**arguments), arguments=arguments, columns=COLUMNS)
    table = tmp_path / "run" / "metrics.csv"
    table.write_text("epoch,train_loss\n1,0.5\n2,0.25\n")
    # Loaded beforehand, as the command line does.
    (result,) = compare([Tagger.load(tmp_path / "run")], files, replicas=2)
    assert result.to_dict()["checkpoint"] == str(path)
    assert result.epochs == {"epoch": [1.0, 2.0], "train_loss": [0.5, 0.25]}
    table.write_text("epoch,train_loss\n1,0.5\n2,")
    assert compare([tmp_path / "run"], files, replicas=2)[0].epochs == {}


def test_files_of_taggers_with_like_names_do_not_meet(tmp_path, files, monkeypatch):
    monkeypatch.setattr(
        "hepml.evaluation.classification._report.save_figure", lambda _, stem: [stem]
    )
    names = ["flow (a)", "flow [a]", "Flow__a_2", "b"]
    taggers = [make_tagger() for _ in names]
    written = write_report(compare(taggers, files, names=names, replicas=2), tmp_path)
    assert len(set(written)) == len(written)
    assert [p.name for p in written if p.name.startswith("scores")] == [
        "scores_flow__a",
        "scores_flow__a_2",
        "scores_Flow__a_2_2",
        "scores_b",
    ]
