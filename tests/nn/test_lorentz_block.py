"""The equivariant block agrees with its equations, pair by pair, and is equivariant."""

import pytest
import torch
from support.symmetries import jets, random_lorentz, randomise
from torch import Generator, Tensor

from hepml.data import ParticleSet
from hepml.nn import LorentzBlock, psi
from hepml.ops import all_pairs

METRIC = torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)


def _generator(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def _block(seed: int, **arguments: object) -> LorentzBlock:
    block = LorentzBlock(8, 2, **{"c": 1.0, **arguments}).double().eval()
    randomise(block, _generator(seed))
    return block


def _inputs(seed: int, counts: list[int]) -> tuple[ParticleSet, Tensor, Tensor]:
    particles = jets(counts, _generator(seed))
    h = torch.randn(sum(counts), 8, dtype=torch.float64, generator=_generator(seed + 1))
    s = torch.randn(sum(counts), 2, dtype=torch.float64, generator=_generator(seed + 2))
    return particles, h, s


def _pair_by_pair(
    block: LorentzBlock, x: Tensor, h: Tensor, s: Tensor, largest: float = torch.inf
) -> tuple[Tensor, Tensor]:
    """Equations (3.1) to (3.4) for one set, with loops; each component of a step up to a bound."""
    size = len(x)
    new_x, new_h = x.clone(), h.clone()
    for i in range(size):
        received, step = torch.zeros(8, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
        for j in range(size):
            if j == i:
                continue
            difference = x[i] - x[j]
            invariants = torch.stack(
                [(METRIC * difference * difference).sum(), (METRIC * x[i] * x[j]).sum()]
            )
            invariants = invariants.sign() * (invariants.abs() + 1).log()
            m = block.phi_e(torch.cat([h[i], h[j], invariants])[None])
            m = (m * block.phi_m(m))[0]
            received = received + m
            if block.phi_x is not None:
                step = step + (block.phi_x(m) * difference).clamp(-largest, largest) / (size - 1)
        new_x[i] = x[i] + block.c * step
        new_h[i] = h[i] + block.phi_h(torch.cat([h[i], received, s[i]])[None])[0]
    return new_x, new_h


@pytest.mark.parametrize("moves", [True, False])
def test_the_block_agrees_with_its_equations(moves: bool) -> None:
    block = _block(1, moves=moves)
    particles, h, s = _inputs(2, [4, 1, 3])
    with torch.no_grad():
        x_new, h_new = block(particles.p4, h, s, particles.offsets)
        for a, b in ((0, 4), (4, 5), (5, 8)):
            x_set, h_set = _pair_by_pair(block, particles.p4[a:b], h[a:b], s[a:b])
            torch.testing.assert_close(x_new[a:b], x_set, rtol=1e-12, atol=1e-9)
            torch.testing.assert_close(h_new[a:b], h_set, rtol=1e-12, atol=1e-12)
    assert torch.equal(x_new, particles.p4) != moves


def _violation(block: LorentzBlock, gamma: float, seed: int) -> tuple[float, float]:
    """Violation in the momenta in units of their update, and of h in units of its own."""
    particles, h, s = _inputs(seed, [8, 5])
    transformation = random_lorentz(_generator(seed), gamma)
    with torch.no_grad():
        x_new, h_new = block(particles.p4, h, s, particles.offsets)
        x_there, h_there = block(particles.p4 @ transformation.T, h, s, particles.offsets)
    update = (x_new - particles.p4) @ transformation.T
    # A block that did nothing would be equivariant.
    assert float((x_new - particles.p4).norm() / particles.p4.norm()) > 0.05
    error_x = (x_there - x_new @ transformation.T).abs().max() / update.abs().max()
    error_h = (h_there - h_new).abs().max() / (h_new - h).abs().max()
    return float(error_x), float(error_h)


@pytest.mark.parametrize("gamma", [1.01, 2.0, 10.0])
def test_momenta_transform_along_and_channels_stay(gamma: float) -> None:
    for seed in range(5):
        assert max(_violation(_block(seed), gamma, seed)) < 1e-10


def test_a_clamp_of_components_would_be_found() -> None:
    """At ±100 GeV, as in the published code."""
    block = _block(1)
    particles, h, s = _inputs(2, [8])
    transformation = random_lorentz(_generator(3), 2.0)
    with torch.no_grad():
        here, there = (
            _pair_by_pair(block, p4, h, s, largest=100.0)[0]
            for p4 in (particles.p4, particles.p4 @ transformation.T)
        )
    update = (here - particles.p4) @ transformation.T
    error = (there - here @ transformation.T).abs().max() / update.abs().max()
    assert float(error) > 1e-2


def _first_layer(block: LorentzBlock, p4: Tensor, h: Tensor, offsets: Tensor) -> Tensor:
    """What the batch norm of the messages reads, for each pair."""
    pairs = all_pairs(offsets, len(p4))
    x_i, x_j = p4[pairs.receivers], p4[pairs.senders]
    invariants = torch.stack(
        [(METRIC * (x_i - x_j) ** 2).sum(1), (METRIC * x_i * x_j).sum(1)], dim=1
    )
    rows = torch.cat([h[pairs.receivers], h[pairs.senders], psi(invariants)], dim=1)
    return rows @ block.phi_e[0].weight.T


def test_statistics_are_taken_over_the_pairs_that_exist() -> None:
    block = _block(1).train()
    block.phi_e[1].momentum = 1.0
    particles, h, s = _inputs(2, [4, 1, 0, 3])
    block(particles.p4, h, s, particles.offsets)
    first = _first_layer(block, particles.p4, h, particles.offsets)
    assert len(first) == 4 * 3 + 3 * 2
    torch.testing.assert_close(block.phi_e[1].running_mean, first.mean(0))
    torch.testing.assert_close(block.phi_e[1].running_var, first.var(0))


def test_training_agrees_with_batch_norm_of_all_pairs() -> None:
    """In values and in all gradients: those through mean and variance, too."""
    block = _block(1).train()
    particles, h, s = _inputs(2, [4, 1, 0, 3, 6])
    p4, offsets = particles.p4 / 30, particles.offsets
    pairs = all_pairs(offsets, len(p4))

    def pair_by_pair(p4: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        m = torch.nn.BatchNorm1d.forward(block.phi_e[1], _first_layer(block, p4, h, offsets))
        m = block.phi_e[3](m.relu()).relu()
        m = m * block.phi_m(m)
        difference = p4[pairs.receivers] - p4[pairs.senders]
        step = torch.zeros_like(p4).index_add(0, pairs.receivers, block.phi_x(m) * difference)
        others = pairs.offsets.diff().clamp(min=1)[:, None]
        received = torch.zeros_like(h).index_add(0, pairs.receivers, m)
        return p4 + block.c * step / others, h + block.phi_h(torch.cat([h, received, s], dim=1))

    results = []
    for function in (lambda p4, h: block(p4, h, s, offsets), pair_by_pair):
        inputs = [p4.clone().requires_grad_(), h.clone().requires_grad_(), *block.parameters()]
        x_new, h_new = function(*inputs[:2])
        loss = (x_new * p4.cos()).sum() + (h_new * h.sin()).sum()
        results.append([x_new, h_new, *torch.autograd.grad(loss, inputs)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_without_pairs_the_running_statistics_serve_and_stay() -> None:
    block = _block(1).train()
    before = [buffer.clone() for buffer in block.phi_e[1].buffers()]
    particles, h, s = _inputs(2, [1, 0, 1])
    x_new, _ = block(particles.p4, h, s, particles.offsets)
    assert torch.equal(x_new, particles.p4)
    for old, new in zip(before, block.phi_e[1].buffers(), strict=True):
        assert torch.equal(old, new)


def test_psi_and_its_derivative() -> None:
    x = torch.tensor([-1e6, -1.0, 0.0, 1.0, 1e6], dtype=torch.float64, requires_grad=True)
    value = psi(x)
    torch.testing.assert_close(value, x.sign() * (x.abs() + 1).log())
    (slope,) = torch.autograd.grad(value.sum(), x)
    torch.testing.assert_close(slope, 1 / (1 + x.abs()))
