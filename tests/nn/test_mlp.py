"""The multilayer perceptron is linear layers with ReLU between them."""

import torch

from hepml.nn import MLP


def test_mlp_agrees_with_its_formula() -> None:
    torch.manual_seed(1)
    mlp = MLP(3, [5, 2])
    x = torch.randn(4, 3)
    first, second = mlp[0], mlp[2]
    expected = (x @ first.weight.T + first.bias).relu() @ second.weight.T + second.bias
    torch.testing.assert_close(mlp(x), expected)
    assert bool((mlp(10 * torch.randn(100, 3)) < 0).any())
