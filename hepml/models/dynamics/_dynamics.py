"""Networks of dynamics, applied to systems of bodies."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from hepml.errors import InputError
from hepml.models._networks import DYNAMICS
from hepml.nn import GraphHamiltonian, HamiltonianFlow, MLPFlow
from hepml.ops import all_pairs, check_rows
from hepml.solvers import Flow, Solver, rollout


class Path(NamedTuple):
    """States of systems along their trajectories.

    ``stopped`` says which systems could not be followed to the end; they repeat their last state.
    """

    t: Float[Tensor, " times"]
    q: Float[Tensor, "times systems bodies space"]
    p: Float[Tensor, "times systems bodies space"]
    stopped: Bool[Tensor, " systems"]


class Dynamics(nn.Module):
    """The motion that a network gives to systems of equally many bodies.

    Parameters
    ----------
    network
        One of :data:`DYNAMICS`, or any module that :class:`~hepml.nn.HamiltonianFlow` takes.

    Notes
    -----
    A :class:`~hepml.nn.GraphHamiltonian` sees bodies; any other network sees all coordinates of a
    system in one row.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.flow = network if isinstance(network, MLPFlow) else HamiltonianFlow(network)
        self.of_bodies = isinstance(network, GraphHamiltonian)

    def rows(self, x: Float[Tensor, "systems bodies space"]) -> Float[Tensor, "rows dimension"]:
        """Coordinates as the network takes them."""
        return x.flatten(0, 1) if self.of_bodies else x.flatten(1)

    def offsets(self, q: Float[Tensor, "systems bodies space"]) -> Int64[Tensor, " bounds"] | None:
        """Where the rows of each system begin; None where each row is a system."""
        systems, bodies = q.shape[:2]
        return bodies * torch.arange(systems + 1, device=q.device) if self.of_bodies else None

    def bound(self, q: Float[Tensor, "systems bodies space"]) -> Flow:
        """The flow of so many systems, as solvers take it."""
        if isinstance(self.flow, MLPFlow):
            return self.flow
        offsets = self.offsets(q)
        if offsets is None:
            return self.flow.bind()
        return self.flow.bind(offsets, all_pairs(offsets, q.shape[0] * q.shape[1]))

    def forward(
        self, q: Float[Tensor, "systems bodies space"], p: Float[Tensor, "systems bodies space"]
    ) -> tuple[Float[Tensor, "systems bodies space"], Float[Tensor, "systems bodies space"]]:
        """The rates of coordinates and momenta."""
        _check_states(q, p)
        flow = self.bound(q)
        rate_q, rate_p = flow(self.rows(q), self.rows(p))
        return rate_q.reshape(q.shape), rate_p.reshape(p.shape)

    def follow(
        self,
        q: Float[Tensor, "systems bodies space"],
        p: Float[Tensor, "systems bodies space"],
        *,
        solver: Solver,
        dt: float,
        steps: int,
        every: int = 1,
    ) -> Path:
        """Trajectories from (q, p), as :func:`hepml.solvers.rollout` makes them."""
        _check_states(q, p)
        run = rollout(
            self.bound(q),
            self.rows(q),
            self.rows(p),
            solver=solver,
            dt=dt,
            steps=steps,
            every=every,
            offsets=self.offsets(q),
        )
        shape = (len(run.t), *q.shape)
        stopped = run.stopped.reshape(q.shape[0], -1).any(dim=1)
        return Path(run.t, run.q.reshape(shape), run.p.reshape(shape), stopped)

    def energy(
        self, q: Float[Tensor, "systems bodies space"], p: Float[Tensor, "systems bodies space"]
    ) -> Float[Tensor, " systems"]:
        """The learned H.

        Raises
        ------
        InputError
            If the network has none.
        """
        _check_states(q, p)
        if isinstance(self.flow, MLPFlow):
            raise InputError(
                "network", expected="one with an H", got="MLPFlow", fix="train a Hamiltonian"
            )
        offsets = self.offsets(q)
        context = () if offsets is None else (offsets,)
        energy: Tensor = self.flow.hamiltonian(self.rows(q), self.rows(p), *context)
        return energy


def _check_states(q: Tensor, p: Tensor) -> None:
    """Refuse what are no states of bodies: a row of numbers would be cut otherwise."""
    check_rows("q", q, axes=3)
    check_rows("p", p, axes=3)
    if q.shape != p.shape:
        raise InputError(
            "q and p",
            expected="the same shape (systems, bodies, space)",
            got=f"{tuple(q.shape)} and {tuple(p.shape)}",
            fix="give a momentum for each coordinate",
        )


def network_arguments(
    name: str, bodies: int, space: int, widths: Sequence[int] = (), activation: str | None = None
) -> Mapping[str, Any]:
    """The arguments of a network for systems of this shape; the rest are its defaults.

    Raises
    ------
    InputError
        If there is no such network.
    """
    if name not in DYNAMICS:
        raise InputError(
            "network", expected=f"one of {', '.join(DYNAMICS)}", got=repr(name), fix="name one"
        )
    of_bodies = issubclass(DYNAMICS[name], GraphHamiltonian)
    arguments: dict[str, Any] = {"space": space} if of_bodies else {"dimension": bodies * space}
    if widths:
        arguments["widths"] = list(widths)
    if activation is not None:
        arguments["activation"] = activation
    return arguments
