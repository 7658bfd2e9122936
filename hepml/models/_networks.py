"""The networks by name."""

from torch import nn

from hepml.models.graphs._message_passing import MessagePassing
from hepml.models.lorentz._lorentz_cg import LorentzCG
from hepml.models.lorentz._lorentz_net import LorentzNet
from hepml.models.lorentz._rest_frame import RestFrame
from hepml.models.sets._energy_flow import EnergyFlow
from hepml.models.sets._particle_flow import ParticleFlow
from hepml.nn import (
    CentralHamiltonian,
    EvenHamiltonian,
    GraphHamiltonian,
    MLPFlow,
    MLPHamiltonian,
    SeparableHamiltonian,
)

# The names by which the command line and checkpoints call taggers.
MODELS: dict[str, type[nn.Module]] = {
    "EnergyFlow": EnergyFlow,
    "LorentzCG": LorentzCG,
    "LorentzNet": LorentzNet,
    "MessagePassing": MessagePassing,
    "ParticleFlow": ParticleFlow,
    "RestFrame": RestFrame,
}
# Those of networks of dynamics.
DYNAMICS: dict[str, type[nn.Module]] = {
    "CentralHamiltonian": CentralHamiltonian,
    "EvenHamiltonian": EvenHamiltonian,
    "GraphHamiltonian": GraphHamiltonian,
    "MLPFlow": MLPFlow,
    "MLPHamiltonian": MLPHamiltonian,
    "SeparableHamiltonian": SeparableHamiltonian,
}
