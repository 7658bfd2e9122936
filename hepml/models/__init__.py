"""Networks with one signature: a batch of sets or graphs in, rows of outputs out.

:data:`NETWORKS` is the table of all; of these :data:`MODELS` take sets of particles or graphs, and
of :data:`DYNAMICS` :class:`Dynamics` makes motion. :func:`find_network` finds classes by name,
those of others, too.
"""

from hepml.models._by_name import (
    Network,
    class_for,
    example_graphs,
    example_sets,
    find_network,
    is_importable,
    name_of,
    outputs_of,
    takes,
)
from hepml.models._networks import DYNAMICS, MODELS, NETWORKS
from hepml.models.dynamics._dynamics import Dynamics, network_arguments
from hepml.models.graphs._interaction_network import InteractionNetwork
from hepml.models.graphs._message_passing import MessagePassing
from hepml.models.lorentz._lorentz_cg import LorentzCG
from hepml.models.lorentz._lorentz_net import LorentzNet
from hepml.models.lorentz._rest_frame import RestFrame
from hepml.models.sets._energy_flow import EnergyFlow
from hepml.models.sets._particle_flow import ParticleFlow

__all__ = [
    "DYNAMICS",
    "MODELS",
    "NETWORKS",
    "Dynamics",
    "EnergyFlow",
    "InteractionNetwork",
    "LorentzCG",
    "LorentzNet",
    "MessagePassing",
    "Network",
    "ParticleFlow",
    "RestFrame",
    "class_for",
    "example_graphs",
    "example_sets",
    "find_network",
    "is_importable",
    "name_of",
    "network_arguments",
    "outputs_of",
    "takes",
]
