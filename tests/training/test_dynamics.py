"""Learning motion: the losses against closed forms, resuming, checkpoints, what is refused."""

import csv
import math
from dataclasses import replace

import pytest
import torch
from support.equal import assert_equal
from support.motion import energy, oscillators
from torch import nn

from hepml.errors import DataError, FileError, InputError
from hepml.evaluation import evaluate_dynamics
from hepml.evaluation.dynamics._evaluation import relative_drift
from hepml.models import DYNAMICS, Dynamics
from hepml.nn import CentralHamiltonian, HamiltonianFlow, MLPHamiltonian, SeparableHamiltonian
from hepml.ops import segment_sum
from hepml.solvers import RK4, Leapfrog
from hepml.training import DynamicsTask, load_dynamics, train_dynamics
from hepml.training.engine._checkpoint import read_checkpoint, write_checkpoint
from hepml.training.tasks._dynamics import StateBatches, accumulated

# 8 trajectories of an oscillator H = (p^2 + q^2) / 2 in closed form.
QUICK = {"epochs": 3, "steps": 5, "batch_size": 16, "progress": False, "accelerator": "cpu"}


class Oscillator(nn.Module):
    """The truth, with a frequency that can be wrong."""

    def __init__(self, frequency=1.0):
        super().__init__()
        self.frequency = nn.Parameter(torch.tensor(frequency, dtype=torch.float64))

    def forward(self, q, p):
        return self.frequency / 2 * (q.square().sum(1) + p.square().sum(1))


def task(model, data, **options):
    return DynamicsTask(model, data, data, **options)


def test_the_loss_of_rates():
    data = oscillators()
    off = task(Oscillator(1.1), data).rate_loss(torch.tensor([0, 13, 95]))
    flat = [data.q.flatten(), data.p.flatten()]
    expected = sum(0.1**2 * x[[0, 13, 95]].square().mean() for x in flat) / 2
    torch.testing.assert_close(off, expected)
    assert task(Oscillator(), data).rate_loss(torch.arange(96)) < 1e-30


def test_the_loss_of_rollouts():
    data = oscillators()
    dt = float(data.t[1])
    options = {"loss": "rollout", "solver": RK4(), "horizon": 2}
    with pytest.raises(InputError, match="solver: expected one, got None"):
        task(Oscillator(), data, loss="rollout")
    # Each state but the last two of a trajectory begins a rollout.
    right = task(Oscillator(), data, **options)
    assert right.starts == 8 * 10
    assert right.rollout_loss(torch.arange(80)) < 1e-7
    off = task(Oscillator(1.1), data, **options)
    # The phase is wrong by 0.1 dt and by 0.2 dt: a chord of the circle, of which q and p share.
    chord = [(2 * math.sin(0.05 * n * dt)) ** 2 for n in (1, 2)]
    radius = (data.q[:, :10].square() + data.p[:, :10].square()).mean()
    expected = radius * sum(chord) / 4
    torch.testing.assert_close(off.rollout_loss(torch.arange(80)), expected, rtol=2e-3, atol=0)


def test_gradients_of_both_losses_reach_every_weight():
    data = oscillators().to(dtype=torch.float32)
    for options in ({}, {"loss": "rollout", "solver": Leapfrog(), "horizon": 3}):
        model = SeparableHamiltonian(1, (4,))
        learner = task(model, data, states="fitted", **options)
        learner.log = lambda *_, **__: None
        learner.training_step(torch.arange(20), 0).backward()
        for name, parameter in learner.named_parameters():
            assert parameter.grad.abs().max() > 0, name


def test_rates_added_up():
    t = torch.linspace(0, 2, 9, dtype=torch.float64)
    cubic = (3 - 2 * t + t**2 - 0.5 * t**3)[None]
    exact = 3 * t - t**2 + t**3 / 3 - t**4 / 8
    torch.testing.assert_close(accumulated(cubic, 0.25)[0], exact, rtol=0, atol=1e-14)
    errors = []
    for n in (21, 41):
        t = torch.linspace(0, 2, n, dtype=torch.float64)
        errors.append(float((accumulated(t.cos()[None], 2 / (n - 1))[0] - t.sin()).abs().max()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.5)


def test_fitted_states_begin_near_the_truth():
    data = oscillators(noise=0.1, times=30)
    learner = task(Oscillator(), data, states="fitted")
    times = torch.arange(30)
    noisy = (data.observed_q - data.q).square().mean().sqrt()
    fitted = learner.states_at(torch.arange(8)[:, None], times)[0]
    remaining = (fitted - data.q).square().mean().sqrt()
    # The mean of 30 observations each.
    assert remaining < 1.6 * noisy / math.sqrt(30)
    assert torch.equal(learner.states_at(torch.tensor([2]), times)[0], fitted[2])


@pytest.mark.parametrize("name", DYNAMICS)
def test_every_network_learns(tmp_path, name):
    data = oscillators(bodies=2, space=2)
    options = QUICK | {"epochs": 4, "steps": 25, "learning_rate": 1e-2}
    train_dynamics(name, data, output=tmp_path / "run", widths=[16], **options)
    with open(tmp_path / "run" / "metrics.csv", newline="") as file:
        losses = [float(row["train_loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < 0.9 * losses[0]
    assert (tmp_path / "run" / "config.yaml").exists()
    again = load_dynamics(tmp_path / "run").model
    assert type(again) is DYNAMICS[name]


def test_batches_are_decided_by_seed_and_epoch():
    def drawn(seed, epoch, size=5):
        return torch.cat(list(StateBatches(20, size, 3, seed, lambda: epoch)))

    assert torch.equal(drawn(1, 2), drawn(1, 2))
    assert not torch.equal(drawn(1, 2), drawn(1, 3))
    assert not torch.equal(drawn(1, 2), drawn(2, 2))
    assert torch.equal(drawn(1, 2, 20), torch.arange(20).repeat(3))


def test_a_run_is_resumed_with_the_system_that_it_began_with(tmp_path):
    data = replace(oscillators(), about={"system": "mass-spring", "test_fraction": 0.25})
    train_dynamics("MLPHamiltonian", data, output=tmp_path, widths=[4], **QUICK)
    other = replace(data, about={**data.about, "system": "pendulum"})
    with pytest.raises(InputError, match=r"began with: learned_from=\{'system': 'mass-spring'\}"):
        train_dynamics("MLPHamiltonian", other, output=tmp_path, widths=[4], resume=True, **QUICK)


def test_a_run_older_than_an_option_is_resumed_as_it_was(tmp_path):
    data = oscillators()
    train_dynamics("MLPHamiltonian", data, output=tmp_path, widths=[4], **QUICK)
    last = tmp_path / "checkpoints" / "last.ckpt"
    content = read_checkpoint(last)
    for name in ("patience", "clip_gradient", "accumulate", "ema"):
        del content["hepml"]["run"][name]
    write_checkpoint(last, content)
    resumed = {"output": tmp_path, "widths": [4], "resume": True, **QUICK}
    train_dynamics("MLPHamiltonian", data, **resumed)
    with pytest.raises(InputError, match=r"began with: ema=None, got ema=0\.9"):
        train_dynamics("MLPHamiltonian", data, ema=0.9, **resumed)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"states": "fitted", "schedule": "one-cycle"},
        {"optimiser": "radam-lookahead", "schedule": "cosine", "ema": 0.9, "accumulate": 2},
    ],
)
def test_a_resumed_run_ends_with_the_same_weights(tmp_path, monkeypatch, options):
    data, options = oscillators(noise=0.1), QUICK | options
    train_dynamics("SeparableHamiltonian", data, output=tmp_path / "whole", **options)

    calls = 0
    step = DynamicsTask.training_step

    def dies(self, *batch):
        nonlocal calls
        calls += 1
        if calls == 8:
            raise KeyboardInterrupt
        return step(self, *batch)

    monkeypatch.setattr(DynamicsTask, "training_step", dies)
    with pytest.raises(KeyboardInterrupt, match=r"hepml train --config .* --resume"):
        train_dynamics("SeparableHamiltonian", data, output=tmp_path / "killed", **options)
    train_dynamics("SeparableHamiltonian", data, output=tmp_path / "killed", **options, resume=True)
    whole, killed = (
        read_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt")
        for name in ("whole", "killed")
    )
    for entry in ("state_dict", "optimizer_states", "lr_schedulers", "epoch"):
        assert_equal(whole[entry], killed[entry], entry)
    with pytest.raises(InputError, match=r"began with: epochs=3, got epochs=2"):
        train_dynamics(
            "SeparableHamiltonian",
            data,
            output=tmp_path / "whole",
            **options | {"epochs": 2},
            resume=True,
        )


def test_a_checkpoint_in_double_precision(tmp_path):
    options = QUICK | {"precision": "64"}
    learned = train_dynamics(
        "MLPHamiltonian", oscillators(), output=tmp_path, widths=[4], **options
    )
    loaded = load_dynamics(tmp_path / "checkpoints" / "last.ckpt")
    for name, weight in loaded.model.state_dict().items():
        assert weight.dtype == torch.float64
        assert torch.equal(weight, learned.model.state_dict()[name])
    assert loaded.info.arguments == {"dimension": 1, "widths": [4]}


def test_a_tagger_is_no_network_of_dynamics(tmp_path):
    from hepml.models import ParticleFlow
    from hepml.training import save_checkpoint

    save_checkpoint(tmp_path / "x.ckpt", ParticleFlow(), arguments={})
    with pytest.raises(FileError, match=r"expected a network of dynamics: .*got 'ParticleFlow'"):
        load_dynamics(tmp_path / "x.ckpt")


def test_divergence_is_told(tmp_path):
    # Beyond the largest float32 in a few steps of Adam.
    options = QUICK | {"learning_rate": 1e38}
    with pytest.raises(DataError, match=r"training: expected a finite loss, got .* of epoch 1"):
        train_dynamics("SeparableHamiltonian", oscillators(), output=tmp_path, **options)


def test_rollouts_that_run_away_are_told(tmp_path):
    data = oscillators()
    options = {"loss": "rollout", "solver": RK4(), "horizon": 5}
    # A step of 0.27 with a frequency of 100 multiplies the state by some 10^4.
    wild = task(Oscillator(100.0), data, **options)
    with pytest.raises(DataError, match=r"rollouts in training: .*5 steps of 0\.273, got 3 of 3"):
        wild.rollout_loss(torch.arange(3))
    # Each of the bodies of a system is followed as far as the others.
    torch.manual_seed(0)
    bodies = oscillators(bodies=2, space=2)
    options = QUICK | {"loss": "rollout", "learning_rate": 1e4, "network": "CentralHamiltonian"}
    with pytest.raises(DataError, match=r"rollouts in training|expected a finite loss"):
        train_dynamics(trajectories=bodies, output=tmp_path, **options)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "HNN"}, "network: expected one of CentralHamiltonian.*got 'HNN'"),
        ({"solver": "euler"}, "solver: expected one of leapfrog"),
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
        ({"widths": [8, 0]}, r"widths: expected at least 1, got 0"),
        ({"learning_rate": -1.0}, "learning_rate: expected a positive number"),
        ({"loss": "rollout", "horizon": 12}, r"at least 13 times, for horizon=12"),
        ({"resume": True, "overwrite": True}, "resume or overwrite"),
    ],
)
def test_senseless_options(tmp_path, options, message):
    arguments = QUICK | {"network": "SeparableHamiltonian"} | options
    with pytest.raises(InputError, match=message):
        train_dynamics(trajectories=oscillators(), output=tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_too_few_trajectories(tmp_path):
    with pytest.raises(InputError, match=r"got 1, of which 0\.25 are for testing"):
        train_dynamics("MLPHamiltonian", oscillators(1), output=tmp_path)


def test_the_evaluation_of_the_truth():
    found = evaluate_dynamics(
        Oscillator(), oscillators(40), energy, solver=RK4(), conserves=("energy",)
    )
    assert found.energy_mse.value < 1e-12
    assert found.test_loss < 1e-30
    assert found.error.max() < 1e-5
    assert found.drift["energy"][1] < 1e-6
    assert found.q.shape == (10, 12, 1, 1)


def test_the_evaluation_of_a_wrong_frequency():
    data = oscillators(40)
    found = evaluate_dynamics(Oscillator(1.1), data, energy, solver=RK4(), conserves=("energy",))
    # Every phase is wrong by 0.1 t, the energy right.
    radius = (data.q[30:, 0] ** 2 + data.p[30:, 0] ** 2).flatten().sqrt()
    chord = radius[:, None] * 2 * (0.05 * data.t).sin() / math.sqrt(2)
    expected = chord.quantile(torch.tensor([0.15866, 0.5, 0.84134]).double(), dim=0)
    torch.testing.assert_close(found.error, expected, rtol=0, atol=1e-5)
    assert found.energy_mse.value < 1e-10
    assert found.train_loss == pytest.approx(
        0.01 * float(data.q[:30].square().mean() + data.p[:30].square().mean()) / 2
    )


def test_an_energy_that_drifts():
    t = torch.linspace(0, 3, 12, dtype=torch.float64)
    decay = (-2 * t).exp()[None] * torch.tensor([[2.0], [5.0]], dtype=torch.float64)
    torch.testing.assert_close(
        relative_drift(decay, decay[:, 0]), (1 - torch.tensor(-6.0).double().exp()).expand(2)
    )
    vector = torch.stack([decay, 2 * decay], -1)
    torch.testing.assert_close(
        relative_drift(vector, decay[:, 0]),
        (math.sqrt(5) * (1 - torch.tensor(-6.0).double().exp())).expand(2),
    )


def test_trajectories_that_run_away_are_counted():
    data = oscillators(40)
    slow = evaluate_dynamics(Oscillator(), data, energy, solver=RK4(), substeps=1)
    assert not slow.stopped.any()
    with pytest.raises(InputError, match=r"none of 10 with steps of 0\.273"):
        evaluate_dynamics(Oscillator(200.0), data, energy, solver=RK4(), substeps=1)


def test_a_system_stops_as_a_whole():
    class Collision(CentralHamiltonian):
        """An outward force that grows so fast that who begins far out is gone at once."""

        def potential(self, q, offsets, pairs=None):  # noqa: ARG002
            return segment_sum(-(q.square().sum(1) ** 3), offsets)

    q = torch.tensor([[[0.1, 0.0], [0.2, 0.0]], [[0.1, 0.0], [9.0, 0.0]]]).double()
    dynamics = Dynamics(Collision(2, (4,)).double())
    with torch.no_grad():
        path = dynamics.follow(q, 0 * q, solver=RK4(), dt=0.05, steps=20)
    assert path.stopped.tolist() == [False, True]
    still = (path.q[1:] == path.q[:-1]).all(-1)
    # Neither of the two moves on when one of them has stopped.
    assert torch.equal(still[:, 1, 0], still[:, 1, 1])
    assert still[-1].tolist() == [[False, False], [True, True]]


def test_bodies_and_rows():
    q = torch.arange(12.0, dtype=torch.float64).reshape(2, 3, 2)
    graph = Dynamics(CentralHamiltonian(2, (4,)).double())
    plain = Dynamics(MLPHamiltonian(6, (4,)).double())
    assert graph.rows(q).shape == (6, 2)
    assert plain.rows(q).shape == (2, 6)
    for dynamics in (graph, plain):
        rate_q, rate_p = dynamics(q, q + 1)
        assert rate_q.shape == rate_p.shape == q.shape
        alone = dynamics(q[1:], q[1:] + 1)
        torch.testing.assert_close(rate_p[1:], alone[1], rtol=0, atol=1e-12)
        path = dynamics.follow(q, q + 1, solver=RK4(), dt=0.01, steps=4, every=2)
        assert path.q.shape == (3, 2, 3, 2)
        assert dynamics.energy(q, q).shape == (2,)
    assert isinstance(plain.flow, HamiltonianFlow)
    with pytest.raises(InputError, match="network: expected one with an H, got MLPFlow"):
        Dynamics(DYNAMICS["MLPFlow"](6)).energy(q.float(), q.float())
