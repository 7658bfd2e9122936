"""Layers: they take tensors and drop into anybody's code."""

from hepml.nn._batch_norm import RaggedBatchNorm
from hepml.nn._deep_sets import DeepSets
from hepml.nn._hamiltonian_flow import HamiltonianFlow
from hepml.nn._hamiltonian_graph import CentralHamiltonian, GraphHamiltonian
from hepml.nn._hamiltonian_networks import (
    EvenHamiltonian,
    MLPFlow,
    MLPHamiltonian,
    SeparableHamiltonian,
)
from hepml.nn._irreps_gate import IrrepsGate
from hepml.nn._irreps_harmonics import IrrepsHarmonics
from hepml.nn._irreps_linear import IrrepsLinear
from hepml.nn._irreps_norm import IrrepsNorm
from hepml.nn._irreps_tensor_product import IrrepsTensorProduct
from hepml.nn._jet_kinematics import JetKinematics
from hepml.nn._learned_adjacency import LearnedAdjacency
from hepml.nn._lorentz_block import LorentzBlock, psi
from hepml.nn._mlp import MLP
from hepml.nn._pairs import Pairs, all_pairs, nearest_pairs

__all__ = [
    "MLP",
    "CentralHamiltonian",
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
    "Pairs",
    "RaggedBatchNorm",
    "SeparableHamiltonian",
    "all_pairs",
    "nearest_pairs",
    "psi",
]
