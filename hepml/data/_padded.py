"""ParticleSet from and to padded tensors with masks, for networks that know nothing else."""

from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hepml.data._particle_set import ParticleSet
from hepml.data._places import hardest_places, other_padding, particle_places
from hepml.data._validation import describe, is_dense
from hepml.errors import InputError
from hepml.ops import check_memory

Particles = TypeVar("Particles", bound=ParticleSet)


class PaddedParticles(NamedTuple):
    """Sets of particles as tensors of one length, zero where the mask is false.

    Parameters
    ----------
    p4
        Four-momenta (E, px, py, pz) in GeV.
    features
        Further numbers of each particle.
    mask
        True in the places that hold a particle: the first ones of each set.
    """

    p4: Float[Tensor, "sets length 4"]
    features: Float[Tensor, "sets length channels"]
    mask: Bool[Tensor, "sets length"]


def padded_from_particle_set(particles: ParticleSet, length: int | None) -> PaddedParticles:
    """See :meth:`ParticleSet.to_padded`."""
    if length is None:
        length = int(particles.counts.max()) if len(particles) else 0
    elif isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise InputError(
            "length",
            expected="a number of places, one or more",
            got=repr(length),
            fix="leave it out for that of the longest set",
        )
    else:
        particles = particles.hardest(length)
    sets = len(particles)
    need = sets * length * (4 + particles.features.shape[1]) * particles.p4.element_size()
    check_memory(f"{sets} sets of length {length}", need, particles.device, "take a shorter one")
    first = torch.repeat_interleave(
        torch.arange(sets, device=particles.device) * length - particles.offsets[:-1],
        particles.counts,
        output_size=particles.p4.shape[0],
    )
    places = first + torch.arange(len(first), device=particles.device)

    def padded(values: Tensor) -> Tensor:
        table = values.new_zeros((sets * length, values.shape[1]))
        return table.index_copy(0, places, values).view(sets, length, values.shape[1])

    mask = torch.arange(length, device=particles.device) < particles.counts[:, None]
    return PaddedParticles(padded(particles.p4), padded(particles.features), mask)


def particle_set_from_padded(
    p4: Tensor,
    features: Tensor | None,
    mask: Tensor | None,
    *,
    context: Tensor | None,
    labels: Tensor | None,
    targets: Tensor | None,
    weights: Tensor | None,
) -> ParticleSet:
    """See :meth:`ParticleSet.from_padded`."""
    if not is_dense(p4, 3) or p4.shape[2] != 4:
        raise InputError(
            "p4",
            expected="a tensor of shape (sets, length, 4) with (E, px, py, pz) in GeV",
            got=describe(p4),
            fix="move the axis of channels to the end, as in p4.transpose(1, 2)",
        )
    shape = tuple(p4.shape[:2])
    if features is not None and (not is_dense(features, 3) or features.shape[:2] != shape):
        raise InputError(
            "features",
            expected=f"a tensor of shape ({shape[0]}, {shape[1]}, channels)",
            got=describe(features),
            fix="give a row for each place; move the axis of channels to the end",
        )
    if mask is None:
        mask = _mask_of_zeros(p4)
    elif (
        not is_dense(mask, 2)
        or mask.shape != shape
        or mask.dtype != torch.bool
        or mask.device != p4.device
    ):
        raise InputError(
            "mask",
            expected=f"torch.bool of shape {shape} on {p4.device}",
            got=describe(mask),
            fix="give a truth value for each place, true where there is a particle",
        )
    counts = mask.sum(1)
    return ParticleSet(
        p4[mask],
        torch.cat([counts.new_zeros(1), counts.cumsum(0)]),
        None if features is None else features[mask],
        context=context,
        labels=labels,
        targets=targets,
        weights=weights,
    )


def hardest_of_particle_set(particles: Particles, number: int) -> Particles:
    """See :meth:`ParticleSet.hardest`."""
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise InputError(
            "number",
            expected="a number of particles, one or more",
            got=repr(number),
            fix="keep at least one particle of each set",
        )
    pt = particles.p4[:, 1:3].detach().double().norm(dim=1).cpu().numpy()
    kept = hardest_places(pt, particles.offsets.cpu().numpy(), number)
    if kept.all():
        return particles
    mask = torch.from_numpy(kept).to(particles.device)
    before = torch.cat([particles.offsets[:1], mask.cumsum(0)])
    return particles.with_items(mask.nonzero().squeeze(1), before[particles.offsets])


def _mask_of_zeros(p4: Tensor) -> Tensor:
    """True up to the last place of each set in which a component is not zero."""
    sets, length = p4.shape[:2]
    stored = list(p4.detach().cpu().double().reshape(-1, 4).numpy().T)
    offsets = torch.arange(sets + 1).mul(length).numpy()
    found = other_padding(stored, offsets)
    if found is not None:
        raise InputError(
            "p4",
            expected="zeros in the places that hold no particle, or a mask",
            got=f"{found.value:g} in the last place of set {found.set}, which looks like padding",
            fix="give the mask",
        )
    return torch.from_numpy(particle_places(stored, offsets)).view(sets, length).to(p4.device)
