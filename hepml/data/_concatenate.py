"""Batches joined into one, also by torch's DataLoader."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

from torch import Tensor
from torch.utils.data._utils.collate import default_collate_fn_map

from hepml.data._ragged import Ragged, joined
from hepml.errors import InputError

Batch = TypeVar("Batch", bound=Ragged)


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Join batches into one, set after set.

    Parameters
    ----------
    batches
        At least one; all of one kind, with the same channels and the same optional fields.

    Raises
    ------
    InputError
        If there is none, or if the batches differ in kind, channels, dtype, device or optional
        fields.
    """
    several: Any = batches
    many = isinstance(several, Iterable) and not isinstance(several, Tensor)
    batches = list(several) if many else [several]
    if not batches:
        raise InputError(
            "concatenate", expected="one batch or more", got="none", fix="pass at least one"
        )
    for batch in batches:
        if not isinstance(batch, Ragged):
            raise InputError(
                "concatenate",
                expected="batches",
                got=f"a {type(batch).__name__}",
                fix="pass a list of ParticleSet, or of other batches of one kind",
            )
    first = _kind(batches[0])
    if any(_kind(batch) != first for batch in batches):
        kinds = {_told(batch) for batch in batches}
        raise InputError(
            "concatenate",
            expected="batches with the same channels, dtype, device and optional fields",
            got=" and ".join(sorted(kinds)),
            fix="read all of them with the same columns, and move them to one device",
        )
    return batches[0] if len(batches) == 1 else cast(Batch, joined(batches))


def _kind(batch: Ragged) -> tuple[Any, ...]:
    """What must agree between batches that are joined."""
    return type(batch), *((n, t.dtype, t.shape[1:], t.device) for n, t in batch.tensors().items())


def _told(batch: Ragged) -> str:
    """Likewise, in words."""
    fields = [
        f"{name} {str(value.dtype).removeprefix('torch.')}{list(value.shape[1:])}"
        for name, value in batch.tensors().items()
        if not name.endswith("offsets")
    ]
    return f"{type(batch).__name__}({', '.join(fields)} on {batch.device})"


def _collate(
    batch: Ragged | Sequence[Ragged],
    *,
    collate_fn_map: Any = None,  # noqa: ARG001
) -> Ragged:
    """What ``DataLoader`` does with a list of sets, or with the batch of ``__getitems__``."""
    return batch if isinstance(batch, Ragged) else concatenate(batch)


# The documented way to teach torch's default_collate a type: with it, DataLoader(particles) works
# without a collate_fn.
default_collate_fn_map[Ragged] = _collate
