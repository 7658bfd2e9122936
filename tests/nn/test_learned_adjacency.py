"""The learned adjacency agrees with a dense softmax."""

import torch

from hepml.nn import LearnedAdjacency
from hepml.ops import all_pairs


def test_adjacency_agrees_with_a_dense_softmax() -> None:
    torch.manual_seed(1)
    adjacency = LearnedAdjacency(5, 3).double()
    h = torch.randn(4, 5, dtype=torch.float64)
    pairs = all_pairs(torch.tensor([0, 4]), 4)
    score = adjacency.query(h) @ adjacency.key(h).T / 3**0.5
    expected = score.masked_fill(torch.eye(4, dtype=torch.bool), -torch.inf).softmax(1)
    torch.testing.assert_close(
        adjacency(h, pairs), expected[pairs.receivers, pairs.senders], rtol=1e-12, atol=1e-12
    )


def test_the_matrix_depends_on_the_receiver() -> None:
    # An additive score, v·(h_i + h_j), would give each receiver the same row.
    torch.manual_seed(1)
    h = torch.randn(3, 5)
    matrix = LearnedAdjacency(5)(h, all_pairs(torch.tensor([0, 3]), 3)).reshape(3, 2)
    ratio_of_0_to_1 = matrix[2, 0] / matrix[2, 1]
    h[2] = torch.randn(5)
    again = LearnedAdjacency(5)
    torch.manual_seed(1)
    moved = again(h, all_pairs(torch.tensor([0, 3]), 3)).reshape(3, 2)
    assert not torch.isclose(moved[2, 0] / moved[2, 1], ratio_of_0_to_1)
