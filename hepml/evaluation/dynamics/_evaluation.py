"""How well a network predicts trajectories, and what it conserves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from hepml.data import Trajectories
from hepml.errors import InputError
from hepml.evaluation._estimate import Estimate
from hepml.models import Dynamics
from hepml.solvers import Solver, angular_momentum, total_momentum

Energy = Callable[[Tensor, Tensor], Tensor]
QUANTITIES = ("energy", "momentum", "angular momentum")
# Minus one standard deviation of a normal distribution, the median, plus one.
QUANTILES = (0.15866, 0.5, 0.84134)


@dataclass(frozen=True)
class DynamicsEvaluation:
    """The figures of a network on test trajectories.

    Parameters
    ----------
    train_loss, test_loss
        The mean square error of the rates at the observed states.
    energy_mse
        The mean square difference of the true energy along predicted and along true trajectories,
        over trajectories and times, with its standard error over trajectories.
    t
        The times.
    error
        The root mean square difference of the coordinates and momenta: for each time the quantiles
        0.16, 0.5 and 0.84 over the trajectories.
    energies, true_energies
        Along predicted and along true trajectories.
    drift
        Of energy, momentum and angular momentum: the largest change along a trajectory, divided by
        the largest ``|H|``, ``sum_i |p_i|`` or ``sum_i |q_i| |p_i|`` along it; the median and the
        largest over the trajectories. The true H, whose zero is that of the system.
    q, p
        The predicted trajectories.
    stopped
        Which of them could not be followed to the end: they enter no figure.
    """

    train_loss: float
    test_loss: float
    energy_mse: Estimate
    t: Float[Tensor, " times"]
    error: Float[Tensor, "3 times"]
    energies: Float[Tensor, "trajectories times"]
    true_energies: Float[Tensor, "trajectories times"]
    drift: Mapping[str, tuple[float, float]]
    q: Float[Tensor, "trajectories times bodies space"]
    p: Float[Tensor, "trajectories times bodies space"]
    stopped: Bool[Tensor, " trajectories"]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "train_loss": self.train_loss,
            "test_loss": self.test_loss,
            "energy_mse": self.energy_mse.value,
            "energy_mse_error": self.energy_mse.uncertainty,
            "trajectories": len(self.stopped),
            "stopped": int(self.stopped.sum()),
            "t": self.t.tolist(),
            "error_quantiles": dict(zip(map(str, QUANTILES), self.error.tolist(), strict=True)),
            "drift": {
                name: {"median": median, "largest": largest}
                for name, (median, largest) in self.drift.items()
            },
        }


def evaluate_dynamics(
    model: nn.Module,
    trajectories: Trajectories,
    energy: Energy,
    *,
    solver: Solver,
    substeps: int = 10,
    conserves: Sequence[str] = QUANTITIES,
) -> DynamicsEvaluation:
    """Follow the test trajectories from their true beginning, and compare.

    Parameters
    ----------
    model
        A network of :data:`hepml.models.DYNAMICS`.
    trajectories
        All of a file: the last are those to test with.
    energy
        The true H(q, p).
    solver, substeps
        How the predicted motion is followed: so many steps between two times.
    conserves
        Which quantities the system conserves, among :data:`QUANTITIES`: their drift is measured.

    Raises
    ------
    InputError
        If the network cannot take these systems, or none could be followed to the end.
    """
    dtype = next(model.parameters()).dtype
    learning, testing = (part.to(dtype=dtype) for part in trajectories.split())
    dynamics = Dynamics(model)
    dt = float(testing.t[1] - testing.t[0]) / substeps
    steps = substeps * (len(testing.t) - 1)
    with torch.no_grad():
        losses = [rate_loss(dynamics, part) for part in (learning, testing)]
        path = dynamics.follow(
            testing.q[:, 0], testing.p[:, 0], solver=solver, dt=dt, steps=steps, every=substeps
        )
    # In the precision of the truth: the energy of a float32 state is not exact.
    q, p = (x.transpose(0, 1).double() for x in (path.q, path.p))
    truth = trajectories.split()[1].to(dtype=torch.float64)
    whole = ~path.stopped
    if not bool(whole.any()):
        raise InputError(
            "trajectories",
            expected="some that the network can follow to the end",
            got=f"none of {len(whole)} with steps of {dt:.3g}",
            fix="take more substeps, or train the network further",
        )
    energies, true_energies = energy(q, p), energy(truth.q, truth.p)
    squares = (energies - true_energies).square().mean(dim=1)[whole]
    difference = torch.cat([q - truth.q, p - truth.p], dim=-1)[whole]
    error = difference.square().mean(dim=(-1, -2)).sqrt()
    quantiles = torch.tensor(QUANTILES, dtype=error.dtype)
    return DynamicsEvaluation(
        losses[0],
        losses[1],
        Estimate(float(squares.mean()), float(squares.std() / len(squares) ** 0.5)),
        truth.t,
        error.quantile(quantiles, dim=0),
        energies,
        true_energies,
        _drift(q[whole], p[whole], energies[whole], conserves),
        q,
        p,
        path.stopped,
    )


def rate_loss(dynamics: Dynamics, part: Trajectories) -> float:
    """The mean square error of the rates at the observed states."""
    found = dynamics(part.observed_q.flatten(0, 1), part.observed_p.flatten(0, 1))
    wanted = (part.rate_q.flatten(0, 1), part.rate_p.flatten(0, 1))
    return float(sum((f - w).square().mean() for f, w in zip(found, wanted, strict=True))) / 2


def relative_drift(
    conserved: Float[Tensor, "trajectories times *components"], size: Float[Tensor, " trajectories"]
) -> Float[Tensor, " trajectories"]:
    """The largest change since the first time, divided by a size."""
    change = (conserved - conserved[:, :1]).reshape(*conserved.shape[:2], -1)
    largest: Tensor = torch.linalg.vector_norm(change, dim=-1).amax(dim=1)
    return largest / size


def _drift(
    q: Tensor, p: Tensor, energies: Tensor, conserves: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Medians and largest values of the drift of each of these quantities."""
    quantities = {"energy": (energies, energies.abs().amax(dim=1))}
    quantities["momentum"] = (total_momentum(p), p.norm(dim=-1).sum(dim=-1).amax(dim=1))
    size = (q.norm(dim=-1) * p.norm(dim=-1)).sum(dim=-1).amax(dim=1)
    quantities["angular momentum"] = (angular_momentum(q, p), size)
    drifts = {name: relative_drift(*quantities[name]) for name in conserves}
    return {name: (float(d.median()), float(d.max())) for name, d in drifts.items()}
