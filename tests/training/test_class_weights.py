"""How much each class counts in the loss."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from support.equal import assert_equal
from support.graph_jets import BUILT, write_graphs
from support.small_jets import TinyFlow, random_sets, write_jets
from torch.nn.functional import cross_entropy

from hepml.errors import DataError, InputError
from hepml.io import PRESETS, BatchStream, Collection, read
from hepml.training import TaggingTask, train
from hepml.training._class_weights import class_weight_words, class_weights_of
from hepml.training._objective import with_target
from hepml.training.engine._checkpoint import read_checkpoint

NAMES = ("qcd", "top")


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.array([0] * 7 + [1] * 2 + [2])
    totals = torch.from_numpy(np.bincount(labels)).double()
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    found = class_weights_of(["balanced"], ["a", "b", "c"], lambda: totals)
    torch.testing.assert_close(found, torch.from_numpy(expected).float())
    assert (found * totals).sum() == pytest.approx(totals.sum())


def test_given_numbers_keep_their_ratio_and_have_the_mean_1():
    totals = torch.tensor([30.0, 10.0])
    found = class_weights_of(class_weight_words({"top": 3}), NAMES, lambda: totals)
    assert found[1] / found[0] == pytest.approx(3)
    assert (found * totals).sum() == pytest.approx(40)


def test_the_loss_is_weighted_by_class():
    weights = torch.tensor([0.5, 2.0])
    batch = random_sets()
    model = TinyFlow(dropout=0).eval()
    task = TaggingTask(model, class_weights=weights)
    expected = cross_entropy(model(batch), batch.labels, weights[:2], reduction="sum")
    torch.testing.assert_close(task.loss(batch), expected / len(batch))
    assert "class_weights" not in task.state_dict()


def test_totals_of_classes(tmp_path):
    file = write_jets(tmp_path / "jets.root", 60, seed=1)
    weighted = PRESETS["hepml"].replace(weights="1 + label")
    stream = BatchStream(file, weighted, batch_size=8)
    labels = np.concatenate([batch.labels.numpy() for batch in stream])
    expected = np.bincount(labels, 1.0 + labels, minlength=2)
    np.testing.assert_allclose(stream.class_totals(), expected)

    columns = PRESETS["hepml"]
    (part,) = columns.collections
    part = Collection(**{**vars(part), "label": "part_px > 0", "classes": ("left", "right")})
    per_particle = columns.replace(label=None, classes=(), collections=(part,))
    stream = BatchStream(file, per_particle, batch_size=8)
    labels = np.concatenate([batch.particle_labels.numpy() for batch in stream])
    np.testing.assert_allclose(stream.class_totals(), np.bincount(labels, minlength=2))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["tops=2"], "classes: qcd, top, got tops"),
        (["top=-1"], "a positive number for classes.*'top=-1'"),
        (["top=0"], "a positive number for classes.*'top=0'"),
        (["top"], "a positive number for classes.*'top'"),
        (["top=nan"], "'top=nan'"),
        (["balanced"], "every class in the files to learn from, to be balanced, got none of top"),
    ],
)
def test_what_weighs_no_class_is_refused(wanted, message):
    with pytest.raises((InputError, DataError), match=message):
        class_weights_of(wanted, NAMES, lambda: torch.tensor([3.0, 0.0]))


def test_targets_have_no_class_weights(tmp_path):
    file = write_jets(tmp_path / "jets.root", 60, seed=1)
    with pytest.raises(InputError, match="what is learned has none"):
        train(
            "ParticleFlow",
            file,
            output=tmp_path / "run",
            target="pt=sum(part_px)",
            class_weights="balanced",
            progress=False,
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("target", "labels"), [("node_label", "node_labels"), ("edge_label", "edge_labels")]
)
def test_classes_of_nodes_and_edges_are_counted_with_the_weights_of_graphs(
    tmp_path, target, labels
):
    file = str(write_graphs(tmp_path / "graphs.root", 30))
    columns = with_target(BUILT, [target]).replace(weights="1 + label")
    graphs = read(file, columns)
    index = graphs.set_index if target == "node_label" else graphs.edge_index
    expected = np.bincount(getattr(graphs, labels), graphs.weights[index])
    stream = BatchStream(file, columns, batch_size=7)
    np.testing.assert_allclose(stream.class_totals(), expected)


def test_a_run_with_other_spectra_goes_on_bit_for_bit(tmp_path):
    pt = np.random.default_rng(0).normal(size=200).astype(np.float32)
    file = write_jets(tmp_path / "jets.root", 200, seed=1, jet_pt=pt)
    options = {"class_weights": {"top": 2.0}, "reweight": "jet_pt", "reweight_bins": [4]}
    options |= {"model": {"particle_widths": [8, 8], "set_widths": [8]}, "schedule": "constant"}
    options |= {"epochs": 2, "batch_size": 40, "progress": False}
    train("ParticleFlow", file, output=tmp_path / "whole", **options)
    train("ParticleFlow", file, output=tmp_path / "half", **(options | {"epochs": 1}))
    train("ParticleFlow", file, output=tmp_path / "half", resume=True, **options)
    here, there = (
        read_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt") for name in ("whole", "half")
    )
    for name in ("state_dict", "optimizer_states", "epoch"):
        assert_equal(here[name], there[name], name)
