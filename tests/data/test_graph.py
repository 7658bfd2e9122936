"""The ragged batch of graphs: how it is made, cut, joined, converted, and what it refuses."""

import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.graph_batches import graphs
from support.particle_batches import assert_same, batch
from torch.utils.data import DataLoader

from hepml.data import Graph, concatenate
from hepml.errors import InputError
from hepml.ops import segment_sum
from hepml.symmetry import BatchComposition, Permutation, check

OFFSETS = torch.tensor([0, 2, 2, 5, 5])


def small(senders=(1, 0, 3, 2), receivers=(0, 1, 2, 4), offsets=OFFSETS, **more) -> Graph:
    return Graph(torch.zeros(5, 1), torch.tensor(senders), torch.tensor(receivers), offsets, **more)


counts = st.lists(st.integers(0, 4), min_size=1, max_size=5)


class TestParts:
    def test_empty_graphs_keep_their_places(self):
        graph = small()
        assert len(graph) == 4
        assert graph.edge_offsets.tolist() == [0, 2, 2, 4, 4]
        assert graph.counts.tolist() == [2, 0, 3, 0]
        assert graph.edge_counts.tolist() == [2, 0, 2, 0]
        assert graph.set_index.tolist() == [0, 0, 2, 2, 2]
        assert graph.edge_index.tolist() == [0, 0, 2, 2]
        assert graph.receiver_offsets.tolist() == [0, 1, 2, 3, 3, 4]

    def test_no_graph_at_all(self):
        nothing = torch.zeros(0, dtype=torch.int64)
        graph = Graph(torch.zeros(0, 3), nothing, nothing, torch.zeros(1, dtype=torch.int64))
        assert len(graph) == 0
        assert graph.edge_offsets.tolist() == [0]

    @given(counts=counts, seed=st.integers(0, 99))
    def test_every_graph_is_what_it_is_alone(self, counts, seed):
        whole = graphs(counts, 7, seed=seed)
        for i, one in enumerate(whole):
            node, edge = (whole.node_offsets[i], whole.edge_offsets[i])
            assert torch.equal(one.senders + node, whole.senders[edge : edge + len(one.senders)])
            assert torch.equal(one.nodes, whole.nodes[node : node + len(one.nodes)])
            assert torch.equal(one.labels, whole.labels[i : i + 1])
            # That it is a graph that the constructor takes.
            assert_same(one, Graph(**one.tensors()))

    @given(counts=counts, seed=st.integers(0, 99), data=st.data())
    def test_chosen_graphs_are_those_joined_one_by_one(self, counts, seed, data):
        whole = graphs(counts, 7, seed=seed)
        some = st.lists(st.integers(0, len(counts) - 1), min_size=1, max_size=5)
        chosen = data.draw(some)
        assert_same(whole[chosen], concatenate([whole[i] for i in chosen]))

    def test_rebuilt(self):
        graph = graphs()
        assert_same(concatenate([graph[:1], graph[1:3], graph[3]]), graph)
        assert_same(pickle.loads(pickle.dumps(graph)), graph)
        assert_same(concatenate(list(DataLoader(graph, batch_size=2))), graph)
        assert graph.to(torch.float64).edges.dtype == torch.float64
        assert graph.to(torch.float64).senders.dtype == torch.int64

    def test_printed(self):
        assert repr(small(edges=torch.zeros(4, 2), labels=torch.zeros(4).long())) == (
            "Graph(4 graphs, 5 nodes, 4 edges, 1 node channels, 2 edge channels, with labels, "
            "float32, cpu)"
        )

    def test_edges_of_any_order_are_sorted_with_what_belongs_to_them(self):
        given = torch.tensor([4, 0, 1, 2, 0])
        graph = Graph.from_edges(
            torch.zeros(5, 1),
            torch.tensor([2, 0, 0, 3, 1]),
            given,
            OFFSETS,
            edges=torch.arange(5.0)[:, None],
            edge_labels=torch.arange(5),
            context=torch.arange(4.0)[:, None],
        )
        assert graph.edge_labels.tolist() == [1, 4, 2, 3, 0]
        assert torch.equal(graph.receivers, given[graph.edge_labels])
        assert graph.edges.flatten().tolist() == [1, 4, 2, 3, 0]


class TestRefused:
    @pytest.mark.parametrize(
        ("senders", "receivers", "message"),
        [
            ((1, 0, 1, 2), (0, 1, 2, 4), "edge 2 from node 1 of graph 0 to node 2 of graph 2"),
            ((1, 5, 3, 2), (0, 1, 2, 4), r"senders: .* from 0 to 4, got 5 in edge 1 of graph 0"),
            ((1, 0, 3, -1), (0, 1, 2, 4), r"senders: .*, got -1 in edge 3 of graph 2 .*\(-1\)"),
            ((1, 0, 3, 2), (0, 1, 2, 9), "receivers: .*, got 9 in edge 3 of graph 2"),
            ((0, 1, 3, 2), (1, 0, 2, 4), "edge 1 of graph 0 to node 0 after one to node 1.*from_e"),
            ((1, 0, 3), (0, 1, 2, 4), "one of both for each edge, got 3 and 4"),
        ],
    )
    def test_edges(self, senders, receivers, message):
        with pytest.raises(InputError, match=message):
            small(senders, receivers)

    @pytest.mark.parametrize(
        ("offsets", "message"),
        [
            ([0, 3, 2, 5], r"node_offsets: .* the number of nodes, got .* falling after set 1"),
            ([0, 2, 4], "node_offsets: expected bounds that start at 0, never fall and end at 5"),
            ([1, 2, 5], "node_offsets: expected bounds"),
        ],
    )
    def test_bounds(self, offsets, message):
        with pytest.raises(InputError, match=message):
            small(offsets=torch.tensor(offsets))

    def test_bounds_of_edges_that_are_not_those_of_the_receivers(self):
        assert_same(small(edge_offsets=torch.tensor([0, 2, 2, 4, 4])), small())
        message = r"edge_offsets: expected .*, 2 at place 1, got 1, so that edges of graph 0 are"
        with pytest.raises(InputError, match=message):
            small(edge_offsets=torch.tensor([0, 1, 2, 4, 4]))
        with pytest.raises(InputError, match=r"edge_offsets: expected int64 of shape \(5,\)"):
            small(edge_offsets=torch.tensor([0, 2, 4]))

    @pytest.mark.parametrize(
        ("field", "values", "message"),
        [
            ("edges", torch.zeros(3, 1), r"edges: .*shape \(4, channels\).* row for each edge"),
            ("edges", torch.zeros(4, 1).double(), "edges: expected torch.float32"),
            ("positions", torch.zeros(5, 4), "positions: .* two or three coordinates"),
            ("p4", torch.zeros(5, 3), r"p4: expected a tensor of shape \(particles, 4\)"),
            ("p4", torch.full((5, 4), torch.nan), "p4: expected finite"),
            ("context", torch.zeros(5, 1), "context: .* one row for each graph"),
            ("labels", torch.zeros(4), "labels: expected torch.int64"),
            ("node_labels", torch.zeros(4).long(), r"node_labels: .* \(5,\) .* for each node"),
            ("edge_targets", torch.zeros(4), r"edge_targets: .* \(4, channels\)"),
            ("node_weights", torch.tensor([1.0, 2, 3, 4, torch.inf]), "node_weights: .* finite"),
        ],
    )
    def test_fields(self, field, values, message):
        with pytest.raises(InputError, match=message):
            small(**{field: values})

    @pytest.mark.usefixtures("unchecked_types")
    @pytest.mark.parametrize("ends", [torch.zeros(4), torch.zeros(4, 1).long(), [0, 0, 0, 0]])
    def test_ends(self, ends):
        for name in ("senders", "receivers"):
            given = {"senders": torch.zeros(4).long(), "receivers": torch.zeros(4).long()}
            with pytest.raises(InputError, match=f"{name}: expected int64 of shape"):
                Graph(torch.zeros(5, 1), node_offsets=OFFSETS, **(given | {name: ends}))


def passed(graph: Graph):
    """A sum of messages, the simplest network of graphs."""
    messages = torch.cat([graph.nodes[graph.senders], graph.edges], 1).tanh()
    received = segment_sum(messages, graph.receiver_offsets)
    return segment_sum((received * graph.nodes[:, :1]).sin(), graph.node_offsets)


class TestSymmetries:
    @pytest.mark.parametrize("symmetry", [Permutation(), BatchComposition()])
    def test_a_network_of_messages_keeps_them(self, symmetry):
        assert check(passed, graphs(dtype=torch.float64), symmetry).verdict == "holds"

    def test_one_that_sees_the_order_of_nodes_does_not(self):
        def ordered(graph):
            number = torch.arange(len(graph.nodes), dtype=graph.dtype)[:, None]
            return segment_sum(number * graph.nodes, graph.node_offsets)

        assert check(ordered, graphs(dtype=torch.float64), Permutation()).verdict == "broken"

    def test_one_that_sees_other_graphs_does_not(self):
        def leaking(graph):
            return passed(graph) + graph.edges.sum()

        report = check(leaking, graphs(dtype=torch.float64), BatchComposition())
        assert report.verdict == "broken"

    def test_some_nodes_keep_the_edges_between_them(self):
        graph = small(edge_labels=torch.arange(4))
        kept = graph.with_items(torch.tensor([3, 2, 4]), torch.tensor([0, 0, 0, 3, 3]))
        assert kept.senders.tolist() == [0, 1]
        assert kept.receivers.tolist() == [1, 2]
        assert kept.edge_labels.tolist() == [2, 3]
        assert_same(kept, Graph(**kept.tensors()))


class TestParticles:
    def test_momenta_and_edges(self):
        particles = batch((2, 0, 3, 1), per_particle=True)
        receivers = torch.tensor([1, 4, 3])
        graph = Graph.from_particles(particles, torch.tensor([0, 2, 4]), receivers)
        assert torch.equal(graph.p4, particles.p4)
        assert graph.receivers.tolist() == [1, 3, 4]
        assert_same(graph.to_particles(), particles)

    def test_other_momenta(self):
        graph = graphs()
        assert torch.equal(graph.with_p4(2 * graph.p4).p4, 2 * graph.p4)
        with pytest.raises(InputError, match=r"p4: expected torch.float32 of shape"):
            graph.with_p4(graph.p4[1:])

    def test_nodes_without_momenta(self):
        with pytest.raises(InputError, match="p4: expected momenta of the nodes"):
            small().to_particles()
