"""Centre and scale of the inputs, from the files that are learned from."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from hepml.data import Graph, ParticleSet, concatenate
from hepml.errors import InputError
from hepml.io import Columns, EvenSample
from hepml.nn import Standardise

Standardisation = Literal["robust", "none"]
STANDARDISATIONS = ("robust", "none")

# Quantiles of so many particles are known to half a per cent of the distribution.
_SETS, _PARTICLES = 2000, 100_000


def sample_of(files: Sequence[str], columns: Columns) -> ParticleSet | Graph:
    """Some sets to learn from, drawn evenly over the files; always the same ones.

    What is bad in them is left out here: it is found, and said, when it is learned from.
    """
    chunks = EvenSample(list(files), columns, sets=_SETS, bad="drop").chunks()
    return concatenate([chunk.particles for chunk in chunks])


def standardise_inputs(model: nn.Module, sample: ParticleSet | Graph) -> int:
    """Fill the layers ``standardise`` and, of edges, ``standardise_edges`` of a network.

    Parameters
    ----------
    model
        A network; without such a layer for all channels they are left as they are.
    sample
        Sets or graphs to learn from: features go by particles or nodes, context by sets. Of more
        than 100,000 rows so many are used, drawn evenly.

    Returns
    -------
    :
        The number of particles or nodes that were used, or of edges; 0 if there was nothing to
        fill.
    """
    items = sample.nodes if isinstance(sample, Graph) else sample.features
    used = _fill(model, "standardise", items, sample.context)
    if isinstance(sample, Graph) and sample.edges is not None:
        of_edges = _fill(model, "standardise_edges", sample.edges)
        used = used or of_edges
    return used


def _fill(model: nn.Module, name: str, items: Tensor, context: Tensor | None = None) -> int:
    """Fill a layer, if there is one for these channels; how many items were used."""
    layer = getattr(model, name, None)
    channels = items.shape[1] + (0 if context is None else context.shape[1])
    if not isinstance(layer, Standardise) or layer.centre.shape[0] != channels or not channels:
        return 0
    number = items.shape[0]
    if number > _PARTICLES:
        items = items[torch.arange(_PARTICLES) * number // _PARTICLES]
    layer.fill(items, *([] if context is None else [context]))
    return items.shape[0]


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
