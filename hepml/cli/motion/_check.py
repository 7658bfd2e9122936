"""What ``hepml check`` measures of a network of dynamics."""

import torch
from jsonargparse import Namespace
from torch import Tensor, nn

from hepml.cli._subject import Subject
from hepml.data import PhaseSpace
from hepml.errors import InputError
from hepml.io import read_trajectories
from hepml.models import Dynamics
from hepml.training import load_dynamics


def motion(config: Namespace) -> Subject:
    """A network of dynamics, and the first states of trajectories of its system.

    Raises
    ------
    InputError
        If there is not one file of trajectories.
    """
    learned = load_dynamics(config.checkpoint)
    if len(config.files) != 1:
        raise InputError(
            "files",
            expected="one file with trajectories of the system that the network has learned",
            got=", ".join(config.files) or "none",
            fix="make one with `hepml generate SYSTEM`",
        )
    data = read_trajectories(config.files[0])
    learned.require_system(data)
    model, info = learned
    dtype = next(model.parameters()).dtype
    # Of the middle of each: at the beginning bodies may be at rest, or in a plane.
    q, p = (x[: config.max_sets, len(data.t) // 2].to(dtype) for x in (data.q, data.p))
    systems, bodies, _ = q.shape
    state = PhaseSpace(q.flatten(0, 1), p.flatten(0, 1), torch.arange(systems + 1) * bodies)
    source = f"states of {config.files[0]}"
    example = "'motion reversal'"
    device = torch.device("cpu")
    return Subject(info.model, model, state, "states", source, device, _energies, example)


def _energies(network: nn.Module, state: PhaseSpace) -> Tensor:
    """The energy of each system."""
    shape = (len(state), -1, state.q.shape[1])
    return Dynamics(network).energy(state.q.reshape(shape), state.p.reshape(shape))[:, None]
