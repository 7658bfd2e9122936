"""``hepml train NETWORK TRAJECTORIES``: from the motion of bodies to a trained network."""

import sys
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ActionConfigFile, ArgumentParser, Namespace  # type: ignore[attr-defined]

from hepml.models import DYNAMICS
from hepml.solvers import SOLVERS
from hepml.training import train_dynamics

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


class _Parser(ArgumentParser):
    """A parser for which the first word may be the network."""

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *rest: Any, **more: Any
    ) -> Any:
        """Take the first word for the network, if it is one."""
        words = list(sys.argv[1:] if args is None else args)
        if words and words[0] in DYNAMICS:
            # Last, so that no configuration file overrides it.
            words = [*words[1:], "--network", words[0]]
        return super().parse_args(words, *rest, **more)


def make_parser() -> ArgumentParser:
    """The options of ``hepml train`` with a network of dynamics."""
    parser = _Parser(
        usage="%(prog)s NETWORK TRAJECTORIES [options]",
        description=f"Train one of {', '.join(DYNAMICS)}. The last trajectories of the file are "
        "kept for testing.",
    )
    parser.add_argument("--config", action=ActionConfigFile, help="YAML file with any of these")
    parser.add_argument("--network", type=str, help="the network; may be the first word")
    parser.add_argument("trajectories", type=str, help="ROOT file of `hepml generate SYSTEM`")
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


def run(config: Namespace) -> int:
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
    print(f"next        hepml evaluate {learned.folder.path} {trajectories}")
    return 0
