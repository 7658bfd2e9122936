"""Runs on graphs: of their classes and numbers, those of their nodes and of their edges."""

import numpy as np
import pytest
from support.graph_jets import BUILT, write_graphs
from support.small_jets import write_jets

from hepml.data import rows_of
from hepml.errors import ColumnError, InputError
from hepml.io import PRESETS, AllPairs, read
from hepml.models import InteractionNetwork
from hepml.training import TaggingTask, load_checkpoint, train
from hepml.training._inputs import complete_arguments, example_batch, try_model
from hepml.training._objective import Objective, objective_of, with_target
from hepml.training._standardising import standardise_inputs


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    return [str(write_graphs(folder / f"{i}.root", seed=i)) for i in range(2)]


def learned(files, folder, target, **options):
    options = {"epochs": 5, "batch_size": 16, "learning_rate": 1e-2, "progress": False} | options
    return train(
        "InteractionNetwork",
        files[0],
        validation=files[1],
        output=folder,
        columns=BUILT,
        target=target,
        model={"width": 16},
        **options,
    )


@pytest.mark.parametrize(
    ("targets", "loss", "expected"),
    [
        ([], None, Objective("set", ("few", "many"), "cross-entropy")),
        (["height"], "gaussian", Objective("set", ("height",), "gaussian")),
        (["node_label"], None, Objective("node", ("near", "far"), "cross-entropy")),
        (["twice"], None, Objective("node", ("twice",), "mse")),
        (["edge_label"], None, Objective("edge", ("different", "same"), "cross-entropy")),
        (["step"], "huber", Objective("edge", ("step",), "huber")),
        (["x=2 * height"], None, Objective("set", ("x",), "mse")),
    ],
)
def test_the_target_decides(targets, loss, expected):
    columns = with_target(BUILT, targets)
    assert objective_of(columns, loss) == expected
    assert with_target(columns, targets) == columns
    named = [
        (per, names)
        for per in columns.levels
        for names in (columns.class_names_of(per), columns.target_names_of(per))
        if names
    ]
    assert named == [(expected.per, expected.names)]


def test_what_is_named_first_is_learned_where_nobody_says_what():
    columns = BUILT.replace(label=None, classes=(), targets={})
    assert objective_of(with_target(columns, [])).per == "node"
    bare = with_target(columns, ["edge_label"])
    assert objective_of(with_target(bare, [])).per == "edge"


@pytest.mark.parametrize(
    ("columns", "target", "message"),
    [
        (PRESETS["hepml"], "edge_label", "label or particle_label, as the columns have no edges"),
        (BUILT, "particle_label", "label or node_label or edge_label, as the columns have edges"),
        (BUILT.without_labels(), "edge_label", "no classes of edges.*to the edges"),
        (BUILT.without_labels(), "node_label", "no classes of nodes.*to the collections"),
    ],
)
def test_classes_of_what_there_is_not_are_refused(columns, target, message):
    with pytest.raises(InputError, match=message):
        with_target(columns, [target])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "figure", "least"),
    [("edge_label", "val_auc", 0.98), ("label", "val_auc", 0.95)],
)
def test_classes_are_learned(files, tmp_path, target, figure, least):
    run = learned(files, tmp_path / "run", target, epochs=5)
    assert run.figures[figure] > least
    model, columns, info = load_checkpoint(run.folder.best)
    per = objective_of(run.columns).per
    assert info.task["per"] == model.per == per
    graphs = read(files[1], columns)
    rows = rows_of(graphs, per)
    right = model(graphs).argmax(1) == rows.labels
    assert right.float().mean().item() == pytest.approx(run.figures["val_accuracy"], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["step", "twice"])
def test_numbers_are_learned(files, tmp_path, target):
    run = learned(files, tmp_path / "run", target, loss="gaussian", epochs=8)
    graphs = read(files[1], run.columns)
    truth = rows_of(graphs, objective_of(run.columns).per).targets.numpy()
    assert run.figures["val_rmse"] < 0.4 * np.std(truth)


def test_a_network_takes_what_the_columns_read(files, tmp_path):
    with pytest.raises(
        InputError, match=r"ParticleFlow: expected one that takes graphs.*InteractionNetwork"
    ):
        train("ParticleFlow", files, columns=BUILT, output=tmp_path / "run", progress=False)
    jets = str(write_jets(tmp_path / "jets.root", 20))
    with pytest.raises(
        InputError, match=r"InteractionNetwork: expected one that takes sets.*add edges"
    ):
        train("InteractionNetwork", jets, output=tmp_path / "run", progress=False)
    missing = BUILT.replace(edges=AllPairs(label="sender.origin == 1", classes=("a", "b")))
    with pytest.raises(ColumnError, match="origin"):
        train(
            "InteractionNetwork",
            files,
            columns=missing,
            target="edge_label",
            output=tmp_path / "run",
            progress=False,
        )
    assert not (tmp_path / "run").exists()


def test_columns_decide_channels_of_nodes_and_edges(files):
    columns = with_target(BUILT, ["edge_label"])
    arguments = complete_arguments(InteractionNetwork, {"width": 8}, columns)
    sizes = {"outputs": 2, "features": 2, "context": 0, "edge_features": 1}
    assert arguments == {"width": 8, **sizes, "per": "edge"}
    try_model(InteractionNetwork(**arguments), files[0], columns, "error")
    with pytest.raises(InputError, match=r"edge_features of InteractionNetwork: expected 1.*dz"):
        complete_arguments(InteractionNetwork, {"edge_features": 2}, columns)
    # A network of somebody else's that forgets the edges without features is told so.
    with pytest.raises(InputError, match=r"logits of shape \(edges, outputs\)"):
        try_model(
            InteractionNetwork(features=2, edge_features=1, per="node"),
            *(files[0], columns, "error"),
        )


def test_an_example_has_all_that_columns_read():
    graph = example_batch(BUILT)
    assert graph.nodes.shape[1] == 2
    assert graph.edges.shape[1] == 1
    assert graph.p4 is graph.positions is graph.context is None
    part = BUILT.collections[0]
    momenta = dict.fromkeys(("pt", "eta", "phi", "mass"), "node_z")
    moving = BUILT.replace(
        collections=type(part)(momenta, positions={"x": "node_x", "z": "node_z"}),
        context={"height": "height"},
        edges=AllPairs(),
    )
    graph = example_batch(moving)
    assert graph.edges is None
    assert graph.p4.shape[1] == 4
    assert graph.positions.shape[1] == 2
    assert graph.context.shape[1] == 1


def test_nodes_and_edges_are_standardised_by_their_own(files):
    model, sample = InteractionNetwork(features=2, edge_features=1), read(files[0], BUILT)
    assert standardise_inputs(model, sample) == len(sample.nodes)
    for layer, values in (
        (model.standardise, sample.nodes),
        (model.standardise_edges, sample.edges),
    ):
        np.testing.assert_allclose(layer.centre, np.median(values, axis=0), rtol=1e-5, atol=1e-6)


def test_a_batch_without_edges_to_learn_has_no_loss_to_speak_of(files):
    graphs = read(files[0], with_target(BUILT, ["edge_label"]))
    task = TaggingTask(InteractionNetwork(features=2, edge_features=1, per="edge"), per="edge")
    lonely = graphs[graphs.edge_counts == 0]
    assert task.loss(lonely).item() == 0
    with pytest.raises(InputError, match=r"edge_labels: expected the class of each edge"):
        task.loss(read(files[0], BUILT.without_labels()))


def test_a_run_begins_with_the_weights_of_another_on_the_same_edges(files, tmp_path):
    options = {"epochs": 1, "batch_size": 100}
    first = learned(files, tmp_path / "first", "edge_label", **options)
    more = AllPairs(features={"dx": "sender.node_x - receiver.node_x"})
    with pytest.raises(InputError, match=r"edges: expected dz, as .* has learned with, got dx"):
        train(
            None,
            files[0],
            columns=BUILT.replace(edges=more),
            target="label",
            pretrained=first.folder.path,
            output=tmp_path / "other",
            progress=False,
        )
    again = train(
        None,
        files[0],
        columns=BUILT,
        target="step",
        pretrained=first.folder.path,
        output=tmp_path / "run",
        progress=False,
        learning_rate=1e-30,
        weight_decay=0.0,
        **options,
    )
    before, after = first.model.state_dict(), again.model.state_dict()
    new = {name for name in after if not np.array_equal(before[name], after[name])}
    assert new == {"readout.2.weight", "readout.2.bias"}
