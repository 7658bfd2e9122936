"""Learning dynamics from trajectories: losses, batches, the task."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int64
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader

from hepml.data import Trajectories
from hepml.errors import DataError, InputError
from hepml.models import Dynamics
from hepml.solvers import Solver
from hepml.training.engine._checkpoint import CheckpointInfo
from hepml.training.engine._optimiser import Optimiser
from hepml.training.engine._task import Task

Loss = Literal["derivatives", "rollout"]
States = Literal["observed", "fitted"]

ADAM = Optimiser(weight_decay=0.0, method="adam", schedule="constant")
# States, when the loss of the test trajectories is computed.
_TESTED_TOGETHER = 10_000
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


class StateData(LightningDataModule):
    """The numbers of states to learn from, drawn anew in each epoch, and of those to test with.

    Parameters
    ----------
    states, tested
        How many there are.
    batch_size, steps, seed
        See :class:`StateBatches`.
    """

    def __init__(self, states: int, tested: int, *, batch_size: int, steps: int, seed: int) -> None:
        super().__init__()
        self.states, self.tested = states, tested
        self.batch_size, self.steps, self.seed = batch_size, steps, seed

    def train_dataloader(self) -> StateBatches:
        """The batches of an epoch."""
        return StateBatches(
            self.states, self.batch_size, self.steps, self.seed, lambda: self._epoch
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """All states to test with."""
        numbers: Any = torch.arange(self.tested)
        return DataLoader(numbers.split(_TESTED_TOGETHER), batch_size=None)

    @property
    def _epoch(self) -> int:
        """Which epoch it is."""
        return 0 if self.trainer is None else self.trainer.current_epoch


class DynamicsTask(Task):
    """Learn rates, or short rollouts, of trajectories.

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
    optimiser
        By default Adam with a constant learning rate.
    info
        What the checkpoints shall say about the model.
    """

    unit = "states"
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
        optimiser: Optimiser = ADAM,
        info: CheckpointInfo | None = None,
    ) -> None:
        super().__init__(model, optimiser=optimiser, info=info)
        # Not a part of this module: its weights are those of the model.
        self._dynamics = [Dynamics(model)]
        self.fitted = states == "fitted"
        self.loss_name, self.solver, self.horizon = loss, solver, horizon
        if self.fitted:
            # The error at noisy states does not tell a good H from a blurred one.
            self.decides = None
        self.dt = float(learning.t[1] - learning.t[0])
        for name, value in _tensors(learning, testing).items():
            self.register_buffer(name, value, persistent=False)
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

    def loss(self, batch: Int64[Tensor, " batch"]) -> Float[Tensor, ""]:
        """The loss of a batch of numbers of states."""
        return self.rollout_loss(batch) if self.loss_name == "rollout" else self.rate_loss(batch)

    def penalty(self) -> Float[Tensor, ""] | None:
        """The distance of fitted states from the observed ones."""
        if not self.fitted:
            return None
        return _TRUST * (self.shift_q.square().mean() + self.shift_p.square().mean())

    def weight_groups(self) -> list[dict[str, Any]]:
        """The weights of the network; fitted states are none, and are not drawn to zero."""
        groups = super().weight_groups()
        if self.fitted:
            groups.append({"params": [self.shift_q, self.shift_p], "weight_decay": 0.0})
        return groups

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
                fix=f"lower the learning rate (it is {self.optimiser.learning_rate:g}) or the "
                "horizon, or observe more often; the checkpoints of the epochs before are kept",
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
