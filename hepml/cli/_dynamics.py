"""``hepml dynamics``: learn the motion of Hamiltonian systems, follow it, measure it."""

import json
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ActionConfigFile, ArgumentParser, Namespace  # type: ignore[attr-defined]
from jsonargparse.typing import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from hepml.data import Trajectories
from hepml.datasets import SYSTEMS, System, simulate
from hepml.errors import InputError
from hepml.io import read_trajectories, write_trajectories
from hepml.models import DYNAMICS
from hepml.outputs import require_free, require_free_folder, whole_folder
from hepml.solvers import SOLVERS
from hepml.training import load_dynamics, train_dynamics

_METRICS = "metrics.json"
# Every option of `train_dynamics` but the network and the file: type and help.
_OPTIONS: dict[str, tuple[Any, str]] = {
    "widths": (list[int], "channels of the hidden layers; default: the network's own"),
    "activation": (Literal["tanh", "softplus", "silu"] | None, "default: the network's own"),
    "loss": (Literal["derivatives", "rollout"], "what is compared: rates, or states reached"),
    "states": (Literal["observed", "fitted"], "learn from noisy states, or from fitted ones"),
    "solver": (str, f"of the rollouts: {', '.join(SOLVERS)}"),
    "horizon": (int, "intervals between observations in a rollout"),
    "epochs": (int, "how many"),
    "steps": (int, "batches in an epoch"),
    "batch_size": (int, "states at a time"),
    "learning_rate": (float, "the maximum of the schedule"),
    "weight_decay": (float, "of the optimiser"),
    "schedule": (Literal["constant", "one-cycle", "cosine", "plateau"], "of the learning rate"),
    "optimiser": (Literal["adam", "adamw", "sgd", "radam-lookahead"], "what changes the weights"),
    "patience": (int | None, "stop after so many epochs without a better one"),
    "clip_gradient": (float | None, "shorten gradients to this norm"),
    "accumulate": (int, "batches to each step of the optimiser"),
    "ema": (float | None, "validate and keep a moving average of the weights: 0.999"),
    "precision": (Literal["32", "64"], "of the arithmetic"),
    "accelerator": (str, "auto, cpu, gpu, ..."),
    "seed": (int, "decides weights at the start and batches"),
}


def make_parser() -> ArgumentParser:
    """The subcommands of ``hepml dynamics``."""
    parser = ArgumentParser(
        prog="hepml dynamics",
        description="Hamiltonian networks: make trajectories, learn from them, follow what was "
        "learned, measure what it conserves.",
    )
    commands = parser.add_subcommands()
    commands.add_subcommand("generate", _generate_parser(), help="trajectories of a known system")
    commands.add_subcommand("train", _train_parser(), help="train a network on trajectories")
    commands.add_subcommand("rollout", _rollout_parser(), help="predict trajectories, to ROOT")
    commands.add_subcommand("evaluate", _evaluate_parser(), help="figures, plots, JSON")
    return parser


def run(config: Namespace) -> int:
    """Run the subcommand."""
    commands = {
        "generate": _generate,
        "train": _train,
        "rollout": _rollout,
        "evaluate": _evaluate,
    }
    commands[config.subcommand](config[config.subcommand])
    return 0


def _generate_parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Trajectories from SciPy at a relative tolerance of 1e-12. What is left out is "
        "as in the paper on Hamiltonian neural networks."
    )
    parser.add_argument("system", type=str, help=", ".join(SYSTEMS))
    parser.add_argument("output", type=str, help="ROOT file to write")
    parser.add_argument("--trajectories", type=PositiveInt | None, help="how many")
    parser.add_argument("--span", type=PositiveFloat | None, help="how long each is")
    parser.add_argument("--times", type=PositiveInt | None, help="how often it is observed")
    parser.add_argument("--noise", type=NonNegativeFloat | None, help="of an observation")
    parser.add_argument(
        "--seed", type=NonNegativeInt, default=0, help="of initial states and noise"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file")
    return parser


def _train_parser() -> ArgumentParser:
    parser = ArgumentParser(
        description=f"Train one of {', '.join(DYNAMICS)}. The last trajectories of the file are "
        "kept for testing."
    )
    parser.add_argument("--config", action=ActionConfigFile, help="YAML file with any of these")
    parser.add_argument("network", type=str, help=", ".join(DYNAMICS))
    parser.add_argument("trajectories", type=str, help="ROOT file of `hepml dynamics generate`")
    parser.add_argument("-o", "--output", type=str | None, help="folder; default: runs/NETWORK")
    defaults = signature(train_dynamics).parameters
    for name, (kind, text) in _OPTIONS.items():
        extra: dict[str, Any] = {"nargs": "+"} if name == "widths" else {}
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=int if extra else kind,
            default=[] if extra else defaults[name].default,
            help=text,
            **extra,
        )
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--overwrite", action="store_true", help="remove the run in the folder")
    return parser


def _add_following(parser: ArgumentParser) -> None:
    """The arguments of the commands that follow trajectories."""
    parser.add_argument("checkpoint", type=str, help="a checkpoint, or the folder of a run")
    parser.add_argument("trajectories", type=str, help="ROOT file with trajectories")
    parser.add_argument("--solver", type=str, default="rk4", help=", ".join(SOLVERS))
    parser.add_argument("--substeps", type=PositiveInt, default=10, help="between two times")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")


def _rollout_parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Follow what a network learned from the beginning of each trajectory of a "
        "file, and write a file of the same kind."
    )
    _add_following(parser)
    parser.add_argument("-o", "--output", type=str, default="rollout.root", help="ROOT file")
    return parser


def _evaluate_parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Losses, error of the energy, error against time, and drift of what should be "
        "conserved, on the test trajectories of a file; plots as PNG and PDF."
    )
    _add_following(parser)
    parser.add_argument("-o", "--output", type=str, default="evaluation", help="folder")
    return parser


def _generate(config: Namespace) -> None:
    """Write a file of trajectories."""
    system = _system(config.system)
    require_free(config.output, overwrite=config.overwrite)
    data = simulate(
        system,
        trajectories=config.trajectories,
        span=config.span,
        times=config.times,
        noise=config.noise,
        seed=config.seed,
    )
    write_trajectories(data, config.output, overwrite=config.overwrite)
    print(
        f"{config.output}: {len(data)} trajectories of {config.system}, {len(data.t)} times up to "
        f"{float(data.t[-1]):g}, noise {data.about['noise']:g}"
    )


def _train(config: Namespace) -> None:
    """Train, and say where everything is."""
    options = config.as_dict()
    options.pop("config", None)
    network, trajectories = options.pop("network"), options.pop("trajectories")
    output = options.pop("output") or str(Path("runs") / network.lower())
    learned = train_dynamics(network, trajectories, output=output, **options)
    figures = dict(learned.figures)
    epoch = int(figures.pop("epoch"))
    reached = ", ".join(f"{name.replace('_', ' ')} {x:.3g}" for name, x in figures.items())
    print(f"{network}; epoch {epoch}: {reached}")
    print(f"next        hepml dynamics evaluate {learned.folder.path} {trajectories}")


def _rollout(config: Namespace) -> None:
    """Write predicted trajectories."""
    import torch

    from hepml.models import Dynamics

    require_free(config.output, overwrite=config.overwrite)
    learned = load_dynamics(config.checkpoint)
    model, info = learned
    solver = _solver(config.solver)
    data = read_trajectories(config.trajectories)
    learned.require_system(data)
    dynamics, dtype = Dynamics(model), next(model.parameters()).dtype
    with torch.no_grad():
        path = dynamics.follow(
            *(x[:, 0].to(dtype) for x in (data.q, data.p)),
            solver=solver,
            dt=float(data.t[1] - data.t[0]) / config.substeps,
            steps=config.substeps * (len(data.t) - 1),
            every=config.substeps,
        )
        q, p = path.q.transpose(0, 1).contiguous(), path.p.transpose(0, 1).contiguous()
        rates = dynamics(q.flatten(0, 1), p.flatten(0, 1))
        rate_q, rate_p = (x.reshape(q.shape) for x in rates)
    about = {
        **data.about,
        "predicted_by": info.model,
        "solver": config.solver,
        "substeps": config.substeps,
        "stopped": path.stopped.nonzero().flatten().tolist(),
    }
    t = data.t.to(dtype)
    write_trajectories(
        Trajectories(t, q, p, rate_q, rate_p, q, p, about),
        config.output,
        overwrite=config.overwrite,
    )
    stopped = int(path.stopped.sum())
    note = f"; {stopped} ran away and repeat their last state" if stopped else ""
    print(f"{config.output}: {len(data)} predicted trajectories{note}")


def _evaluate(config: Namespace) -> None:
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
    solver = _solver(config.solver)
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


def _solver(name: str) -> Any:
    """A solver by its name."""
    if name not in SOLVERS:
        raise InputError(
            "solver", expected=f"one of {', '.join(SOLVERS)}", got=repr(name), fix="choose one"
        )
    return SOLVERS[name]()


def _system(name: str, constants: Any = None) -> System:
    """A system by its name."""
    if name not in SYSTEMS:
        raise InputError(
            "system", expected=f"one of {', '.join(SYSTEMS)}", got=repr(name), fix="choose one"
        )
    return SYSTEMS[name](**(constants or {}))
