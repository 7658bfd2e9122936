"""Deep Sets sum over each set, with and without weights."""

import torch
from torch import nn

from hepml.nn import DeepSets


def test_deep_sets_agree_with_a_loop_over_sets() -> None:
    torch.manual_seed(1)
    phi, f = nn.Sequential(nn.Linear(2, 4), nn.Tanh()), nn.Linear(4, 3)
    x, weights = torch.randn(6, 2), torch.rand(6)
    offsets = torch.tensor([0, 2, 2, 6])
    for w in (None, weights):
        rows = [
            f((phi(x[a:b]) * (1 if w is None else w[a:b, None])).sum(0))
            for a, b in ((0, 2), (2, 2), (2, 6))
        ]
        torch.testing.assert_close(DeepSets(phi, f)(x, offsets, w), torch.stack(rows))


def test_the_output_of_an_empty_set_is_that_of_zero() -> None:
    f = nn.Linear(4, 3)
    deep_sets = DeepSets(nn.Linear(2, 4), f)
    output = deep_sets(torch.zeros(0, 2), torch.tensor([0, 0]))
    torch.testing.assert_close(output[0], f.bias)
