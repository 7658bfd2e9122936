"""Edges bound to one table: which of their columns lie where, once a file."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from hepml.errors import InputError
from hepml.io.columns._edges import (
    AdjacencyList,
    EdgeColumns,
    EdgeList,
    ElementLinks,
    TableRange,
)
from hepml.io.expressions._steps import Expression

LookUp = Callable[[str, str], Expression]


@dataclass(frozen=True)
class BoundEdges:
    """Edges of one way whose expressions are parsed, by where their columns lie."""

    edges: EdgeColumns
    owned: dict[str, Expression] = field(default_factory=dict)
    """What has a number for each node of the owner."""
    linked: dict[str, Expression] = field(default_factory=dict)
    """What has a list of its own in each entry, with a number for each link."""
    nested: dict[str, Expression] = field(default_factory=dict)
    """What has a list for each node of the owner."""
    features: dict[int, Expression] = field(default_factory=dict)
    """Features by their place in the table."""
    kind: int | None = None

    @property
    def level(self) -> dict[str, Expression]:
        """What lies where the features lie."""
        return self.nested or self.linked or self.owned

    @property
    def names(self) -> list[str]:
        """The columns to read that are lists or numbers."""
        return [*self.names_of(self.owned), *self.names_of(self.linked)]

    @property
    def nested_names(self) -> list[str]:
        """The columns to read that are lists of lists."""
        return self.names_of(self.nested)

    def names_of(self, group: dict[str, Expression]) -> list[str]:
        """The columns of what lies in one of the three places, features among it."""
        features = self.features.values() if group is self.level else ()
        expressions = [*group.values(), *features]
        return list(dict.fromkeys(name for each in expressions for name in each.names))


def bind_edges(
    edges: EdgeColumns, places: Mapping[str, int], known: Collection[str], look_up: LookUp
) -> BoundEdges:
    """Look up what says what is joined to what, and the features.

    Parameters
    ----------
    places
        The place of each feature in the table of the edges.
    known
        The columns of the table.
    look_up
        The expression of a text, whose columns are known, at a place for messages.

    Raises
    ------
    ColumnError
        If the table lacks a column.
    InputError
        If an expression reduces over the particles of a set.
    """

    def found(text: str, where: str) -> Expression:
        expression = look_up(text, where)
        if expression.reductions:
            raise InputError(
                f"expression {text!r} ({where})",
                expected="a number for each edge, without reductions over nodes",
                got=f"a reduction of {expression.reductions[0].argument.text!r}",
                fix="name a column of the edges",
            )
        return expression

    way = type(edges).__name__
    texts = edges.expressions
    if isinstance(edges, TableRange) and edges.collection is not None:
        texts = texts | {"collection": edges.collection}
    expressions = {name: found(text, f"{way}.{name}") for name, text in texts.items()}
    owned, linked, nested = expressions, {}, {}
    if isinstance(edges, EdgeList):
        owned, linked = {}, expressions
    elif isinstance(edges, TableRange):
        owned = {name: expressions.pop(name) for name in ("begin", "end")}
        linked = expressions
    elif isinstance(edges, AdjacencyList) or (
        isinstance(edges, ElementLinks) and expressions["key"].names[0] not in known
    ):
        owned, nested = {}, expressions
    return BoundEdges(
        edges,
        owned,
        linked,
        nested,
        {
            places[name]: found(text, f"edge feature {name}")
            for name, text in edges.features.items()
        },
        None if edges.kind is None else places[edges.kind],
    )
