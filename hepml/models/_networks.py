"""The networks by name."""

from typing import Literal, NamedTuple

from torch import nn

from hepml.models.graphs._interaction_network import InteractionNetwork
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

_HNN = "arXiv:1906.01563"


class Entry(NamedTuple):
    """A network in the table.

    Attributes
    ----------
    network
        The class.
    chapter
        What its structure is built on.
    takes
        What it learns from: sets of particles, graphs, or the motion of bodies.
    paper
        Where it is from; empty for those of hepml.
    """

    network: type[nn.Module]
    chapter: str
    takes: Literal["sets", "graphs", "motion"]
    paper: str = ""


# The names by which the command line and checkpoints call them.
NETWORKS: dict[str, Entry] = {
    "EnergyFlow": Entry(EnergyFlow, "sets", "sets", "arXiv:1810.05165"),
    "ParticleFlow": Entry(ParticleFlow, "sets", "sets", "arXiv:1810.05165"),
    "MessagePassing": Entry(MessagePassing, "graphs", "sets", "arXiv:1704.01212"),
    "InteractionNetwork": Entry(InteractionNetwork, "graphs", "graphs", "arXiv:1612.00222"),
    "LorentzCG": Entry(LorentzCG, "lorentz", "sets", "arXiv:2006.04780"),
    "LorentzNet": Entry(LorentzNet, "lorentz", "sets", "arXiv:2201.08187"),
    "RestFrame": Entry(RestFrame, "lorentz", "sets"),
    "CentralHamiltonian": Entry(CentralHamiltonian, "dynamics", "motion"),
    "EvenHamiltonian": Entry(EvenHamiltonian, "dynamics", "motion"),
    "GraphHamiltonian": Entry(GraphHamiltonian, "dynamics", "motion"),
    "MLPFlow": Entry(MLPFlow, "dynamics", "motion", _HNN),
    "MLPHamiltonian": Entry(MLPHamiltonian, "dynamics", "motion", _HNN),
    "SeparableHamiltonian": Entry(SeparableHamiltonian, "dynamics", "motion"),
}
# Those of batches, sets or graphs, and those of which Dynamics makes motion.
MODELS = {name: entry.network for name, entry in NETWORKS.items() if entry.takes != "motion"}
DYNAMICS = {name: entry.network for name, entry in NETWORKS.items() if entry.takes == "motion"}
