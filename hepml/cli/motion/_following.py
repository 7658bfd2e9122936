"""What the commands have in common that follow what a network has learned."""

from typing import Any

from jsonargparse import ArgumentParser
from jsonargparse.typing import PositiveInt

from hepml.errors import InputError
from hepml.solvers import SOLVERS


def add_following(parser: ArgumentParser) -> None:
    """The arguments of the commands that follow trajectories."""
    parser.add_argument("checkpoint", type=str, help="a checkpoint, or the folder of a run")
    parser.add_argument("trajectories", type=str, help="ROOT file with trajectories")
    parser.add_argument("--solver", type=str, default="rk4", help=", ".join(SOLVERS))
    parser.add_argument("--substeps", type=PositiveInt, default=10, help="between two times")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")


def solver_of(name: str) -> Any:
    """A solver by its name."""
    if name not in SOLVERS:
        raise InputError(
            "solver", expected=f"one of {', '.join(SOLVERS)}", got=repr(name), fix="choose one"
        )
    return SOLVERS[name]()
