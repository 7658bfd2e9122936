"""Centre and scale of the inputs, from the files that are learned from."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from hepml.data import ParticleSet, concatenate
from hepml.errors import InputError
from hepml.io import Columns, EvenSample
from hepml.nn import Standardise

Standardisation = Literal["robust", "none"]
STANDARDISATIONS = ("robust", "none")

# Quantiles of so many particles are known to half a per cent of the distribution.
_SETS, _PARTICLES = 2000, 100_000


def sample_of(files: Sequence[str], columns: Columns) -> ParticleSet:
    """Some sets to learn from, drawn evenly over the files; always the same ones.

    What is bad in them is left out here: it is found, and said, when it is learned from.
    """
    chunks = EvenSample(list(files), columns, sets=_SETS, bad="drop").chunks()
    return concatenate([chunk.particles for chunk in chunks])


def standardise_inputs(model: nn.Module, sample: ParticleSet) -> int:
    """Fill the layer ``standardise`` of a network: features go by particles, context by sets.

    Parameters
    ----------
    model
        A network; without such a layer for all features and context it is left as it is.
    sample
        Sets to learn from; of more than 100,000 particles so many are used, drawn evenly.

    Returns
    -------
    :
        The number of particles that were used; 0 if there was nothing to fill.
    """
    layer = getattr(model, "standardise", None)
    features, context = sample.features, sample.context
    channels = features.shape[1] + (0 if context is None else context.shape[1])
    if not isinstance(layer, Standardise) or layer.centre.shape[0] != channels or not channels:
        return 0
    number = features.shape[0]
    if number > _PARTICLES:
        features = features[torch.arange(_PARTICLES) * number // _PARTICLES]
    layer.fill(features, *([] if context is None else [context]))
    return features.shape[0]


def check_standardisation(value: str) -> None:
    """Refuse a way of standardising that there is not.

    Raises
    ------
    InputError
        If it is none of them.
    """
    if value not in STANDARDISATIONS:
        raise InputError(
            "standardise",
            expected="'robust' or 'none'",
            got=repr(value),
            fix="robust takes centre and scale from the files",
        )
