"""The interaction network agrees with its equations, edge by edge and node by node."""

import pytest
import torch
from support.graph_batches import graphs
from support.symmetries import randomise
from torch import Tensor

from hepml.data import Graph, ParticleSet
from hepml.errors import InputError
from hepml.models import InteractionNetwork

PER = ["set", "node", "edge"]


def _network(per: str, *, context: int = 0, steps: int = 2) -> InteractionNetwork:
    model = InteractionNetwork(
        outputs=3, features=2, context=context, edge_features=3, width=6, steps=steps, per=per
    )
    model.standardise.fill(torch.linspace(-3, 5, 20 + 10 * context).reshape(10, -1).exp())
    model.standardise_edges.fill(torch.linspace(1, 2, 30).reshape(10, 3).exp())
    return randomise(model.double(), torch.Generator().manual_seed(1))


def _expected(model: InteractionNetwork, graph: Graph, per: str) -> Tensor:
    """The outputs of one graph by the equations."""
    ends = list(zip(graph.senders.tolist(), graph.receivers.tolist(), strict=True))
    known = graph.nodes
    if model.context:
        known = torch.cat([known, graph.context.expand(len(known), -1)], 1)
    known = (known - model.standardise.centre) / model.standardise.scale
    e = list((graph.edges - model.standardise_edges.centre) / model.standardise_edges.scale)
    degree = torch.tensor([1.0 + sum(r == i for _, r in ends) for i in range(len(known))])[:, None]
    h = list(model.embedding(torch.cat([known, degree.double().log()], 1)).tanh())
    for step in model.steps:
        e = [
            step.f(torch.cat([h[s], h[r], old])).relu() for (s, r), old in zip(ends, e, strict=True)
        ]
        for i, old in enumerate(list(h)):
            received = [new for (_, r), new in zip(ends, e, strict=True) if r == i]
            mean = torch.stack(received).mean(0) if received else torch.zeros_like(old)
            h[i] = old + step.g(torch.cat([old, mean]))
    if per == "edge":
        rows = [torch.cat([h[s], h[r], each]) for (s, r), each in zip(ends, e, strict=True)]
        return model.readout(torch.stack(rows)) if rows else torch.zeros(0, 3, dtype=torch.float64)
    latent = [model.readout.phi(each) for each in h]
    total = sum(latent, torch.zeros(6, dtype=torch.float64))
    if per == "set":
        return model.readout.f(total)[None]
    rows = [model.readout.f(torch.cat([each, total])) for each in latent]
    return torch.stack(rows) if rows else torch.zeros(0, 3, dtype=torch.float64)


@pytest.mark.parametrize("per", PER)
@pytest.mark.parametrize("context", [0, 2])
def test_the_network_agrees_with_its_equations(per: str, context: int) -> None:
    model, batch = _network(per, context=context), graphs(dtype=torch.float64)
    with torch.no_grad():
        expected = torch.cat([_expected(model, graph, per) for graph in batch])
        torch.testing.assert_close(model(batch), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("per", PER)
def test_the_order_of_nodes_does_not_matter(per: str) -> None:
    model, batch = _network(per), graphs((5,), 12, dtype=torch.float64)[0]
    order = torch.tensor([3, 0, 4, 1, 2])
    place = order.argsort()
    senders, receivers = place[batch.senders], place[batch.receivers]
    rows = receivers.argsort(stable=True)
    other = Graph.from_edges(
        batch.nodes[order], senders, receivers, batch.node_offsets, edges=batch.edges
    )
    with torch.no_grad():
        expected = model(batch)
        if per != "set":
            expected = expected[order if per == "node" else rows]
        assert float(expected.std(0).min() if per != "set" else expected.std()) > 1e-3
        torch.testing.assert_close(model(other), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("per", PER)
def test_messages_have_a_direction(per: str) -> None:
    """A network that took senders for receivers would not notice."""
    model, batch = _network(per), graphs((5,), 12, dtype=torch.float64)[0]
    turned = Graph.from_edges(
        batch.nodes, batch.receivers, batch.senders, batch.node_offsets, edges=batch.edges
    )
    rows = batch.senders.argsort(stable=True) if per == "edge" else slice(None)
    with torch.no_grad():
        assert float((model(turned) - model(batch)[rows]).abs().max()) > 1e-3


@pytest.mark.parametrize("per", PER)
def test_graphs_without_channels_have_outputs(per: str) -> None:
    empty = torch.zeros(3, 0), torch.tensor([1]), torch.tensor([0]), torch.tensor([0, 2, 3, 3])
    rows = {"set": 3, "node": 3, "edge": 1}[per]
    outputs = InteractionNetwork(per=per)(Graph(*empty))
    assert outputs.shape == (rows, 2)
    assert outputs.isfinite().all()


@pytest.mark.usefixtures("unchecked_types")
def test_what_it_cannot_take_is_one_clear_error() -> None:
    model = InteractionNetwork(features=2, context=2, edge_features=3)
    batch = graphs()
    assert model(batch).shape == (4, 2)
    sets = ParticleSet(torch.ones(3, 4), torch.tensor([0, 3]))
    with pytest.raises(InputError, match=r"graph: expected a Graph, got ParticleSet"):
        model(sets)
    for other, message in (
        (InteractionNetwork(features=3), "features of the nodes: expected 3.*features=2"),
        (InteractionNetwork(features=2), "features of the edges: expected 0.*edge_features=3"),
        (InteractionNetwork(features=2, context=1), "context of the graphs: expected 1"),
    ):
        with pytest.raises(InputError, match=message):
            other(batch)
    with pytest.raises(InputError, match="per: expected 'set' or 'node' or 'edge', got 'particle'"):
        InteractionNetwork(per="particle")
    with pytest.raises(InputError, match="steps: expected one or more"):
        InteractionNetwork(steps=0)
