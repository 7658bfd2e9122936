"""The table of the paper on Hamiltonian neural networks (arXiv:1906.01563), and what improves it.

python examples/hamiltonian_table.py [SYSTEM ...]
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import yaml

from hepml.datasets import SYSTEMS, follow, simulate
from hepml.io import write_trajectories
from hepml.models import Dynamics
from hepml.solvers import SOLVERS
from hepml.training import train_dynamics

PLAN = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
COLUMNS = ("network", "solver", "weights", "steps", "test loss", "energy MSE", "of q² + p²", "lost")
QUICK = {"epochs": 1, "steps": 2}
# Until when predictions are followed. The published notebook lengthens the span of the mass on a
# spring by 9 % with each of its 15 trajectories, beginning with 20 * 1.09^2.
SPAN = {"mass-spring": 20 * 1.09**16, "pendulum": 20.0, "two-body": 25.0, "three-body": 3.0}


@cache
def true_paths(system):
    """Times and 15 trajectories, as (2, trajectories, times, bodies, space)."""
    random = np.random.default_rng(2019)
    start = system.draw(random, 15)
    if system.bodies == 1:  # as the notebook draws them: in a square, away from its axes
        start = (drawn := random.uniform(-0.8, 0.8, (2, 15, 1, 1))) + 0.2 * np.sign(drawn)
    t = np.linspace(0, SPAN[system.name], 101)
    return t, torch.from_numpy(follow(system, start, t))


def energy_mse(model, system, substeps, solver):
    """The published figure of 15 trajectories and its error; the same of q^2 + p^2; how many ran
    away. For the pendulum, q^2 + p^2 is what the published notebook calls energy."""
    t, truth = true_paths(system)
    steps = {"dt": t[1] / substeps, "steps": 100 * substeps, "every": substeps}
    with torch.no_grad():
        path = Dynamics(model).follow(*truth[:, :, 0].float(), solver=SOLVERS[solver](), **steps)
    found = torch.stack([path.q, path.p]).transpose(1, 2).double()
    used = torch.ones(15, 101, dtype=torch.float64)
    if system.name == "mass-spring":
        used *= torch.from_numpy(t) <= 20 * 1.09 ** torch.arange(2, 17)[:, None]
    results = [int(path.stopped.sum())]
    for energy in (lambda x: system.energy(*x), lambda x: x.square().sum((0, -1, -2))):
        mse = ((energy(found) - energy(truth)).square() * used).sum(1) / used.sum(1)
        error = mse.reshape(5, 3).mean(1).std(correction=0) / 5**0.5
        results += [float(mse.mean()), float(error)]
    return results


def make(job):
    """Trajectories of a system; without noise one draw of them will do for all seeds."""
    name, _, seed, output, quick = job
    path = output / f"{name}-{seed if SYSTEMS[name].noise else 0}.root"
    if not path.exists():
        data = simulate(SYSTEMS[name](), seed=seed, trajectories=10 if quick else None)
        write_trajectories(data, path)
    return path


def learn(job):
    """Train a network of the plan and follow it with each of its solvers, or find it done."""
    name, run, seed, output, quick = job
    folder = output / name / f"{run.replace(', ', '-').replace(' ', '')}-{seed}"
    row = folder / "row.json"
    if not row.exists():
        options = {**PLAN["training"][name], **PLAN["runs"][name][run], **(QUICK if quick else {})}
        solvers = options.pop("followed by", ["rk4"])
        options |= {"output": folder, "seed": seed, "resume": True, "progress": False}
        learned = train_dynamics(trajectories=make(job), **options)
        found = [sum(p.numel() for p in learned.model.parameters())]
        found += [options["epochs"] * options["steps"], learned.figures["val_loss"]]
        followed = (learned.model, SYSTEMS[name](), 1 if quick else 20)
        found.append({solver: energy_mse(*followed, solver) for solver in solvers})
        row.write_text(json.dumps(found))
    return json.loads(row.read_text())


def show(run, rows):
    """A line for each solver: the median over the seeds, the lowest and the highest."""
    size, steps, loss, followed = zip(*rows, strict=True)
    for solver in followed[0]:
        stopped, *figures = zip(*(each[solver] for each in followed), strict=True)
        cells = [run, solver, f"{size[0]:,}", f"{steps[0]:,}", f"{np.median(loss):.2e}"]
        for each, error in zip(figures[::2], figures[1::2], strict=True):
            spread = f", {len(each)} seeds {min(each):.0e} to {max(each):.0e}" if each[1:] else ""
            cells.append(f"{np.median(each):.2e} ± {error[0]:.0e}{spread}")
        print(f"| {' | '.join(cells)} | {sum(stopped)} |", flush=True)


def main(words=None):
    """Train a network on each core, follow them, print; begun before, go on where it stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("systems", nargs="*", default=list(PLAN["runs"]))
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/hamiltonian_table"))
    parser.add_argument("--serial", action="store_true", help="one network at a time")
    parser.add_argument("--quick", action="store_true", help="little data, few steps, to try it")
    arguments = parser.parse_args(words)
    arguments.output.mkdir(parents=True, exist_ok=True)
    plan = [
        (name, run, seed, arguments.output, arguments.quick)
        for name in arguments.systems
        for run in PLAN["runs"][name]
        for seed in range(PLAN["seeds"][name] if run in PLAN["repeated"] else 1)
    ]
    pool = ProcessPoolExecutor(None, get_context("spawn"), torch.set_num_threads, (1,))
    each = map if arguments.serial else pool.map
    longest_first = [job for job in reversed(plan) if job[1] == "HNN"]
    list(each(make, [job for job in longest_first if job[2] == 0 or SYSTEMS[job[0]].noise]))
    found = each(learn, plan)
    for name in arguments.systems:
        print("\n{}; published: baseline {}, HNN {}\n".format(name, *PLAN["published"][name]))
        print(f"| {' | '.join(COLUMNS)} |\n|---|---|{'--:|' * (len(COLUMNS) - 2)}")
        for run in PLAN["runs"][name]:
            show(run, [next(found) for job in plan if job[:2] == (name, run)])


if __name__ == "__main__":
    main()
