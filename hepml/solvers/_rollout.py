"""Trajectories: a solver's steps, one after the other, and where they had to stop."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from hepml.errors import DataError, InputError
from hepml.ops import is_batched, segment_index
from hepml.solvers._held import held
from hepml.solvers._solver import Flow, Solver


@dataclass(frozen=True)
class Rollout:
    """The states along trajectories that a solver has followed, and which rows stopped.

    Parameters
    ----------
    t
        Times, from 0 on.
    q, p
        Coordinates and momenta at these times.
    steps
        For each row of the state, how many steps it took before it stopped. From there on q and p
        repeat the last state that could be computed: no row holds NaN. Derivatives of a row that
        stopped are not defined; ask for :meth:`complete` before taking any.
    asked
        How many steps were asked for.
    """

    t: Float[Tensor, " times"]
    q: Float[Tensor, "times rows dimension"]
    p: Float[Tensor, "times rows dimension"]
    steps: Int64[Tensor, " rows"]
    asked: int

    @property
    def stopped(self) -> Bool[Tensor, " rows"]:
        """Which rows stopped early."""
        return self.steps < self.asked

    def complete(self) -> "Rollout":
        """The rollout itself.

        Raises
        ------
        DataError
            If any row stopped early.
        """
        rows = self.stopped.nonzero().flatten()
        if len(rows):
            first = int(rows[self.steps[rows].argmin()])
            dt = float(self.t[-1]) / self.asked
            raise DataError(
                "rollout",
                expected=f"finite states over {self.asked} steps of {dt:.3g}",
                got=f"{len(rows)} of {len(self.steps)} rows that ran away or could not be "
                f"solved, row {first} after {int(self.steps[first])} steps",
                fix="take smaller steps",
            )
        return self


def rollout(
    flow: Flow,
    q: Float[Tensor, "rows dimension"],
    p: Float[Tensor, "rows dimension"],
    *,
    solver: Solver,
    dt: float,
    steps: int,
    every: int = 1,
    offsets: Int64[Tensor, " bounds"] | None = None,
    runaway: float = 1e6,
) -> Rollout:
    """Follow the flow from (q, p).

    Parameters
    ----------
    flow
        What gives the rates: :class:`hepml.nn.HamiltonianFlow`, or any function of (q, p).
    q, p
        The states at the start, one in each row.
    solver
        How a step is made.
    dt
        The length of a step; negative to go back in time.
    steps
        Their number.
    every
        Keep the state after every so many steps, and that at the start.
    offsets
        Bounds of the rows that are bodies of one system, and stop together; by default each row is
        a system of its own.
    runaway
        A row stops where it is not finite, or where a coordinate or momentum is more than this
        many times the largest one of the start.

    Raises
    ------
    InputError
        If q and p differ in shape, hold NaN, or are no floating point matrix; if `dt` is 0 or not
        finite; if `steps` is no multiple of `every`; if `offsets` do not end with the last row.

    Examples
    --------
    An oscillator with steps beyond the stability limit dt = 2:

    >>> from hepml.solvers import Leapfrog
    >>> class Oscillator:
    ...     def velocity(self, p): return p
    ...     def force(self, q): return -q
    ...     def __call__(self, q, p): return p, -q
    >>> q, p = torch.ones(1, 1), torch.zeros(1, 1)
    >>> rollout(Oscillator(), q, p, solver=Leapfrog(), dt=0.1, steps=100).stopped
    tensor([False])
    >>> rollout(Oscillator(), q, p, solver=Leapfrog(), dt=2.5, steps=100).steps
    tensor([10])
    """
    _check(q, p, dt, steps, every)
    system = None if offsets is None else segment_index(offsets, q.shape[0])
    bound = runaway * (max(_largest(q), _largest(p)) or 1.0)
    taken = torch.full((q.shape[0],), steps, dtype=torch.int64, device=q.device)
    alive = torch.ones(q.shape[0], dtype=torch.bool, device=q.device)
    kept_q, kept_p = [q], [p]
    moving: Flow | None = flow
    for step in range(1, steps + 1):
        if moving is None:
            break
        next_q, next_p = solver.step(moving, q, p, dt)
        # A comparison with NaN is false.
        if not (_largest(next_q) <= bound and _largest(next_p) <= bound):
            inside = torch.maximum(next_q.detach().abs(), next_p.detach().abs()).le(bound)
            stops = alive & ~inside.all(dim=-1)
            if system is not None:
                stops = alive & torch.isin(system, system[stops])
            taken[stops] = step - 1
            alive = alive & ~stops
            next_q = torch.where(alive[:, None], next_q, q)
            next_p = torch.where(alive[:, None], next_p, p)
            # What has stopped costs nothing more, and cannot hold up an adaptive solver.
            moving = held(flow, ~alive) if bool(alive.any()) else None
        q, p = next_q, next_p
        if step % every == 0:
            kept_q.append(q)
            kept_p.append(p)
    states = steps // every + 1
    kept_q += [q] * (states - len(kept_q))
    kept_p += [p] * (states - len(kept_p))
    t = dt * every * torch.arange(len(kept_q), dtype=q.dtype, device=q.device)
    return Rollout(t, torch.stack(kept_q), torch.stack(kept_p), taken, steps)


def _largest(x: Tensor) -> float:
    """The largest absolute value, NaN if there is any; 0 of nothing."""
    return float(torch.linalg.vector_norm(x.detach(), math.inf)) if x.numel() else 0.0


def _check(q: Tensor, p: Tensor, dt: float, steps: int, every: int) -> None:
    """Refuse states and steps that cannot be followed."""
    if q.shape != p.shape or q.dim() != 2 or not q.is_floating_point() or q.dtype != p.dtype:
        raise InputError(
            "q and p",
            expected="floating point of one shape (rows, dimension)",
            got=f"{q.dtype} of shape {tuple(q.shape)} and {p.dtype} of shape {tuple(p.shape)}",
            fix="give a momentum for each coordinate, and a row for each state",
        )
    if is_batched(q) or is_batched(p):
        raise InputError(
            "q and p",
            expected="states whose numbers can be compared, as rows stop alone",
            got="a batch of torch.func.vmap",
            fix="give all states as rows; a Jacobian is torch.func.jacrev(...), with chunk_size=1",
        )
    if not bool((q.isfinite() & p.isfinite()).all()):
        bad = (~(q.isfinite() & p.isfinite()).all(dim=-1)).nonzero().flatten()
        raise InputError(
            "q and p",
            expected="finite numbers",
            got=f"NaN or infinity in {len(bad)} of {len(q)} rows, first in row {int(bad[0])}",
            fix="drop these states",
        )
    if dt == 0 or not math.isfinite(dt):
        raise InputError("dt", expected="a finite time other than 0", got=str(dt), fix="set it")
    if steps < 0 or every < 1 or steps % every:
        raise InputError(
            "steps and every",
            expected="a number of steps that is a multiple of every",
            got=f"{steps} and {every}",
            fix="change one of them",
        )
