"""Layers: they take tensors and drop into anybody's code."""

from hepml.nn._deep_sets import DeepSets
from hepml.nn._jet_kinematics import JetKinematics
from hepml.nn._learned_adjacency import LearnedAdjacency
from hepml.nn._lorentz_block import LorentzBlock, psi
from hepml.nn._mlp import MLP
from hepml.nn._pairs import Pairs, all_pairs, nearest_pairs

__all__ = [
    "MLP",
    "DeepSets",
    "JetKinematics",
    "LearnedAdjacency",
    "LorentzBlock",
    "Pairs",
    "all_pairs",
    "nearest_pairs",
    "psi",
]
