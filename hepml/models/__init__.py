"""Taggers with one signature: a batch of sets of particles in, a row of logits for each set out."""

from torch import nn

from hepml.models.graphs._message_passing import MessagePassing
from hepml.models.lorentz._lorentz_cg import LorentzCG
from hepml.models.lorentz._lorentz_net import LorentzNet
from hepml.models.lorentz._rest_frame import RestFrame
from hepml.models.sets._energy_flow import EnergyFlow
from hepml.models.sets._particle_flow import ParticleFlow

# The names by which the command line and checkpoints call them.
MODELS: dict[str, type[nn.Module]] = {
    "EnergyFlow": EnergyFlow,
    "LorentzCG": LorentzCG,
    "LorentzNet": LorentzNet,
    "MessagePassing": MessagePassing,
    "ParticleFlow": ParticleFlow,
    "RestFrame": RestFrame,
}

__all__ = [
    "MODELS",
    "EnergyFlow",
    "LorentzCG",
    "LorentzNet",
    "MessagePassing",
    "ParticleFlow",
    "RestFrame",
]
