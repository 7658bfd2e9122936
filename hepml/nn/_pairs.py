"""Ragged graphs over sets: who sends to whom."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hepml.errors import InputError
from hepml.lorentz import eta, phi
from hepml.ops import (
    check_index,
    check_memory,
    last_bound,
    segment_counts,
    segment_gather,
    segment_index,
)

# Beyond any detector; in place of the infinite pseudorapidity along the beam.
_LARGEST_ETA = 100.0


class Pairs(NamedTuple):
    """Directed pairs of items, sorted by receiver: no item sends to itself.

    Parameters
    ----------
    senders
        The item that sends, of each pair.
    offsets
        Bounds of the pairs of each receiver: item ``i`` receives in the pairs
        ``offsets[i]:offsets[i + 1]``.
    """

    senders: Int64[Tensor, " pairs"]
    offsets: Int64[Tensor, " bounds"]

    @property
    def receivers(self) -> Int64[Tensor, " pairs"]:
        """The item that receives, of each pair."""
        return segment_index(self.offsets, self.senders.shape[0])


def checked_pairs(pairs: Pairs, items: int) -> Pairs:
    """These pairs, if they are of so many items.

    Raises
    ------
    InputError
        If senders are no index of these items, or if there are not bounds of all of them.
    """
    check_index(pairs.senders, items)
    if torch.compiler.is_compiling():
        # To compare sizes would make them constants of the program.
        return pairs
    offsets, senders = pairs.offsets, pairs.senders
    misfit = segment_counts(offsets).shape[0] != items or offsets.device != senders.device
    # A GPU would have to be waited for.
    if not misfit and offsets.device.type == "cpu":
        misfit = last_bound(offsets) != senders.shape[0]
    if misfit:
        raise InputError(
            "pairs",
            expected=f"bounds of the {senders.shape[0]} pairs of {items} items",
            got=f"bounds of {offsets.shape[0] - 1} items on {offsets.device}, "
            f"and senders on {senders.device}",
            fix="pass the pairs of the sets to which the items belong",
        )
    return pairs


def all_pairs(offsets: Int64[Tensor, " bounds"], items: int) -> Pairs:
    """Every item of a set receives from every other item of the set.

    Parameters
    ----------
    offsets
        Bounds of the sets.
    items
        The number of items, ``offsets[-1]`` without asking the device.

    Examples
    --------
    >>> pairs = all_pairs(torch.tensor([0, 3, 4]), 4)
    >>> pairs.receivers.tolist()
    [0, 0, 1, 1, 2, 2]
    >>> pairs.senders.tolist()
    [1, 2, 0, 2, 0, 1]
    """
    others = segment_gather(segment_counts(offsets) - 1, offsets, items)
    first = segment_gather(offsets[:-1], offsets, items)
    bounds = _bounds(others)
    # The one number that the device has to report; the blocks of a network share the pairs.
    size = last_bound(bounds)
    fix = "take fewer or smaller sets at a time"
    check_memory(f"all {size} pairs of {items} items", 40 * size, offsets.device, fix)
    receivers = segment_index(bounds, size)
    senders = torch.arange(size, device=offsets.device) + (first - bounds[:-1])[receivers]
    return Pairs(senders + (senders >= receivers), bounds)


@torch.no_grad()
def nearest_pairs(
    p4: Float[Tensor, "items 4"], offsets: Int64[Tensor, " bounds"], neighbours: int
) -> Pairs:
    """Every item of a set receives from its nearest neighbours in (eta, phi), nearest first.

    Parameters
    ----------
    p4
        Four-momenta in GeV.
    offsets
        Bounds of the sets.
    neighbours
        How many; all others, in a set that has fewer.

    Notes
    -----
    The distance is ``delta_r``, periodic in phi. Among equally distant neighbours the earlier comes
    first. Only such a tie can make a network on these pairs depend on the order of the items, and
    not where the tied neighbours are identical.

    Examples
    --------
    >>> p4 = torch.tensor([[1., 1., 0., 0.], [1., 0., 1., 0.], [1., .8, .6, 0.]])
    >>> nearest_pairs(p4, torch.tensor([0, 3]), 1).senders
    tensor([2, 2, 0])
    """
    if not isinstance(p4, Tensor) or p4.dim() != 2 or p4.shape[1] != 4:
        raise InputError(
            "p4",
            expected="a tensor of shape (items, 4)",
            got=str(tuple(p4.shape)) if isinstance(p4, Tensor) else type(p4).__name__,
            fix="pass (E, px, py, pz) of each item",
        )
    if not isinstance(neighbours, int) or not 0 <= neighbours < 2**63:
        raise InputError(
            "neighbours",
            expected="a whole number from 0 on",
            got=repr(neighbours),
            fix="pass how many neighbours send to an item",
        )
    pairs = all_pairs(offsets, p4.shape[0])
    receivers = segment_index(pairs.offsets, pairs.senders.shape[0])
    longitudinal, azimuth = eta(p4).clamp(-_LARGEST_ETA, _LARGEST_ETA), phi(p4)
    d_eta = longitudinal[receivers] - longitudinal[pairs.senders]
    d_phi = (azimuth[receivers] - azimuth[pairs.senders]).abs()
    d_phi = torch.minimum(d_phi, 2 * torch.pi - d_phi)
    # By distance, then by receiver: the second sort is stable and keeps the order of the first.
    order = (d_eta.square() + d_phi.square()).argsort(stable=True)
    order = order[receivers[order].argsort(stable=True)]
    bounds = _bounds(pairs.offsets.diff().clamp(max=neighbours))
    size = last_bound(bounds)
    kept = (
        torch.arange(size, device=p4.device) + (pairs.offsets - bounds)[segment_index(bounds, size)]
    )
    return Pairs(pairs.senders[order[kept]], bounds)


def _bounds(counts: Int64[Tensor, " segments"]) -> Int64[Tensor, " bounds"]:
    """Offsets of segments with the given numbers of items."""
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])
