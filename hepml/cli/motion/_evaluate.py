"""``hepml evaluate RUN TRAJECTORIES``: what a network has learned of motion, in figures."""

import json
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from hepml.cli.motion._following import add_following, solver_of
from hepml.datasets import SYSTEMS, System
from hepml.errors import InputError
from hepml.io import read_trajectories
from hepml.outputs import require_free_folder, whole_folder
from hepml.training import load_dynamics

_METRICS = "metrics.json"


def make_parser() -> ArgumentParser:
    """The options of ``hepml evaluate`` with a network of dynamics."""
    parser = ArgumentParser(
        description="Losses, error of the energy, error against time, and drift of what should be "
        "conserved, on the test trajectories of a file; plots as PNG and PDF."
    )
    add_following(parser)
    parser.add_argument("-o", "--output", type=str, default="evaluation", help="folder")
    return parser


def run(config: Namespace) -> int:
    """Print the figures, write them and the plots."""
    from hepml.evaluation import (
        energy_figure,
        error_figure,
        evaluate_dynamics,
        phase_figure,
        trajectories_figure,
    )
    from hepml.figures import save_figure

    folder = Path(config.output)
    require_free_folder(folder, _METRICS, "an evaluation", overwrite=config.overwrite)
    learned = load_dynamics(config.checkpoint)
    model, info = learned
    solver = solver_of(config.solver)
    data = read_trajectories(config.trajectories)
    learned.require_system(data)
    constants = data.about.get("constants", {})
    system = _system(str(data.about.get("system")), constants)
    testing = data.split()[1]
    if len(testing) < 2:
        raise InputError(
            "trajectories",
            expected="two or more to test with: figures have an uncertainty",
            got=f"{len(testing)} of {len(data)}",
            fix="generate more",
        )
    found = evaluate_dynamics(
        model,
        data,
        system.energy,
        solver=solver,
        substeps=config.substeps,
        conserves=system.conserves,
    )
    figures = {
        "energy": energy_figure(found),
        "error": error_figure(found),
        "trajectories": trajectories_figure(testing, found),
    }
    if info.model != "MLPFlow":
        figures["phase"] = phase_figure(model, testing, found)
    content = {
        "network": info.model,
        "system": system.name,
        "solver": config.solver,
        "substeps": config.substeps,
        **found.to_dict(),
    }
    with whole_folder(folder, _METRICS) as part:
        (part / _METRICS).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
        for name, figure in figures.items():
            save_figure(figure, part / name)
    print(f"{info.model} on {len(testing)} trajectories of {system.name}, {config.solver}")
    print(f"loss        train {found.train_loss:.3g}, test {found.test_loss:.3g}")
    print(f"energy MSE  {found.energy_mse.value:.3g} ± {found.energy_mse.uncertainty:.1g}")
    print(f"error       {float(found.error[1, -1]):.3g} at t = {float(found.t[-1]):g} (median)")
    for name, (median, largest) in found.drift.items():
        print(f"drift       {name} {median:.2g} (median), {largest:.2g} (largest)")
    if bool(found.stopped.any()):
        print(f"stopped     {int(found.stopped.sum())} trajectories ran away: in no figure")
    print(f"written     {folder}/ (metrics.json, {', '.join(figures)}: PNG and PDF)")
    return 0


def _system(name: str, constants: Any = None) -> System:
    """A system by its name."""
    if name not in SYSTEMS:
        raise InputError(
            "system", expected=f"one of {', '.join(SYSTEMS)}", got=repr(name), fix="choose one"
        )
    return SYSTEMS[name](**(constants or {}))
