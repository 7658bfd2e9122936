"""Edges bound to one table: which of their columns lie where, once a file."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from hepml.errors import InputError
from hepml.io.columns._edges import (
    AdjacencyList,
    EdgeColumns,
    EdgeList,
    ElementLinks,
    StoredEdges,
    TableRange,
)
from hepml.io.expressions._steps import Expression

LookUp = Callable[[str, str, frozenset[str]], Expression]

# What a column of the nodes is called in features of edges, at either end.
_ENDS = ("sender", "receiver")


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
    label: Expression | None = None
    targets: Mapping[str, Expression] = field(default_factory=dict)
    at_ends: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """For ``sender.x`` and ``receiver.x`` which end it is, 0 or 1, and the column of the nodes."""

    @property
    def level(self) -> dict[str, Expression]:
        """What lies where the columns of features and label lie."""
        return self.nested or self.linked or self.owned

    @property
    def computed(self) -> list[Expression]:
        """What has a value for each edge."""
        label = [] if self.label is None else [self.label]
        return [*self.features.values(), *label, *self.targets.values()]

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
        expressions = [*group.values(), *(self.computed if group is self.level else ())]
        names = dict.fromkeys(name for each in expressions for name in each.names)
        return [name for name in names if name not in self.at_ends]

    def columns_of_nodes(self, collection: int) -> list[str]:
        """The columns of the nodes of a collection that are asked for at the ends of edges."""
        found = [
            name
            for ends in self.edges.ends
            for end, name in self.at_ends.values()
            if ends[end] == collection
        ]
        return list(dict.fromkeys(found))


def bind_edges(
    edges: EdgeColumns, places: Mapping[str, int], known: frozenset[str], look_up: LookUp
) -> BoundEdges:
    """Look up what says what is joined to what, and the features.

    Parameters
    ----------
    places
        The place of each feature in the table of the edges.
    known
        The columns of the table.
    look_up
        The expression of a text, at a place for messages, over these names.

    Raises
    ------
    ColumnError
        If the table lacks a column.
    InputError
        If an expression reduces over the particles of a set.
    """

    # Members of what lists of lists hold are no columns of their own.
    members = {t for t in edges.expressions.values() if t.rpartition(".")[0] in known}
    at_ends = {
        f"{end}.{name}": (i, name)
        for i, end in enumerate(_ENDS)
        for name in (known if edges.features or edges.label or edges.targets else ())
        if f"{end}.{name}" not in known
    }

    def found(text: str, where: str, others: Collection[str] = members) -> Expression:
        expression = look_up(text, where, known.union(others))
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
    features = {
        places[name]: found(text, f"edge feature {name}", at_ends)
        for name, text in edges.features.items()
    }
    label = None if edges.label is None else found(edges.label, "edge label", at_ends)
    targets = {
        name: found(text, f"edge target {name}", at_ends) for name, text in edges.targets.items()
    }
    kind = None if edges.kind is None else places[edges.kind]
    bound = BoundEdges(edges, owned, linked, nested, features, kind, label, targets)
    asked = {name for each in bound.computed for name in each.names}
    bound = replace(bound, at_ends={n: end for n, end in at_ends.items() if n in asked})
    _check_ends(bound, asked)
    return bound


def _check_ends(bound: BoundEdges, asked: set[str]) -> None:
    """Refuse columns of nodes where it is not one collection that has them."""
    edges, what = bound.edges, f"{type(bound.edges).__name__}, features, label and targets"
    if bound.at_ends and len(set(edges.ends)) > 1:
        raise InputError(
            what,
            expected="edges in one direction, or between nodes of one collection",
            got=f"{', '.join(sorted(bound.at_ends))} in both directions between two collections",
            fix="give two ways, each with a direction and features of its own",
        )
    if not isinstance(edges, StoredEdges) and not asked <= set(bound.at_ends):
        raise InputError(
            what,
            expected="columns of the nodes, as no column has a number for each edge",
            got=", ".join(sorted(asked - set(bound.at_ends))),
            fix="write sender.column and receiver.column",
        )
