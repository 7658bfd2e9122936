"""Symmetries as claims that are measured: what each is, and how far a network is from it."""

from typing import TYPE_CHECKING

from hepml.lazy import attach
from hepml.symmetry._check import check
from hepml.symmetry._images import PhiRotation, Translation
from hepml.symmetry._jets import random_jets
from hepml.symmetry._lorentz import (
    BeamBoost,
    BeamRotation,
    Lorentz,
    Parity,
    Rotation,
    TimeReversal,
)
from hepml.symmetry._motion import (
    BodyPermutation,
    MotionReversal,
    SpaceInversion,
    SpaceRotation,
    SpaceTranslation,
)
from hepml.symmetry._precision import find_precisions
from hepml.symmetry._randomise import randomise
from hepml.symmetry._readings import Fit
from hepml.symmetry._report import Measurement, SymmetryReport, Worst
from hepml.symmetry._safety import CollinearSplitting, SoftEmission
from hepml.symmetry._sets import BatchComposition, Permutation
from hepml.symmetry._symmetry import Symmetry
from hepml.symmetry._table import SYMMETRIES, find_symmetry
from hepml.symmetry._trace import trace
from hepml.symmetry._trace_report import Layer, Trace
from hepml.symmetry._transformations import Transformations

__all__ = [
    "SYMMETRIES",
    "BatchComposition",
    "BeamBoost",
    "BeamRotation",
    "BodyPermutation",
    "CollinearSplitting",
    "Fit",
    "Layer",
    "Lorentz",
    "Measurement",
    "MotionReversal",
    "Parity",
    "Permutation",
    "PhiRotation",
    "Rotation",
    "SoftEmission",
    "SpaceInversion",
    "SpaceRotation",
    "SpaceTranslation",
    "Symmetry",
    "SymmetryReport",
    "TimeReversal",
    "Trace",
    "Transformations",
    "Translation",
    "Worst",
    "check",
    "find_precisions",
    "find_symmetry",
    "random_jets",
    "randomise",
    "trace",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, {}, {"PhaseSpace": "hepml.data"})
