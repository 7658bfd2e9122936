"""What is learned of each set, particle, node or edge of a batch, row by row."""

from typing import Literal, NamedTuple

from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from hepml.data._ragged import Ragged
from hepml.errors import InputError
from hepml.ops import segment_index

Per = Literal["set", "particle", "node", "edge"]


class Rows(NamedTuple):
    """The classes and targets of the rows of a network's output, and what each row counts.

    Attributes
    ----------
    labels
        The class of each row; None without.
    targets
        The numbers of each row that are to be predicted; None without.
    weights
        The weight of each row: its own, times that of its set; None where neither has one.
    set_index
        The set that each row belongs to; None where rows are sets.
    """

    labels: Shaped[Tensor, " rows"] | None
    targets: Float[Tensor, "rows targets"] | None
    weights: Float[Tensor, " rows"] | None
    set_index: Int64[Tensor, " rows"] | None


def rows_of(batch: Ragged, per: Per) -> Rows:
    """Classes, targets and weights of what a network has a row of outputs for.

    Parameters
    ----------
    batch
        Sets of particles, or graphs, which are sets of nodes and edges.
    per
        What has a row: "set", "particle", "node" or "edge".

    Raises
    ------
    InputError
        If the batch has none of these.

    Examples
    --------
    >>> import torch
    >>> from hepml.data import ParticleSet
    >>> weights = torch.tensor([1.0, 2.0])
    >>> sets = ParticleSet(torch.ones(3, 4), torch.tensor([0, 1, 3]), weights=weights)
    >>> rows_of(sets, "particle").weights
    tensor([1., 2., 2.])
    """

    def found(name: str) -> Tensor | None:
        value: Tensor | None = getattr(batch, name, None)
        return value

    of_sets = found("weights")
    if per == "set":
        return Rows(found("labels"), found("targets"), of_sets, None)
    level = next((each for each in batch.levels if each.items == f"{per}s"), None)
    if level is None:
        items = ", ".join(each.items for each in batch.levels)
        raise InputError(
            "per",
            expected=f"what {type(batch).__name__} has: sets, {items}",
            got=repr(per),
            fix="name one of them, or read a batch of another kind",
        )
    size = getattr(batch, level.fields[0]).shape[0]
    index = segment_index(getattr(batch, level.bounds), size)
    own = found(f"{per}_weights")
    weights = own
    if of_sets is not None:
        weights = of_sets[index] if own is None else own * of_sets[index]
    return Rows(found(f"{per}_labels"), found(f"{per}_targets"), weights, index)
