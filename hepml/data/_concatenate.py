"""Batches joined into one, also by torch's DataLoader."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.utils.data._utils.collate import default_collate_fn_map

from hepml.data._particle_set import PER_PARTICLE, PER_SET, ParticleSet
from hepml.errors import InputError


def concatenate(batches: Sequence[ParticleSet]) -> ParticleSet:
    """Join batches into one, set after set.

    Parameters
    ----------
    batches
        At least one; all with the same number of features and the same optional fields.

    Raises
    ------
    InputError
        If there is none, or if the batches differ in features, dtype, device or optional fields.
    """
    several: Any = batches
    many = isinstance(several, Iterable) and not isinstance(several, Tensor)
    batches = list(several) if many else [several]
    if not batches:
        raise InputError(
            "concatenate", expected="one batch or more", got="none", fix="pass at least one"
        )
    for batch in batches:
        if not isinstance(batch, ParticleSet):
            raise InputError(
                "concatenate",
                expected="batches of particles",
                got=f"a {type(batch).__name__}",
                fix="pass a list of ParticleSet",
            )
    kinds = {_kind(batch) for batch in batches}
    if len(kinds) > 1:
        raise InputError(
            "concatenate",
            expected="batches with the same features, dtype, device and optional fields",
            got=" and ".join(sorted(map(str, kinds))),
            fix="read all of them with the same columns, and move them to one device",
        )
    if len(batches) == 1:
        return batches[0]
    starts = accumulate((batch.p4.shape[0] for batch in batches), initial=0)
    offsets = [batches[0].offsets[:1]]
    offsets += [batch.offsets[1:] + start for batch, start in zip(batches, starts, strict=False)]

    def join(name: str) -> Tensor | None:
        values = [getattr(batch, name) for batch in batches]
        return None if values[0] is None else torch.cat(values)

    return ParticleSet._trusted(
        join("p4"), torch.cat(offsets), join("features"), *(join(name) for name in PER_SET)
    )


def _kind(batch: ParticleSet) -> str:
    """What must agree between batches that are joined."""
    fields = [
        f"{name} {str(value.dtype).removeprefix('torch.')}{list(value.shape[1:])}"
        for name in (*PER_PARTICLE, *PER_SET)
        if (value := getattr(batch, name)) is not None
    ]
    return f"({', '.join(fields)} on {batch.device})"


def _collate(
    batch: ParticleSet | Sequence[ParticleSet],
    *,
    collate_fn_map: Any = None,  # noqa: ARG001
) -> ParticleSet:
    """What ``DataLoader`` does with a list of sets, or with the batch of ``__getitems__``."""
    return batch if isinstance(batch, ParticleSet) else concatenate(batch)


# The documented way to teach torch's default_collate a type: with it, DataLoader(particles) works
# without a collate_fn.
default_collate_fn_map[ParticleSet] = _collate
