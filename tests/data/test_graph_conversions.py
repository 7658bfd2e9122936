"""Graphs of torch_geometric and networkx: there and back, and what is refused."""

import pytest
import torch
from support.graph_batches import graphs
from support.particle_batches import assert_same

from hepml.data import Graph
from hepml.errors import InputError


class TestTorchGeometric:
    @pytest.fixture(autouse=True)
    def _module(self):
        self.data = pytest.importorskip("torch_geometric.data", reason="needs torch-geometric")

    def test_there_and_back(self):
        graph = graphs()
        assert_same(Graph.from_torch_geometric(graph.to_torch_geometric()), graph)

    def test_it_is_theirs(self):
        graph = graphs()
        theirs = graph.to_torch_geometric()
        assert theirs.num_graphs == 4
        assert torch.equal(theirs.batch, graph.set_index)
        for one, other in zip(graph, theirs.to_data_list(), strict=True):
            assert torch.equal(torch.stack([one.senders, one.receivers]), other.edge_index)
            assert torch.equal(one.edges, other.edge_attr)

    def test_one_graph_of_theirs(self):
        edge_index = torch.tensor([[0, 1, 2], [2, 0, 1]])
        data = self.data.Data(x=torch.ones(3, 2), edge_index=edge_index, y=torch.tensor([0.5]))
        graph = Graph.from_torch_geometric([data, data])
        assert graph.receivers.tolist() == [0, 1, 2, 3, 4, 5]
        assert graph.targets.tolist() == [[0.5], [0.5]]
        assert len(Graph.from_torch_geometric(data)) == 1

    @pytest.mark.usefixtures("unchecked_types")
    @pytest.mark.parametrize("what", [None, 3])
    def test_what_is_none_of_theirs(self, what):
        with pytest.raises(InputError, match="data: expected torch_geometric's Data"):
            Graph.from_torch_geometric(what)
        with pytest.raises(InputError, match="with edge_index"):
            Graph.from_torch_geometric(self.data.Data(x=torch.ones(3, 2)))


class TestNetworkx:
    @pytest.fixture(autouse=True)
    def _module(self):
        self.networkx = pytest.importorskip("networkx")

    def test_there_and_back(self):
        graph = graphs(dtype=torch.float64)
        back = Graph.from_networkx(graph.to_networkx(), dtype=torch.float64)
        # Parallel edges come back one after another, where they may not have been.
        assert torch.equal(back.receivers, graph.receivers)
        for name in ("nodes", "positions", "p4", "context", "labels", "targets", "weights"):
            assert torch.equal(getattr(back, name), getattr(graph, name)), name

        def edges(g):
            rows = torch.cat([g.senders[:, None], g.receivers[:, None], g.edges, g.edge_targets], 1)
            return sorted(rows.tolist())

        assert edges(back) == edges(graph)

    def test_attributes_by_name(self):
        graph = self.networkx.path_graph(3)
        for node in graph:
            graph.nodes[node].update(charge=node, spin=[0.5, -0.5])
        graph.edges[0, 1]["weight"] = graph.edges[1, 2]["weight"] = 2.5
        read = Graph.from_networkx(graph, nodes=["spin", "charge"], edges="weight")
        assert read.nodes.tolist() == [[0.5, -0.5, 0], [0.5, -0.5, 1], [0.5, -0.5, 2]]
        # No direction: both.
        assert sorted(zip(read.senders.tolist(), read.receivers.tolist(), strict=True)) == [
            (0, 1),
            (1, 0),
            (1, 2),
            (2, 1),
        ]
        assert read.edges.flatten().tolist() == [2.5] * 4

    def test_attributes_that_are_not_everywhere(self):
        graph = self.networkx.path_graph(3)
        graph.nodes[0]["charge"] = 1
        with pytest.raises(InputError, match=r"attribute 'charge': .* none of node 1"):
            Graph.from_networkx(graph, nodes="charge")
        for node in graph:
            graph.nodes[node]["charge"] = "one"
        with pytest.raises(InputError, match=r"attribute 'charge': .* 'one'"):
            Graph.from_networkx(graph, nodes="charge")

    @pytest.mark.usefixtures("unchecked_types")
    def test_what_is_no_graph(self):
        with pytest.raises(InputError, match="graphs: expected a networkx graph or a list"):
            Graph.from_networkx([3])
