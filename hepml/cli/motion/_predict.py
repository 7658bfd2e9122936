"""``hepml predict RUN TRAJECTORIES``: the motion that a network predicts, in a ROOT file."""

from jsonargparse import ArgumentParser, Namespace

from hepml.cli.motion._following import add_following, solver_of
from hepml.data import Trajectories
from hepml.io import read_trajectories, write_trajectories
from hepml.outputs import require_free
from hepml.training import load_dynamics


def make_parser() -> ArgumentParser:
    """The options of ``hepml predict`` with a network of dynamics."""
    parser = ArgumentParser(
        description="Follow what a network learned from the beginning of each trajectory of a "
        "file, and write a file of the same kind."
    )
    add_following(parser)
    parser.add_argument("-o", "--output", type=str, default="rollout.root", help="ROOT file")
    return parser


def run(config: Namespace) -> int:
    """Write predicted trajectories."""
    import torch

    from hepml.models import Dynamics

    require_free(config.output, overwrite=config.overwrite)
    learned = load_dynamics(config.checkpoint)
    model, info = learned
    solver = solver_of(config.solver)
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
    return 0
