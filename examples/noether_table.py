"""What Hamiltonian networks conserve: drift over 10,000 steps, for each network and solver.

    python examples/noether_table.py

Three bodies move under networks with random weights: conservation is a matter of structure, not of
learning. The largest change of energy, momentum and angular momentum of any of the systems is
divided by the spread of the energies of the systems, and by the sizes of what adds up to P and L.
"""

import argparse

import numpy as np
import torch

from hepml.datasets import ThreeBody
from hepml.models import Dynamics
from hepml.nn import CentralHamiltonian, GraphHamiltonian, MLPHamiltonian, SeparableHamiltonian
from hepml.solvers import SOLVERS, angular_momentum, total_momentum

NETWORKS = {
    "MLP (q, p)": lambda: MLPHamiltonian(6, (16, 16)),
    "T(p) + V(q)": lambda: SeparableHamiltonian(6, (16, 16)),
    "relative positions": lambda: GraphHamiltonian(2, (16, 16)),
    "distances": lambda: CentralHamiltonian(2, (16, 16)),
}
# Solvers that split H need T(p) + V(q).
SPLITTING = ("leapfrog", "yoshida4", "yoshida6")
# What is conserved by construction may change by this much in float64, by rounding.
LIMIT = 1e-10
# What no solver of these changes, by construction: P as each kick sums to zero, L as each step
# turns with the system, or keeps quadratic invariants.
BY_CONSTRUCTION = {
    "relative positions": dict.fromkeys((*SPLITTING, "implicit-midpoint", "rk4"), ("P",)),
    "distances": {
        **dict.fromkeys((*SPLITTING, "implicit-midpoint"), ("P", "L")),
        "rk4": ("P",),
    },
}


def drift(network, solver, dtype, steps, systems=4):
    """The largest relative changes of E, P and L, and how many systems ran away."""
    torch.manual_seed(0)
    model = network().to(dtype)
    start = torch.from_numpy(ThreeBody().draw(np.random.default_rng(0), systems)).to(dtype)
    dynamics = Dynamics(model)
    with torch.no_grad():
        path = dynamics.follow(
            *start, solver=solver(), dt=0.02, steps=steps, every=max(1, steps // 100)
        )
        q, p = path.q.double(), path.p.double()
        # The energy in float64: that of a float32 network would round.
        energy = torch.stack(
            [Dynamics(model.double()).energy(*state) for state in zip(q, p, strict=True)]
        )
    speed = p.norm(dim=-1)
    quantities = {
        "E": (energy[..., None], energy[0].std()),
        "P": (total_momentum(p), speed.sum(-1).amax()),
        "L": (angular_momentum(q, p), (q.norm(dim=-1) * speed).sum(-1).amax()),
    }
    changes = {n: float((x - x[0]).norm(dim=-1).amax() / s) for n, (x, s) in quantities.items()}
    return changes, int(path.stopped.sum())


def main(words=None):
    """Measure, print, and fail if what must be conserved is not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    arguments = parser.parse_args(words)
    print(f"relative drift over {arguments.steps:,} steps of 0.02; * by construction\n")
    names = [f"{n}, {d}" for d in ("float64", "float32") for n in "EPL"]
    print(f"| H | solver | {' | '.join(names)} |\n|---|---|{'---|' * 6}")
    largest = {}
    for network, build in NETWORKS.items():
        for name, solver in SOLVERS.items():
            if name == "adaptive" or (network.startswith("MLP") and name in SPLITTING):
                continue
            cells = []
            for dtype in (torch.float64, torch.float32):
                changes, stopped = drift(build, solver, dtype, arguments.steps)
                kept = BY_CONSTRUCTION.get(network, {}).get(name, ())
                cells += [f"{x:.0e}{'*' * (q in kept)}" for q, x in changes.items()]
                cells[-1] += f" ({stopped} ran away)" if stopped else ""
                if dtype == torch.float64:
                    largest |= {f"{network}, {name}, {q}": changes[q] for q in kept}
            print(f"| {network} | {name} | {' | '.join(cells)} |", flush=True)
    worst = max(largest, key=largest.get)
    print(f"\nconserved by construction, float64: at most {largest[worst]:.1e} ({worst})")
    if not largest[worst] < LIMIT:
        raise SystemExit(f"expected below {LIMIT:g}, got {largest[worst]:.1e}: {worst}")


if __name__ == "__main__":
    main()
