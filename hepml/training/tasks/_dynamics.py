"""Learning dynamics from trajectories: losses, batches, the task."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int64
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from hepml.data import Trajectories
from hepml.errors import DataError, InputError
from hepml.models import Dynamics
from hepml.solvers import Solver
from hepml.training.engine._checkpoint import CheckpointInfo, header
from hepml.training.tasks._classification import one_cycle

Loss = Literal["derivatives", "rollout"]
States = Literal["observed", "fitted"]

# Weight of the distance between fitted and observed states, beside that of the rates.
_TRUST = 1e-2


def mean_square(found: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor]) -> Float[Tensor, ""]:
    """The mean over all components of q and of p, as the paper takes it."""
    return (mse_loss(found[0], wanted[0]) + mse_loss(found[1], wanted[1])) / 2


def accumulated(
    rates: Float[Tensor, "trajectories times *state"], dt: float
) -> Float[Tensor, "trajectories times *state"]:
    """The integral of rates from the first time on, by the cubic through each four neighbours."""
    first = (9 * rates[:, :1] + 19 * rates[:, 1:2] - 5 * rates[:, 2:3] + rates[:, 3:4]) / 24
    inner = 13 * (rates[:, 1:-2] + rates[:, 2:-1]) - rates[:, :-3] - rates[:, 3:]
    last = (9 * rates[:, -1:] + 19 * rates[:, -2:-1] - 5 * rates[:, -3:-2] + rates[:, -4:-3]) / 24
    parts = torch.cat([torch.zeros_like(first), first, inner / 24, last], dim=1)
    return dt * parts.cumsum(dim=1)


class StateBatches:
    """Random numbers of states, in an order that the seed and the epoch decide.

    Parameters
    ----------
    states
        How many there are to draw from.
    batch_size
        How many at a time, with replacement; all of them if there are no more.
    steps
        Batches in an epoch.
    epoch
        Says which epoch it is.
    """

    def __init__(
        self, states: int, batch_size: int, steps: int, seed: int, epoch: Callable[[], int]
    ) -> None:
        self.states, self.batch_size, self.steps = states, batch_size, steps
        self.seed, self.epoch = seed, epoch

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Int64[Tensor, " batch"]]:
        seed = np.random.SeedSequence([self.seed, self.epoch()]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(seed))
        for _ in range(self.steps):
            if self.batch_size >= self.states:
                yield torch.arange(self.states)
            else:
                yield torch.randint(self.states, (self.batch_size,), generator=generator)


class DynamicsTask(LightningModule):
    """Learn rates, or short rollouts, of trajectories, with Adam.

    Parameters
    ----------
    model
        One of the networks of :data:`~hepml.models.DYNAMICS`.
    learning, testing
        Trajectories in the precision of the model.
    loss
        "derivatives": the mean square error of dq/dt and dp/dt at a state, as in the paper.
        "rollout": that of the states after 1, 2, ... `horizon` intervals between observations,
        reached from a state by the solver.
    states
        "observed": each state as it was measured. "fitted": the states of a trajectory are its
        rates added up from a first state, which is a parameter, at the start as near as can be to
        all that was observed. What a network learns from states with noise is a blurred H.
    solver
        Of the rollouts.
    horizon
        Their length.
    learning_rate, weight_decay
        Of Adam.
    schedule
        "constant", or "one-cycle" as in :class:`TaggingTask` with a tenth of the steps to rise.
    info
        What the checkpoints shall say about the model.
    """

    q: Tensor
    p: Tensor
    rate_q: Tensor
    rate_p: Tensor
    test_q: Tensor
    test_p: Tensor
    test_rate_q: Tensor
    test_rate_p: Tensor
    path_q: Tensor
    path_p: Tensor
    shift_q: Tensor
    shift_p: Tensor
    model: nn.Module

    def __init__(
        self,
        model: nn.Module,
        learning: Trajectories,
        testing: Trajectories,
        *,
        loss: Loss = "derivatives",
        states: States = "observed",
        solver: Solver | None = None,
        horizon: int = 5,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: Literal["constant", "one-cycle"] = "constant",
        info: CheckpointInfo | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        # Not a part of this module: its weights are those of the model.
        self._dynamics = [Dynamics(model)]
        self.loss_name, self.solver, self.horizon = loss, solver, horizon
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.schedule, self.info = schedule, info
        self.recent_loss = float("nan")
        self.dt = float(learning.t[1] - learning.t[0])
        for name, value in _tensors(learning, testing).items():
            self.register_buffer(name, value, persistent=False)
        self.fitted = states == "fitted"
        if self.fitted:
            _require_times(learning, 4, "states='fitted'")
            for x in ("q", "p"):
                sums = accumulated(getattr(learning, f"rate_{x}"), self.dt)
                start = (getattr(self, x) - sums).mean(dim=1, keepdim=True)
                self.register_buffer(f"path_{x}", sums + start, persistent=False)
                self.register_parameter(f"shift_{x}", nn.Parameter(torch.zeros_like(start)))
        if loss == "rollout":
            _require_times(learning, horizon + 1, f"horizon={horizon}")
            if solver is None:
                raise InputError("solver", expected="one", got="None", fix="name it")

    @property
    def dynamics(self) -> Dynamics:
        """The motion that the model gives."""
        return self._dynamics[0]

    @property
    def starts(self) -> int:
        """How many states there are to learn from."""
        trajectories, times = self.q.shape[:2]
        return int(trajectories * (times - (self.horizon if self.loss_name == "rollout" else 0)))

    def training_step(self, batch: Int64[Tensor, " batch"], batch_idx: int) -> Tensor:  # noqa: ARG002
        """The loss of a batch of numbers of states."""
        loss = self.rollout_loss(batch) if self.loss_name == "rollout" else self.rate_loss(batch)
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(batch))
        if self.fitted:
            loss = loss + _TRUST * (self.shift_q.square().mean() + self.shift_p.square().mean())
        return loss

    def rate_loss(self, batch: Int64[Tensor, " batch"]) -> Float[Tensor, ""]:
        """The error of the rates."""
        trajectory, time = batch // self.q.shape[1], batch % self.q.shape[1]
        wanted = (self.rate_q[trajectory, time], self.rate_p[trajectory, time])
        return mean_square(self.dynamics(*self.states_at(trajectory, time)), wanted)

    def rollout_loss(self, batch: Int64[Tensor, " batch"]) -> Float[Tensor, ""]:
        """The error of the states after one interval or more."""
        starts = self.q.shape[1] - self.horizon
        trajectory, time = batch // starts, batch % starts
        q, p = self.states_at(trajectory, time)
        assert self.solver is not None
        path = self.dynamics.follow(q, p, solver=self.solver, dt=self.dt, steps=self.horizon)
        if bool(path.stopped.any()):
            # What follows a stop repeats a state: a finite loss that would teach nothing.
            raise DataError(
                "rollouts in training",
                expected=f"finite states over {self.horizon} steps of {self.dt:.3g}",
                got=f"{int(path.stopped.sum())} of {len(batch)} that ran away",
                fix=f"lower the learning rate (it is {self.learning_rate:g}) or the horizon, or "
                "observe more often; the checkpoints of the epochs before are kept",
            )
        after = time[:, None] + torch.arange(1, self.horizon + 1, device=time.device)
        wanted = self.states_at(trajectory[:, None], after)
        return mean_square((path.q[1:].transpose(0, 1), path.p[1:].transpose(0, 1)), wanted)

    def states_at(self, trajectory: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """The states to learn from."""
        if not self.fitted:
            return self.q[trajectory, time], self.p[trajectory, time]
        return (
            self.path_q[trajectory, time] + self.shift_q[trajectory, 0],
            self.path_p[trajectory, time] + self.shift_p[trajectory, 0],
        )

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:  # noqa: ARG002
        """The error of the rates at the observed states of the test trajectories."""
        found = self.dynamics(self.test_q[batch], self.test_p[batch])
        loss = mean_square(found, (self.test_rate_q[batch], self.test_rate_p[batch]))
        self.log("val_loss", loss, batch_size=len(batch))

    def on_train_epoch_end(self) -> None:
        """Refuse to write a checkpoint with weights or a loss that are not finite."""
        self.recent_loss = float(self.trainer.callback_metrics["train_loss"])
        weights = all(bool(x.isfinite().all()) for x in self.model.parameters())
        if not (weights and np.isfinite(self.recent_loss)):
            raise DataError(
                "training",
                expected="a finite loss",
                got=f"{self.recent_loss} in epoch {self.current_epoch + 1}",
                fix=f"lower the learning rate (it is {self.learning_rate:g}); "
                "the checkpoints of the epochs before are kept",
            )

    def configure_optimizers(self) -> Any:
        """Adam, and the learning rate for each step of the run."""
        # The fitted states are no weights of the network, and are not drawn to zero.
        groups = [{"params": list(self.model.parameters()), "weight_decay": self.weight_decay}]
        if self.fitted:
            groups.append({"params": [self.shift_q, self.shift_p], "weight_decay": 0.0})
        optimiser = torch.optim.Adam(groups, lr=self.learning_rate, fused=True)
        if self.schedule == "constant":
            return optimiser
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, partial(one_cycle, steps=steps, warmup=0.1)
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say in the checkpoint what the model is."""
        if self.info is not None:
            figures = {k: float(v) for k, v in self.trainer.callback_metrics.items()}
            checkpoint |= header(replace(self.info, figures=figures))


def _tensors(learning: Trajectories, testing: Trajectories) -> dict[str, Tensor]:
    """What a task keeps on its device; the states for testing are numbered."""
    names = {"q": "observed_q", "p": "observed_p", "rate_q": "rate_q", "rate_p": "rate_p"}
    kept = {name: getattr(learning, of) for name, of in names.items()}
    return kept | {f"test_{n}": getattr(testing, of).flatten(0, 1) for n, of in names.items()}


def _require_times(trajectories: Trajectories, times: int, what: str) -> None:
    """Refuse trajectories that are too short."""
    if len(trajectories.t) < times:
        raise InputError(
            "trajectories",
            expected=f"at least {times} times, for {what}",
            got=str(len(trajectories.t)),
            fix="observe them more often, or learn otherwise",
        )
