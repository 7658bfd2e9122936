"""Edges: which columns of a file say what is joined to what, and how they say it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from hepml.errors import InputError
from hepml.io.expressions._expressions import check_name, check_text, check_texts

_DIRECTIONS = ("in", "out", "both")


@dataclass(frozen=True, kw_only=True)
class EdgeColumns:
    """How the edges of a graph lie in a file, or are made while it is read; one class for each way.

    Parameters
    ----------
    features
        Name of each feature of the edges and its expression, of columns that have a number for each
        edge, or for each entry. ``sender.part_eta`` and ``receiver.part_eta`` are what the node at
        either end has in a column of nodes.
    label
        An expression for the class of each edge, a whole number from 0, such as
        ``sender.track_origin == receiver.track_origin``.
    classes
        The names of the classes of edges, in the order of `label`; without names any number is one.
    targets
        Name and expression of numbers of each edge that are to be predicted.
    kind
        The name of a further feature that is 1 for these edges and 0 for those of other ways.

    Notes
    -----
    Nodes are counted in each entry from 0, in the order of the file and before any cut; -1 is no
    node, and makes no edge. Every other number that no node has is an error. Edges of nodes that a
    cut, `hardest` or a padding leaves out are left out with them.
    """

    features: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    label: str | None = None
    classes: tuple[str, ...] = ()
    targets: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", check_texts(self.targets, self._part("targets")))
        names = self.classes
        if len(set(names)) < len(names) or (names and self.label is None):
            self._refuse("classes", "different names, beside a label", names, "write label: ...")
        for name in names:
            check_name(name, f"a name in {self._part('classes')}")
        if self.label is not None:
            check_text(self.label, self._part("label"))
        object.__setattr__(self, "features", check_texts(self.features, self._part("features")))
        if self.kind is not None:
            check_name(self.kind, self._part("kind"))
        for each in fields(self):
            value = getattr(self, each.name)
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            if each.type is str:
                check_text(value, self._part(each.name))
            elif each.type is int and not whole:
                self._refuse(each.name, "a whole number from 0", value, "write one")

    @property
    def expressions(self) -> dict[str, str]:
        """What says what is joined to what, by the names of the parameters."""
        return {}

    @property
    def ends(self) -> tuple[tuple[int, int], ...]:
        """The collections of senders and of receivers, for each direction in which edges go."""
        return ((0, 0),)

    @property
    def joins(self) -> tuple[int, ...]:
        """The numbers of the collections that are named."""
        return ()

    def _part(self, name: str) -> str:
        return f"{type(self).__name__}.{name}"

    def _refuse(self, name: str, expected: str, got: object, fix: str) -> None:
        raise InputError(self._part(name), expected=expected, got=f"{got!r:.200}", fix=fix)


@dataclass(frozen=True, kw_only=True)
class StoredEdges(EdgeColumns):
    """Edges that a file holds, by the numbers of its nodes.

    Parameters
    ----------
    direction
        "in" if the first of the two that are joined receives, "out" if it sends, "both".
    """

    direction: str = "in"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.direction not in _DIRECTIONS:
            self._refuse("direction", "'in', 'out' or 'both'", self.direction, "choose one")

    @property
    def expressions(self) -> dict[str, str]:
        texts = {each.name: getattr(self, each.name) for each in fields(self)}
        other = ("kind", "label", "direction")
        return {k: v for k, v in texts.items() if isinstance(v, str) and k not in other}

    @property
    def ends(self) -> tuple[tuple[int, int], ...]:
        first, second = self.joins
        both = {"in": ((second, first),), "out": ((first, second),)}
        return both.get(self.direction, (*both["in"], *both["out"]))


@dataclass(frozen=True, kw_only=True)
class OwnedEdges(StoredEdges):
    """Edges that nodes of one collection name, to nodes of the same or of another.

    Parameters
    ----------
    owner, into
        The number of the collection whose nodes name others, and of that in which these count.
    """

    owner: int = 0
    into: int = 0

    @property
    def joins(self) -> tuple[int, ...]:
        return self.owner, self.into


@dataclass(frozen=True)
class EdgeList(StoredEdges):
    """Two lists in each entry: the node that sends and the node that receives, for each edge.

    Parameters
    ----------
    senders, receivers
        Expressions for the numbers of the nodes, such as ``JetPFCands_pFCandsIdx`` and
        ``JetPFCands_jetIdx``; where they are counted from 1, ``edge_from - 1``.
    sender_nodes, receiver_nodes
        The numbers of the collections in which they are counted: two where edges join different
        kinds of nodes.
    direction
        "in" for these edges, "out" for those the other way round, "both" for both.
    """

    senders: str
    receivers: str
    sender_nodes: int = 0
    receiver_nodes: int = 0

    @property
    def joins(self) -> tuple[int, ...]:
        return self.receiver_nodes, self.sender_nodes


@dataclass(frozen=True)
class NodePointer(OwnedEdges):
    """One number of a node for each node, such as that of the parent; -1 is none.

    Parameters
    ----------
    index
        An expression for the number of the node, such as ``GenPart_genPartIdxMother``.
    owner, into
        The number of the collection whose nodes have it, and of that in which it counts.
    direction
        "in" if the node that has the number receives (from its parent), "out" if it sends, "both".
    """

    index: str


@dataclass(frozen=True)
class ElementLinks(OwnedEdges):
    """ATLAS links: for each node, or for each of a list of its own, a container and a number in it.

    Parameters
    ----------
    links
        The branch of the links, without ``.m_persKey`` and ``.m_persIndex``.
    container
        The key of the container in which the numbers count, as ``m_persKey`` has it. A link with
        the key 0 is none; those into other containers are left out.
    owner, into, direction
        As in :class:`NodePointer`.
    """

    links: str
    container: int

    @property
    def expressions(self) -> dict[str, str]:
        return {"key": f"{self.links}.m_persKey", "index": f"{self.links}.m_persIndex"}


@dataclass(frozen=True)
class TableRange(OwnedEdges):
    """For each node a range of places in a table of numbers of nodes, as EDM4hep has them.

    Parameters
    ----------
    begin, end
        The first place and the one after the last, ``ReconstructedParticles.tracks_begin`` and
        ``ReconstructedParticles.tracks_end``.
    table
        The numbers, such as ``_ReconstructedParticles_tracks.index``, in files of older versions
        ``ReconstructedParticles#1.index``.
    collection
        The column beside the table that says in which collection the number counts, such as
        ``_ReconstructedParticles_tracks.collectionID``.
    collection_id
        The number that it must have; every other is an error, so that no node is taken for one of
        another collection.
    owner, into, direction
        As in :class:`NodePointer`.
    """

    begin: str
    end: str
    table: str
    collection: str | None = None
    collection_id: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.collection is not None:
            check_text(self.collection, self._part("collection"))
        if (self.collection is None) != (self.collection_id is None):
            self._refuse(
                "collection_id",
                "both collection and collection_id, or none",
                self.collection_id,
                "name the column of the collections and the number that it must have",
            )


@dataclass(frozen=True)
class NodeRange(OwnedEdges):
    """For each node the first and the last of the nodes that it is joined to, as Delphes has them.

    Parameters
    ----------
    first, last
        Expressions for the numbers, such as ``Particle.D1`` and ``Particle.D2``. Both ends belong
        to the range; a last node of -1 leaves the first alone, a last one before the first is a
        second node and no range (Pythia 8's convention).
    owner, into, direction
        As in :class:`NodePointer`; the default is "out", from a particle to its daughters.
    """

    first: str
    last: str
    direction: str = field(default="out", kw_only=True)


@dataclass(frozen=True)
class AdjacencyList(OwnedEdges):
    """For each node a list of nodes, ``vector<vector<int>>``.

    Parameters
    ----------
    lists
        The branch of the lists. Features are branches of the same shape.
    owner, into, direction
        As in :class:`NodePointer`.
    """

    lists: str
