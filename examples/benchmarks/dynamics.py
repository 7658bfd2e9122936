"""How fast Hamiltonian networks learn and move: hepml against the published formulation.

    python examples/benchmarks/dynamics.py

The same network, the two-body problem, one run. What is compared takes turns, so that a busy
machine slows all of it alike; ratios are formed within a round.

The published formulation (arXiv:1906.01563 and its code): rates are a gradient by autograd, turned
by a matrix and added to a field of zeros; a step is a loss, its gradient, which is copied, Adam as
torch makes it by default, and the loss of a batch for testing; a trajectory is one call of SciPy,
which calls the network with one state at a time.
"""

import argparse
import copy
import statistics
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import _measure as measure
import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor, nn

from hepml.datasets import TwoBody, simulate
from hepml.nn import HamiltonianFlow, MLPHamiltonian
from hepml.solvers import RK4, hamilton_equations, rollout

# As the published notebook follows the two-body problem.
SPAN, RTOL = 20.0, 1e-9
# So many of RK4 are at least as exact as that: the table tells both errors.
STEPS = 120
PUBLISHED = "published loop"
ALONE = "published: SciPy, one at a time"
TOGETHER = "hepml: RK4, all at once"
BY_AUTOGRAD = "the same, rates by autograd"


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-size", type=int, default=200)
    parser.add_argument("--trajectories", type=int, default=1000)
    parser.add_argument("--width", type=int, default=200)
    measure.add_arguments(parser, rounds=15)
    arguments = parser.parse_args(words)
    torch.manual_seed(0)
    network = learned(MLPHamiltonian(4, (arguments.width, arguments.width)))
    # The batch is noise: what learns from it is a copy.
    steps = step_functions(copy.deepcopy(network), arguments.batch_size)
    per_step = measure.interleave(steps, arguments.rounds, least=0.05)
    per_trajectory, errors = follow(network, arguments.trajectories, arguments.rounds)
    results = {
        "machine": measure.machine(("torch", "scipy")),
        "batch_size": arguments.batch_size,
        "trajectories": arguments.trajectories,
        "width": arguments.width,
        "seconds_per_step": per_step,
        "seconds_per_trajectory": per_trajectory,
        "largest_errors": errors,
    }
    lines = [measure.described(results["machine"]), ""]
    for title, first, seconds in (
        (f"learning, batch of {arguments.batch_size}", PUBLISHED, per_step),
        (f"{arguments.trajectories} trajectories", ALONE, per_trajectory),
    ):
        rows = [
            [
                name,
                *(f"{1e3 * x:.3f}" for x in measure.spread(each)),
                f"{statistics.median(measure.ratio_to_best(seconds, first, [name])):.2f}",
                f"{errors[name]:.1e}" if name in errors else "",
            ]
            for name, each in seconds.items()
        ]
        header = [title, "ms", "lowest", "highest", "times faster", "error"]
        lines += [measure.table(header, rows), ""]
    measure.print_and_save("dynamics", "\n".join(lines), results, arguments.output)


def learned(network: nn.Module) -> nn.Module:
    """The network after a second of learning: one that moves bodies at random is no problem."""
    data = simulate(TwoBody(), trajectories=40)
    q, p, rate_q, rate_p = (
        getattr(data, name).reshape(-1, 4).float() for name in ("q", "p", "rate_q", "rate_p")
    )
    flow = HamiltonianFlow(network)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    for _ in range(300):
        batch = torch.randint(len(q), (200,))
        found = flow(q[batch], p[batch])
        loss = (found[0] - rate_q[batch]).square().mean()
        loss = loss + (found[1] - rate_p[batch]).square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return network


@cache
def turn(dimension: int) -> Tensor:
    """The matrix that makes rates of (q, p) of a gradient."""
    unit = torch.eye(dimension)
    return torch.cat([unit[dimension // 2 :], -unit[: dimension // 2]])


def published_rates(network: nn.Module, x: Tensor) -> Tensor:
    """Rates of states (q, p) as the published code finds them; the states need gradients."""
    half = x.shape[1] // 2
    other_field = torch.zeros_like(x)
    energy = network(x[:, :half], x[:, half:])
    (gradient,) = torch.autograd.grad(energy.sum(), x, create_graph=True)
    return other_field + gradient @ turn(x.shape[1]).t()


def step_functions(network: nn.Module, batch_size: int) -> dict[str, Callable[[], object]]:
    """A step of learning in each formulation; they share the network and the batch."""
    x, y, test_x, test_y = torch.randn(4, batch_size, 8)
    plain = torch.optim.Adam(network.parameters(), 1e-3)
    fused = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    flow = HamiltonianFlow(network)

    def published(test: bool) -> None:
        found = published_rates(network, x.clone().requires_grad_())
        loss = (found - y).square().mean()
        loss.backward()
        torch.cat([parameter.grad.flatten() for parameter in network.parameters()]).clone()
        plain.step()
        plain.zero_grad()
        if test:
            tested = published_rates(network, test_x.clone().requires_grad_())
            loss.item(), (tested - test_y).square().mean().item()

    def func_rates(q: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        rate_p, rate_q = torch.func.grad(lambda q, p: network(q, p).sum(), (0, 1))(q, p)
        return rate_q, -rate_p

    def vmap_rates(q: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        one = torch.func.grad(lambda q, p: network(q[None], p[None])[0], (0, 1))
        rate_p, rate_q = torch.vmap(one)(q, p)
        return rate_q, -rate_p

    def step(rates: Callable[..., Any]) -> None:
        found = rates(x[:, :4], x[:, 4:])
        loss = nn.functional.mse_loss(torch.cat(found, dim=1), y)
        loss.backward()
        fused.step()
        fused.zero_grad()

    formulations: dict[str, Callable[..., Any]] = {
        "hepml": flow,
        "hepml, torch.compile": torch.compile(flow, fullgraph=True),
        "by autograd": partial(hamilton_equations, network),
        "torch.func.grad": func_rates,
        "vmap of torch.func.grad": vmap_rates,
    }
    return {
        PUBLISHED: partial(published, test=True),
        "published, without testing": partial(published, test=False),
        **{name: partial(step, rates) for name, rates in formulations.items()},
    }


def follow(
    network: nn.Module, trajectories: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each trajectory, and the largest error of a coordinate at its end.

    SciPy follows one trajectory in each round, hepml all of them. The truth is what the network
    does in float64, followed by DOP853 at 1e-12.
    """
    flow = HamiltonianFlow(network)
    start = TwoBody().draw(np.random.default_rng(0), trajectories).reshape(2, trajectories, 4)
    q, p = torch.from_numpy(start).float()
    flat = torch.cat([q, p], dim=1).double().numpy()
    rows = iter(np.linspace(0, trajectories - 1, rounds + 2).astype(int).tolist())
    by_autograd = partial(hamilton_equations, network)
    ends: dict[str, dict[int, Any]] = {ALONE: {}, TOGETHER: {}, BY_AUTOGRAD: {}}

    def alone() -> None:
        def rates(_: float, state: np.ndarray) -> np.ndarray:
            x = torch.tensor(state, requires_grad=True, dtype=torch.float32).view(1, 8)
            return published_rates(network, x).data.numpy().reshape(-1)

        row = next(rows)
        ends[ALONE][row] = solve_ivp(rates, (0, SPAN), flat[row], rtol=RTOL).y[:, -1]

    @torch.no_grad()
    def together(name: str, flow: Callable[..., Any]) -> None:
        run = rollout(flow, q, p, solver=RK4(), dt=SPAN / STEPS, steps=STEPS, every=STEPS)
        last = torch.cat([run.q[-1], run.p[-1]], dim=1).double().numpy()
        ends[name] = {row: last[row] for row in ends[ALONE]}

    ours = {TOGETHER: flow, BY_AUTOGRAD: by_autograd}
    calls = {name: partial(together, name, each) for name, each in ours.items()}
    seconds = measure.interleave({ALONE: alone, **calls}, rounds)
    for name in ours:
        seconds[name] = [each / trajectories for each in seconds[name]]
    network.double()

    def exact_rates(_: float, state: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return torch.cat(flow(*torch.from_numpy(state).reshape(2, 1, 4)), dim=1)[0].numpy()

    exact = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-12}
    truth = {
        row: solve_ivp(exact_rates, (0, SPAN), flat[row], **exact).y[:, -1]
        for row in ends[TOGETHER]
    }
    errors = {
        name: max(float(np.abs(each[row] - truth[row]).max()) for row in truth)
        for name, each in ends.items()
    }
    return seconds, errors


if __name__ == "__main__":
    main()
