"""The table of the paper on Hamiltonian neural networks (arXiv:1906.01563), and what improves it.

    python examples/hamiltonian_table.py [SYSTEM ...]

What was learned before is kept in the output folder: stopped, the command goes on where it was.
"""

import argparse
import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
import yaml

from hepml.datasets import SYSTEMS, follow, simulate
from hepml.io import write_trajectories
from hepml.solvers import SOLVERS
from hepml.training import Dynamics, train_dynamics

PLAN = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
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
        start = random.uniform(-0.8, 0.8, (2, 15, 1, 1))
        start += 0.2 * np.sign(start)
    t = np.linspace(0, SPAN[system.name], 101)
    return t, torch.from_numpy(follow(system, start, t))


def energy_mse(model, system, solver, substeps):
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
    results = {"stopped": int(path.stopped.sum())}
    for name, energy in {
        "energy": lambda x: system.energy(*x),
        "q2 + p2": lambda x: x.square().sum((0, -1, -2)),
    }.items():
        mse = ((energy(found) - energy(truth)).square() * used).sum(1) / used.sum(1)
        error = mse.reshape(5, 3).mean(1).std(correction=0) / 5**0.5
        results[name] = [float(mse.mean()), float(error)]
    return results


def rows(name, data, output, quick):
    """Train every network of a system and follow it with each solver, or find it done."""
    system = SYSTEMS[name]()
    for run, options in PLAN["runs"][name].items():
        options = {**PLAN["training"][name], **options, **(QUICK if quick else {})}
        folder = output / name / run.replace(", ", "-").replace(" ", "")
        learned = None
        for solver in ("rk4", "leapfrog", "yoshida4") if run == "ours" else ("rk4",):
            row = folder / f"{solver}.json"
            if not row.exists():
                learned = learned or train_dynamics(
                    trajectories=data, output=folder, **options, resume=True, progress=False
                )
                found = {
                    "run": run + (f", {solver}" if solver != "rk4" else ""),
                    "parameters": sum(p.numel() for p in learned.model.parameters()),
                    "steps": options["epochs"] * options["steps"],
                    "test_loss": learned.figures["val_loss"],
                    **energy_mse(learned.model, system, solver, 1 if quick else 20),
                }
                row.write_text(json.dumps(found))
            yield json.loads(row.read_text())


def main(words=None):
    """Make the data, train, follow, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("systems", nargs="*", default=list(PLAN["runs"]))
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/hamiltonian_table"))
    parser.add_argument("--quick", action="store_true", help="little data, few steps, to try it")
    arguments = parser.parse_args(words)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.systems:
        data = arguments.output / f"{name}.root"
        if not data.exists():
            quick = {"trajectories": 10} if arguments.quick else {}
            write_trajectories(simulate(SYSTEMS[name](), **quick), data)
        print(f"\n{name}; published: baseline {PLAN['published'][name][0]}, "
              f"HNN {PLAN['published'][name][1]}\n{'':26}{'parameters':>11}{'steps':>7}"
              f"{'test loss':>11}{'energy MSE':>22}{'of q2 + p2':>22}  stopped")  # fmt: skip
        found = []
        for row in rows(name, data, arguments.output, arguments.quick):
            mse, other = ("{:.2e} ± {:.1e}".format(*row[key]) for key in ("energy", "q2 + p2"))
            print(f"{row['run']:26}{row['parameters']:>11,}{row['steps']:>7,}{row['test_loss']:>11.2e}"
                  f"{mse:>22}{other:>22}{row['stopped']:>9}", flush=True)  # fmt: skip
            found.append(row)
        (arguments.output / f"{name}.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
