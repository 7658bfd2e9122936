"""Weights of order one."""

import pytest
import torch
from torch import nn

from hepml.models import LorentzNet, ParticleFlow
from hepml.symmetry import random_jets, randomise


def _generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_weights_and_statistics_are_drawn():
    model = nn.Sequential(nn.Linear(400, 300), nn.BatchNorm1d(300))
    randomise(model, _generator()).requires_grad_(False)
    assert float(model[0].weight.std()) == pytest.approx(1.5 / 20, rel=0.02)
    assert float(model[0].bias.std()) == pytest.approx(1.5, rel=0.2)
    assert float(model[1].running_mean.std()) == pytest.approx(1, rel=0.2)
    assert 0.5 <= float(model[1].running_var.min()) < float(model[1].running_var.max()) <= 1.5


def test_kernels_count_all_their_inputs():
    convolution = randomise(nn.Conv2d(16, 64, 5), _generator()).requires_grad_(False)
    assert float(convolution.weight.std()) == pytest.approx(1.5 / 20, rel=0.05)


def test_every_layer_gives_order_one_on_the_inputs():
    x = 1e4 * torch.randn(64, 5, generator=_generator())
    layers = [nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)]
    model = nn.Sequential(*layers).eval()
    randomise(model, _generator(), x)
    with torch.no_grad():
        for layer in model:
            x = layer(x)
            if not isinstance(layer, nn.Tanh):
                assert float(x.square().mean().sqrt()) == pytest.approx(1, rel=1e-4)


def test_the_seed_decides_and_nothing_else_is_touched():
    state = torch.get_rng_state()
    first, second, third = (
        randomise(nn.Linear(3, 2), _generator(seed)).weight for seed in (1, 1, 2)
    )
    torch.set_rng_state(state)
    again = nn.Linear(3, 2)
    torch.set_rng_state(state)
    assert torch.equal(nn.Linear(3, 2).weight, again.weight)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


@pytest.mark.parametrize("model", [ParticleFlow, LorentzNet])
def test_outputs_of_models_vary_by_order_one(model):
    jets = random_jets(16)
    network = randomise(model().eval(), _generator(), jets)
    with torch.no_grad():
        spread = network(jets).std(0)
    assert 1e-3 < float(spread.min()) < float(spread.max()) < 10
    # No hook is left: what comes out twice is the same.
    with torch.no_grad():
        assert torch.equal(network(jets), network(jets))


def test_layers_without_a_tensor_or_with_nothing_are_left_alone():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.zero, self.lstm = nn.Linear(2, 2), nn.LSTM(2, 2)

        def forward(self, x):
            return self.zero(0 * x) - self.zero.bias + self.lstm(x)[0]

    x = torch.ones(3, 2)
    odd = randomise(Odd(), _generator(), x)
    assert bool(odd(x).isfinite().all())


def test_a_model_that_differentiates_and_one_that_calls_a_layer_twice():
    class Gradient(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1))

        def forward(self, x):
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                x_again = self.layers[0](100 * self.layers[0](x).tanh())
                energy = self.layers[2](x_again.tanh()).sum()
                return torch.autograd.grad(energy, x)[0]

    x = torch.randn(64, 3, generator=_generator())
    model = randomise(Gradient(), _generator(), x)
    with torch.no_grad():
        assert float(model.layers[0](x).square().mean().sqrt()) == pytest.approx(1, rel=1e-4)
    assert bool(model(x).isfinite().all())
