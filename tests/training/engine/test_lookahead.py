"""Lookahead against the algorithm of its paper, written out around torch's RAdam."""

import copy

import pytest
import torch

from hepml.training.engine._lookahead import LookaheadRAdam


def weights():
    random = torch.Generator().manual_seed(0)
    return [
        torch.randn(3, 2, generator=random, dtype=torch.float64).requires_grad_() for _ in range(2)
    ]


def pull(each):
    """Towards one, along a curved valley."""
    return (each[0].square() * (each[1] - 1).square() + (each[0] - 1).square()).sum()


def step(optimiser, each):
    def closure():
        optimiser.zero_grad()
        loss = pull(each)
        loss.backward()
        return loss

    return optimiser.step(closure)


def by_the_paper(steps):
    fast = weights()
    slow = [w.detach().clone() for w in fast]
    inner = torch.optim.RAdam(fast, lr=0.05, weight_decay=0.01, decoupled_weight_decay=True)
    for number in range(1, steps + 1):
        step(inner, fast)
        if number % 6 == 0:
            with torch.no_grad():
                for w, s in zip(fast, slow, strict=True):
                    s += 0.5 * (w - s)
                    w.copy_(s)
    return fast


@pytest.mark.parametrize("steps", [5, 6, 20])
def test_it_is_the_algorithm_of_the_paper(steps):
    each = weights()
    optimiser = LookaheadRAdam(each, 0.05, 0.01)
    for _ in range(steps):
        step(optimiser, each)
    for w, expected in zip(each, by_the_paper(steps), strict=True):
        torch.testing.assert_close(w, expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(each[0], optimiser.state[each[0]]["slow"]) == (steps == 6)


@pytest.mark.parametrize("kept", ["all", "without the slow weights"])
def test_it_goes_on_from_its_state(kept):
    each = weights()
    optimiser = LookaheadRAdam(each, 0.05, 0.01)
    for _ in range(9):
        step(optimiser, each)
    state = copy.deepcopy(optimiser.state_dict())
    if kept != "all":
        for of_weight in state["state"].values():
            of_weight["slow"] += 0.1
    resumed = [w.detach().clone().requires_grad_() for w in each]
    other = LookaheadRAdam(resumed, 0.05, 0.01)
    other.load_state_dict(state)
    for _ in range(5):
        step(optimiser, each)
        step(other, resumed)
    assert torch.equal(each[0], resumed[0]) == (kept == "all")
