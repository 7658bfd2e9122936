"""Answers for nodes and edges lie beside those of the file, entry by entry."""

import awkward as ak
import numpy as np
import pytest
import torch
import uproot
from support.graph_jets import BUILT, STORED, TREE, write_graphs
from torch import Tensor, nn

from hepml.data import Graph
from hepml.deploy import Tagger, predict
from hepml.deploy._answers import Numbers, Probabilities
from hepml.errors import InputError
from hepml.evaluation import compare, evaluate_regression
from hepml.io import AllPairs, Collection, JetIndex, read
from hepml.models import InteractionNetwork


class Ends(nn.Module):
    """What the nodes at the ends of an edge read, or what a node does: known without learning."""

    def __init__(self, per: str) -> None:
        super().__init__()
        self.per = per

    def forward(self, graph: Graph) -> Tensor:
        if self.per == "node":
            return graph.nodes[:, :1]
        return torch.stack([graph.nodes[graph.senders, 0], graph.nodes[graph.receivers, 0]], 1)


def tagger(columns, per):
    names = {"edge": ("a", "b"), "node": ("again",)}[per]
    ones = (1.0,) * len(names)
    answers = Numbers(names, tuple(0.0 * one for one in ones), ones, False, per)
    return Tagger(Ends(per), columns, answers=answers)


def classifier(columns, per):
    torch.manual_seed(0)
    model = InteractionNetwork(features=2, edge_features=1, width=8, per=per)
    return Tagger(model, columns, answers=Probabilities(columns.class_names_of(per), per))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return str(write_graphs(tmp_path_factory.mktemp("graphs") / "graphs.root", 40))


def written(path):
    with uproot.open(path) as file:
        return file["scores"].arrays()


@pytest.mark.parametrize("step", [7, 1000])
@pytest.mark.parametrize("columns", [STORED, BUILT], ids=["stored", "built"])
def test_each_edge_has_its_answer_in_the_order_of_the_file(file, tmp_path, columns, step):
    predict(tagger(columns, "edge"), file, tmp_path / "out.root", step=step)
    found = written(tmp_path / "out.root")
    with uproot.open(file) as source:
        events = source[TREE].arrays()
    assert len(found) == len(events)
    assert ak.all(events.node_z[found.edge_sender] == found.a)
    assert ak.all(events.node_z[found.edge_receiver] == found.b)
    if columns is STORED:
        assert ak.all(found.edge_sender == events.edge_from)
        assert ak.all(found.edge_receiver == events.edge_to)
        # By receiver, as a batch has them, they would come in another order.
        assert ak.any(found.edge_receiver != ak.sort(found.edge_receiver))
    else:
        number = ak.num(events.node_z)
        assert ak.all(ak.num(found.a) == number * (number - 1))


def test_of_a_graph_that_cannot_be_used_the_lists_are_empty(file, tmp_path):
    bad = STORED.replace(context={"c": "where(label == 1, 1 / (label - label), 0)"})
    (report,) = predict(tagger(bad, "edge"), file, tmp_path / "out.root", step=9)
    found = written(tmp_path / "out.root")
    with uproot.open(file) as source:
        events = source[TREE].arrays()
    assert sum(report.bad.values()) == ak.sum(events.label == 1) > 0
    usable = events.label == 0
    assert not ak.any(ak.num(found.a[~usable]))
    assert ak.all(found.edge_sender[usable] == events.edge_from[usable])
    assert ak.all(found.a[usable] == events.node_z[events.edge_from][usable])


def test_each_node_has_its_answer(file, tmp_path):
    predict(tagger(BUILT, "node"), file, tmp_path / "out.root", observers=["height"])
    found = written(tmp_path / "out.root")
    with uproot.open(file) as source:
        events = source[TREE].arrays()
    assert ak.all(found.again == events.node_z)
    assert ak.all(found.height == events.height)
    assert found.fields == ["nagain", "again", "height"]


def test_classes_of_edges_and_their_figures(file, tmp_path):
    network = classifier(STORED, "edge")
    predict(network, file, tmp_path / "out.root")
    found = written(tmp_path / "out.root")
    branches = {"nscore", "score_different", "score_same", "nedge", "edge_sender", "edge_receiver"}
    assert {*found.fields} == branches
    with uproot.open(file) as source:
        events = source[TREE].arrays()
    same = events.node_vertex[events.edge_from] == events.node_vertex[events.edge_to]
    right = ak.to_numpy(ak.flatten((found.score_same > 0.5) == same))
    (result,) = compare([network], file, replicas=2)
    assert result.evaluation.accuracy.value == pytest.approx(np.mean(right), abs=1e-6)
    # Probabilities that are written are those of the batch, in another order.
    graphs = read(file, STORED)
    np.testing.assert_allclose(
        np.sort(network(graphs)[:, 1]), np.sort(ak.flatten(found.score_same)), rtol=1e-5
    )


@pytest.mark.parametrize(("per", "target"), [("node", "twice"), ("edge", "step")])
def test_numbers_of_nodes_and_edges_are_compared_with_the_truth(file, per, target):
    model = InteractionNetwork(outputs=1, features=2, edge_features=1, width=8, per=per)
    answers = Numbers((target,), (0.0,), (1.0,), False, per)
    (result,) = evaluate_regression(Tagger(model, BUILT, answers=answers), file, replicas=2)
    graphs = read(file, BUILT)
    truth = graphs.node_targets if per == "node" else graphs.edge_targets
    np.testing.assert_array_equal(result.truth, truth[:, 0].double())


def test_a_network_of_graphs_takes_arrays_with_the_columns_of_its_own(file):
    network = classifier(BUILT, "set")
    with uproot.open(file) as source:
        events = source[TREE].arrays()
    found = network(events)
    np.testing.assert_allclose(found.many, network(read(file, BUILT))[:, 1], rtol=1e-5)
    momenta = ak.zip(dict.fromkeys(("pt", "eta", "phi", "mass"), events.node_z))
    with pytest.raises(InputError, match=r"expected a Graph.*got momenta, which have no edges"):
        network(momenta)
    with pytest.raises(InputError, match=r"expected a Graph, .* each edge.*predict for files"):
        classifier(BUILT, "edge")(events)
    with pytest.raises(InputError, match="none of them beside a Graph"):
        network(read(file, BUILT), bad="nan")


def test_what_cannot_be_written_is_refused(file, tmp_path):
    answers = Numbers(("edge_sender", "b"), (0.0, 0.0), (1.0, 1.0), False, "edge")
    with pytest.raises(InputError, match=r"targets: expected other names .* got edge_sender"):
        predict(Tagger(Ends("edge"), BUILT, answers=answers), file, tmp_path / "out.root")
    with pytest.raises(InputError, match=r"observer 'edge'"):
        predict(tagger(BUILT, "edge"), file, tmp_path / "out.root", observers={"edge": "height"})
    index = JetIndex("jet_pt", "part_jet")
    several = BUILT.replace(
        collections=Collection(features={"z": "z", "x": "x"}, index=index), edges=AllPairs()
    )
    with pytest.raises(InputError, match="each edge, got several jets in an entry"):
        predict(tagger(several, "edge"), file, tmp_path / "out.root")
