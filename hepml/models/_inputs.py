"""What every model takes of a batch beside the momenta, and the precision in which it computes."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.data import ParticleSet, Ragged
from hepml.errors import InputError
from hepml.nn import Standardise
from hepml.ops import segment_gather


def particle_scalars(
    particles: ParticleSet, standardise: Standardise, features: int, context: int
) -> Float[Tensor, "particles channels"]:
    """The features of each particle, and then the context of its set, standardised.

    Context is known to every particle of a set; a model that is built for none does not look at it.

    Raises
    ------
    InputError
        If they are not as many as the model was built for.
    """
    check_particles(particles, standardise.centre.device)
    check_channels("features of the particles", particles.features.shape[1], features, "features")
    if not context:
        known: Tensor = standardise(particles.features)
        return known.to(particles.dtype)
    of_sets = particles.context
    check_channels(
        "context of the sets", 0 if of_sets is None else of_sets.shape[1], context, "context"
    )
    assert of_sets is not None
    of_sets = of_sets.to(particles.dtype)
    gathered = segment_gather(of_sets, particles.offsets, particles.p4.shape[0])
    known = standardise(torch.cat([particles.features, gathered], 1))
    return known.to(particles.dtype)


def check_particles(particles: ParticleSet, device: torch.device | None = None) -> None:
    """Refuse anything but sets of particles, where the weights are.

    Raises
    ------
    InputError
        If it is something else, or on another device.
    """
    fix = "make one: ParticleSet(p4, offsets, features)"
    check_batch("particles", particles, ParticleSet, device, fix)


def check_batch(
    name: str, batch: object, kind: type[Ragged], device: torch.device | None, fix: str
) -> None:
    """Refuse anything but a batch of this kind, where the weights are; `fix` says how to make one.

    Raises
    ------
    InputError
        If it is something else, or on another device.
    """
    if not isinstance(batch, kind):
        raise InputError(name, expected=f"a {kind.__name__}", got=type(batch).__name__, fix=fix)
    if device is not None and batch.device != device:
        raise InputError(
            name,
            expected=f"device {device}, where the weights are",
            got=str(batch.device),
            fix=f"move it, {name}.to(device), or the network",
        )


def weight_dtype(model: nn.Module) -> torch.dtype:
    """The floating-point type of the weights, in which a model computes whatever came."""
    return next(model.parameters()).dtype


def check_channels(what: str, found: int, expected: int, argument: str) -> None:
    """Refuse other numbers of channels than the model was built for.

    Raises
    ------
    InputError
        If there are others.
    """
    if found != expected:
        raise InputError(
            what,
            expected=f"{expected}, for which the model was built",
            got=str(found),
            fix=f"read the columns that the model was trained with, or build it with "
            f"{argument}={found}",
        )


def checked_per(per: str) -> str:
    """What a row of outputs belongs to, "set" or "particle".

    Raises
    ------
    InputError
        If it is neither.
    """
    if per not in ("set", "particle"):
        raise InputError(
            "per", expected="'set' or 'particle'", got=repr(per), fix="choose one of them"
        )
    return per
