"""``hepml generate SYSTEM``: trajectories of a known system, in a ROOT file."""

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from hepml.cli._made import add_output, making_parser
from hepml.datasets import SYSTEMS, simulate
from hepml.io import write_trajectories
from hepml.outputs import require_free


def make_parser() -> ArgumentParser:
    """The options of ``hepml generate SYSTEM``."""
    parser = making_parser(
        "hepml generate SYSTEM -o FILE [options]",
        "Trajectories from SciPy at a relative tolerance of 1e-12. What is left out is "
        "as in the paper on Hamiltonian neural networks.",
        {},
    )
    parser.add_argument("system", choices=list(SYSTEMS), help="which system")
    add_output(parser, "the ROOT file to make")
    parser.add_argument("--trajectories", type=PositiveInt | None, help="how many")
    parser.add_argument("--span", type=PositiveFloat | None, help="how long each is")
    parser.add_argument("--times", type=PositiveInt | None, help="how often it is observed")
    parser.add_argument("--noise", type=NonNegativeFloat | None, help="of an observation")
    parser.add_argument(
        "--seed", type=NonNegativeInt, default=0, help="of initial states and noise"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file")
    return parser


def run(config: Namespace) -> int:
    """Write a file of trajectories."""
    output = config.file
    require_free(output, overwrite=config.overwrite)
    data = simulate(
        SYSTEMS[config.system](),
        trajectories=config.trajectories,
        span=config.span,
        times=config.times,
        noise=config.noise,
        seed=config.seed,
    )
    write_trajectories(data, output, overwrite=config.overwrite)
    print(
        f"{output}: {len(data)} trajectories of {config.system}, {len(data.t)} times up to "
        f"{float(data.t[-1]):g}, noise {data.about['noise']:g}"
    )
    return 0
