"""Fields of a batch, each declared once: values of sets or items, bounds, places."""

from dataclasses import field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from typing import Self
else:
    # The tests check signatures function by function, where Self means nothing.
    Self = Any


class Declaration(NamedTuple):
    """What a field is: a value for each of something, or the bounds of something."""

    axis: str
    optional: bool = False
    channels: str | None = None
    sets: str | None = None
    places_of: str | None = None

    @property
    def bounds(self) -> bool:
        """Whether it holds bounds."""
        return self.sets is not None


def per(axis: str, *, optional: bool = False, channels: str | None = None) -> Any:
    """Declare a field that has one value for each set, item or edge.

    Parameters
    ----------
    axis
        What it has a value for each of, in the words of the batch: "particles", "edges"; a word of
        which there are no :func:`bounds_of` means the sets.
    optional
        Whether it may be None.
    channels
        What its second axis counts, where ``repr`` tells that.
    """
    return field(metadata={"declaration": Declaration(axis, optional, channels)})


def bounds_of(axis: str, *, per: str = "sets") -> Any:
    """Declare a field that holds the bounds (sets + 1) of the items of each set.

    Parameters
    ----------
    axis
        What the items are called.
    per
        What the sets are called.
    """
    return field(metadata={"declaration": Declaration(axis, sets=per)})


def places_of(items: str, *, per: str) -> Any:
    """Declare a field that for each edge holds the place of an item in the batch."""
    return field(metadata={"declaration": Declaration(per, places_of=items)})


class Level(NamedTuple):
    """What a batch holds of items of one kind: their bounds and their fields.

    Attributes
    ----------
    items
        What they are called.
    bounds
        The field with the bounds of those of each set.
    fields
        The fields that have a value for each of them.
    places
        Of these fields those that hold places of items, and the level of these.
    """

    items: str
    bounds: str
    fields: tuple[str, ...]
    places: tuple[tuple[str, str], ...]
