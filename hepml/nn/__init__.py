"""Layers: they take tensors and drop into anybody's code."""

from typing import TYPE_CHECKING

from hepml.lazy import attach
from hepml.nn._batch_norm import RaggedBatchNorm
from hepml.nn._deep_sets import DeepItems, DeepSets
from hepml.nn._jet_kinematics import JetKinematics
from hepml.nn._learned_adjacency import LearnedAdjacency
from hepml.nn._lorentz_block import LorentzBlock, psi
from hepml.nn._mlp import MLP
from hepml.nn._standardise import Standardise, centre_and_scale
from hepml.nn.hamiltonian._flow import HamiltonianFlow
from hepml.nn.hamiltonian._graph import CentralHamiltonian, GraphHamiltonian
from hepml.nn.hamiltonian._networks import (
    EvenHamiltonian,
    MLPFlow,
    MLPHamiltonian,
    SeparableHamiltonian,
)
from hepml.nn.irreps._gate import IrrepsGate
from hepml.nn.irreps._harmonics import IrrepsHarmonics
from hepml.nn.irreps._linear import IrrepsLinear
from hepml.nn.irreps._norm import IrrepsNorm
from hepml.nn.irreps._tensor_product import IrrepsTensorProduct

__all__ = [
    "MLP",
    "CentralHamiltonian",
    "DeepItems",
    "DeepSets",
    "EvenHamiltonian",
    "GraphHamiltonian",
    "HamiltonianFlow",
    "IrrepsGate",
    "IrrepsHarmonics",
    "IrrepsLinear",
    "IrrepsNorm",
    "IrrepsTensorProduct",
    "JetKinematics",
    "LearnedAdjacency",
    "LorentzBlock",
    "MLPFlow",
    "MLPHamiltonian",
    "RaggedBatchNorm",
    "SeparableHamiltonian",
    "Standardise",
    "centre_and_scale",
    "psi",
]

if not TYPE_CHECKING:
    _MOVED = {
        "Pairs": "hepml.ops.Edges",
        "all_pairs": "hepml.ops",
        "nearest_pairs": "hepml.ops.nearest_neighbours",
    }
    __getattr__, __dir__ = attach(__name__, {}, _MOVED)
