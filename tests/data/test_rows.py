"""The rows of a network's output beside what is known of each."""

import pytest
import torch

from hepml.data import Graph, ParticleSet, rows_of
from hepml.errors import InputError


def test_particles_carry_the_weight_of_their_set():
    sets = ParticleSet(
        torch.ones(5, 4),
        torch.tensor([0, 2, 2, 5]),
        labels=torch.tensor([0, 1, 0]),
        weights=torch.tensor([1.0, 5.0, -2.0]),
        particle_labels=torch.arange(5),
        particle_targets=torch.ones(5, 2),
    )
    particles = rows_of(sets, "particle")
    assert torch.equal(particles.labels, torch.arange(5))
    assert particles.targets is sets.particle_targets
    assert particles.weights.tolist() == [1, 1, -2, -2, -2]
    assert particles.set_index.tolist() == [0, 0, 2, 2, 2]
    assert rows_of(sets, "set") == (sets.labels, None, sets.weights, None)


def test_edges_and_nodes_have_weights_of_their_own_too():
    graphs = Graph(
        torch.zeros(3, 1),
        torch.tensor([1, 0, 2]),
        torch.tensor([0, 1, 2]),
        torch.tensor([0, 2, 3]),
        edge_labels=torch.tensor([0, 1, 1]),
        edge_weights=torch.tensor([1.0, 2.0, 3.0]),
        weights=torch.tensor([1.0, 10.0]),
        node_targets=torch.ones(3, 1),
    )
    edges = rows_of(graphs, "edge")
    assert edges.labels.tolist() == [0, 1, 1]
    assert edges.weights.tolist() == [1, 2, 30]
    assert edges.set_index.tolist() == [0, 0, 1]
    nodes = rows_of(graphs, "node")
    assert nodes.labels is None
    assert nodes.targets is graphs.node_targets
    assert nodes.weights.tolist() == [1, 1, 10]
    with pytest.raises(InputError, match="per: expected what Graph has: sets, nodes, edges"):
        rows_of(graphs, "particle")
