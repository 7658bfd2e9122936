"""The ways in which files say what is joined to what, by name, and edges as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from hepml.errors import InputError
from hepml.io.columns._built_edges import (
    AllPairs,
    BuiltEdges,
    NearestNeighbours,
    NeighboursWithin,
)
from hepml.io.columns._collection import Collection
from hepml.io.columns._edges import (
    AdjacencyList,
    EdgeColumns,
    EdgeList,
    ElementLinks,
    NodePointer,
    NodeRange,
    StoredEdges,
    TableRange,
)

WAYS: dict[str, type[EdgeColumns]] = {
    "list": EdgeList,
    "pointer": NodePointer,
    "element links": ElementLinks,
    "table range": TableRange,
    "range": NodeRange,
    "adjacency": AdjacencyList,
    "all pairs": AllPairs,
    "nearest": NearestNeighbours,
    "within": NeighboursWithin,
}


def edges_of_plain(plain: Any) -> tuple[EdgeColumns, ...]:
    """Edges of one way or of several, from plain values of which ``way`` names the class.

    Raises
    ------
    InputError
        If a way is unknown, or a key or value makes no sense in it.
    """
    return tuple(map(_of_one_way, plain if isinstance(plain, list | tuple) else [plain]))


def _of_one_way(plain: Any) -> EdgeColumns:
    """Edges of one way."""
    way = plain.get("way") if isinstance(plain, Mapping) else None
    if not isinstance(way, str) or way not in WAYS:
        raise InputError(
            "Columns.edges",
            expected=f"a mapping with a way among {', '.join(WAYS)}",
            got=f"{plain!r:.200}",
            fix="write {way: pointer, index: GenPart_genPartIdxMother}",
        )
    kind, values = WAYS[way], {name: each for name, each in plain.items() if name != "way"}
    names = [each.name for each in fields(kind)]
    required = [
        each.name
        for each in fields(kind)
        if each.default is MISSING and each.default_factory is MISSING
    ]
    if not set(required) <= set(values) <= set(names):
        raise InputError(
            f"Columns.edges, way {way}",
            expected=f"the keys {', '.join(required) or 'way'} and, if need be, "
            + ", ".join(name for name in names if name not in required),
            got=", ".join(map(str, values)) or "none of them",
            fix="add what is missing, remove or rename the others",
        )
    for each in fields(kind):
        if each.name in values:
            values[each.name] = _of_kind(values[each.name], each.type, f"{way}, {each.name}")
    return kind(**values)


def _of_kind(value: Any, kind: Any, where: str) -> Any:
    """A value of the kind of a parameter; Columns made text of what YAML read as a number."""
    numbers = (int, int | None, int | float)
    if kind == tuple[str, ...]:
        value = tuple(value) if isinstance(value, list) else value
    if kind in numbers:
        value = _number(value)
    elif kind == Mapping[str, int | float] and isinstance(value, Mapping):
        value = {name: _number(each) for name, each in value.items()}
    expected: Any = {str: str, str | None: str, tuple[str, ...]: tuple}.get(
        kind, (int if kind != int | float else int | float) if kind in numbers else Mapping
    )
    if not isinstance(value, expected) or isinstance(value, bool):
        raise InputError(
            f"Columns.edges, way {where}",
            expected={str: "text", tuple: "a list of names", Mapping: "a mapping"}.get(
                expected, "a number"
            ),
            got=f"{value!r:.200}",
            fix="correct it, or leave it out if it is not required",
        )
    return value


def plain_of_edges(edges: EdgeColumns) -> dict[str, Any]:
    """The inverse of :func:`edges_of_plain`; defaults are left out."""
    way = next(name for name, kind in WAYS.items() if type(edges) is kind)
    plain: dict[str, Any] = {"way": way}
    own = [each for each in fields(edges) if not each.kw_only]
    for each in [*own, *(each for each in fields(edges) if each.kw_only)]:
        value = getattr(edges, each.name)
        if value not in (None, {}) and value != each.default:
            value = list(value) if isinstance(value, tuple) else value
            plain[each.name] = dict(value) if isinstance(value, Mapping) else value
    return plain


def check_graph(collections: Sequence[Collection], edges: Sequence[EdgeColumns]) -> None:
    """Refuse edges and collections that do not go together.

    Raises
    ------
    InputError
        If edges name a collection that there is not, are stored by the numbers of an entry that is
        several sets, or need positions; if particles have no momentum, or only some nodes have one.
    """
    if not all(isinstance(each, EdgeColumns) for each in edges):
        raise _refused("edges", "edges, such as EdgeList", edges, "pass EdgeList(...)")
    for name, needed in (("momentum", not edges), ("positions", False)):
        given = [tuple(getattr(part, name)) for part in collections]
        if needed and not all(given):
            raise _refused(
                f"collections.{name}",
                "a momentum of each collection of particles",
                "none",
                "add momentum: {E: ..., px: ..., py: ..., pz: ...}, or edges, to read graphs",
            )
        if any(given) != all(given) or (
            name == "positions" and any(each != given[0] for each in given)
        ):
            raise _refused(
                f"collections.{name}",
                f"{name} of all collections or of none, positions in the same order",
                given,
                "give them to all collections, or make them features",
            )
    for name in ("classes", "targets"):
        given = [tuple(getattr(each, name)) for each in edges]
        if len(set(given)) > 1:
            raise _refused("edges", f"the same {name} of all edges", given, "name the same ones")
    if len({each.label is None for each in edges}) > 1:
        raise _refused("edges", "a label of all edges or of none", "some", "write label: 0")
    for part in collections:
        if not (part.momentum or part.positions or part.features):
            raise _refused(
                "collections",
                "a momentum, positions or features of each collection, which count its nodes",
                "none of them",
                "keep a feature of the nodes",
            )
        if part.hardest is not None and not part.momentum:
            raise _refused("collections.hardest", "a momentum", "none", "leave hardest out")
    for each in edges:
        if any(number >= len(collections) for number in each.joins):
            raise _refused(
                "edges",
                f"numbers of collections from 0 to {len(collections) - 1}",
                each.joins,
                "count the collections from 0",
            )
        if isinstance(each, StoredEdges) and any(part.index is not None for part in collections):
            raise _refused(
                "edges",
                "entries that are graphs, as files number the nodes of an entry",
                f"{type(each).__name__} beside an index that divides entries into jets",
                "leave the index out, or let edges be made: all pairs, nearest, within",
            )
        if isinstance(each, NearestNeighbours | NeighboursWithin):
            places = collections[0].positions
            if not places or not set(each.period) <= set(places):
                raise _refused(
                    "edges",
                    "positions of the nodes, and periods of these alone",
                    f"positions {tuple(places)} and periods {tuple(each.period)}",
                    "give each collection positions: {eta: ..., phi: ...}",
                )
        asked = each.features or each.label or each.targets
        if len(collections) > 1 and isinstance(each, BuiltEdges) and asked:
            raise _refused(
                "edges",
                "edges without features, label and targets, where nodes are of several collections",
                f"those of {type(each).__name__}",
                "leave them out, or read one collection",
            )


def _refused(name: str, expected: str, got: object, fix: str) -> InputError:
    """The error of columns that make no graph."""
    got = got if isinstance(got, str) else f"{got!r:.200}"
    return InputError(f"Columns.{name}", expected=expected, got=got, fix=fix)


def _number(text: Any) -> Any:
    """The number that a text is, or the text, which is refused later."""
    for kind in (int, float):
        try:
            return kind(text)
        except (TypeError, ValueError):
            continue
    return text
