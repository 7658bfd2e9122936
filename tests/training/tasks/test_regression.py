"""Regression of numbers of sets and of particles."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.training import RegressionTask, value_and_width


class Gives(nn.Module):
    """What a test wants it to give."""

    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = nn.Parameter(outputs)

    def forward(self, particles: ParticleSet) -> Tensor:  # noqa: ARG002
        return self.outputs


def sets(targets, weights=None, **options):
    number = len(targets)
    return ParticleSet(
        torch.rand(number, 4),
        torch.arange(number + 1),
        targets=torch.tensor(targets),
        weights=None if weights is None else torch.tensor(weights),
        **options,
    )


def task_of(outputs, targets=("a",), **options):
    task = RegressionTask(Gives(torch.tensor(outputs)), targets, **options)
    task.standardise.centre.fill_(10.0)
    task.standardise.scale.fill_(2.0)
    return task


def test_losses_are_those_of_the_formulas_in_units_of_the_spread():
    batch = sets([[12.0], [4.0]])
    # In units of the spread the targets are 1 and -3.
    assert task_of([[0.0], [0.0]]).loss(batch).item() == pytest.approx((1 + 9) / 2)
    huber = task_of([[0.0], [0.0]], loss="huber").loss(batch).item()
    assert huber == pytest.approx((0.5 + 2.5) / 2)
    outputs = [[0.5, math.log(2.0)], [-1.0, 0.0]]
    # Each is multiplied by the square of its width.
    expected = (4 * (math.log(2) + 0.5 * (0.5 / 2) ** 2) + 0.5 * 2**2) / 2
    loss = task_of(outputs, loss="gaussian").loss(batch)
    assert loss.item() == pytest.approx(expected)


def test_the_gaussian_loss_is_least_at_the_true_mean_and_width():
    targets = 3.0 + 0.5 * torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    mean, log_width = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    task = RegressionTask(Gives(torch.zeros(4000, 2)), ["a"], loss="gaussian")
    task.model.forward = lambda _: torch.stack([mean, log_width], 1).expand(4000, 2)
    optimiser = torch.optim.Adam([mean, log_width], 0.05)
    batch = sets(targets.tolist())
    for _ in range(300):
        optimiser.zero_grad()
        task.loss(batch).backward()
        optimiser.step()
    assert mean.item() == pytest.approx(float(targets.mean()), abs=1e-2)
    assert log_width.exp().item() == pytest.approx(float(targets.std()), abs=1e-2)


def test_values_learn_with_a_width_as_without_it():
    batch = sets([[12.0], [4.0]])
    plain, wide = (
        task_of([[0.5], [-1.0]]),
        task_of([[0.5, 1.3], [-1.0, -0.4]], loss="gaussian"),
    )
    for task in (plain, wide):
        task.loss(batch).backward()
    expected = plain.model.outputs.grad[:, 0] / 2
    torch.testing.assert_close(wide.model.outputs.grad[:, 0], expected)


def test_weights_over_their_mean_multiply_the_losses():
    batch = sets([[12.0], [4.0]], weights=[3.0, -1.0])
    loss = task_of([[0.0], [0.0]], mean_weight=2.0).loss(batch)
    assert loss.item() == pytest.approx((1 * 1.5 - 9 * 0.5) / 2)


def test_figures_are_in_the_units_of_the_targets():
    random = np.random.default_rng(0)
    outputs, targets = random.normal(size=(2, 101, 2)).astype(np.float32)
    task = task_of(outputs.tolist(), ("a", "b"))
    logged: dict[str, float] = {}
    task.log = lambda name, value, **_: logged.update({name: float(value)})
    task.validation_step(sets(targets.tolist()), 0)
    task.on_validation_epoch_end()
    residual = outputs * 2 + 10 - targets
    assert [figure.name for figure in task.figures[2:5]] == [
        "val_a_bias",
        "val_a_resolution",
        "val_a_rmse",
    ]
    low, middle, high = np.percentile(residual[:, 1], [16, 50, 84])
    assert logged["val_b_bias"] == pytest.approx(middle, rel=1e-5)
    assert logged["val_b_resolution"] == pytest.approx((high - low) / 2, rel=1e-5)
    assert logged["val_b_rmse"] == pytest.approx(np.sqrt((residual[:, 1] ** 2).mean()), rel=1e-5)
    assert logged["val_loss"] == pytest.approx(
        ((outputs - (targets - 10) / 2) ** 2).mean(), rel=1e-5
    )


def test_particles_have_targets_of_their_own():
    batch = ParticleSet(
        torch.rand(3, 4),
        torch.tensor([0, 2, 2, 3]),
        particle_targets=torch.tensor([[10.0], [12.0], [14.0]]),
        weights=torch.tensor([1.0, 5.0, 2.0]),
    )
    task = task_of([[0.0], [0.0], [0.0]], per="particle")
    assert task.loss(batch).item() == pytest.approx((0 + 1 + 2 * 4) / 3)
    with pytest.raises(InputError, match="expected a of each set, got none"):
        task_of([[0.0]]).loss(batch)


def test_a_network_with_other_outputs_is_refused():
    with pytest.raises(InputError, match=r"\(sets, outputs\) = \(2, 2\), got \(2, 1\) from Gives"):
        task_of([[0.0], [0.0]], loss="gaussian").loss(sets([[12.0], [4.0]]))


def test_widths_stay_finite():
    value, width = value_and_width(torch.tensor([[1.0, 1e9], [2.0, -1e9]]), 1)
    assert value.flatten().tolist() == [1.0, 2.0]
    assert width is not None
    assert bool((width.isfinite() & (width > 0)).all())
    assert value_and_width(torch.ones(2, 1), 1)[1] is None
