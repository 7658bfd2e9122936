"""Columns: which branches of a file hold momenta, features, labels and weights."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from hepml.data import Per
from hepml.errors import InputError
from hepml.io.columns._collection import Collection, collection_of
from hepml.io.columns._column_checks import check_columns, check_kinds
from hepml.io.columns._edge_ways import edges_of_plain, plain_of_edges
from hepml.io.columns._edges import EdgeColumns
from hepml.io.columns._plain import check_size, known_keys, numbers_as_text, plain_of
from hepml.io.columns._yaml import load_yaml
from hepml.io.expressions._expressions import check_texts
from hepml.io.expressions._lookup import Tables, check_tables


@dataclass(frozen=True, init=False)
class Columns:
    """Which columns of a file hold what; the same value reads training data and the data to tag.

    Wherever a column is expected an expression may stand. Integers and bools compute as on paper,
    without wrapping; ``& | ^ ~`` combine conditions, or with an integer constant take bits. What is
    NaN, or neither true nor false, where a condition is needed makes a bad set. ``sum``, ``mean``,
    ``min``, ``max``, ``first``, ``argmax``, ``count``, ``any`` and ``all`` run over the particles
    of a set, without padding and without what the collection's cut and `hardest` leave out; in
    momenta and in that cut itself, over all but padding. Of an empty set ``sum`` and ``count`` are
    0, ``any`` is false, ``all`` is true and the others are NaN.

    Parameters
    ----------
    collections
        One collection of particles, or several that are merged into one set: features that a
        collection lacks are zero.
    unit
        The unit of energies, momenta and masses in the file: "GeV" or "MeV".
    tree
        The tree, RNTuple or dataset; None if the file has only one.
    cut
        An expression that is true for the sets to keep.
    label
        An expression whose value is the number of the class, in the order of `classes`.
    classes
        The names of the classes, with `label`; or, without it, a mapping from the name of each
        class to an expression that is true for its sets and no others.
    class_files
        A mapping from the name of each class to a pattern of file names, such as
        ``{"qcd": "*/qcd_*.root", "top": "*/top_*.root"}``: the label is by file.
    weights
        An expression for the weight of each set.
    context
        Name and expression of numbers of each set.
    targets
        Name and expression of numbers of each set that are to be predicted, in the file's own
        units. What is NaN or infinite makes a bad set.
    observers
        Name and expression of further numbers of each set, which no network reads: they are carried
        along as they are, whole numbers as such, to be written beside its scores.
    tables
        Tables from numbers to numbers, by name: with ``{"kind": {211: 1, -211: 1, 22: 2}}``,
        ``lookup("kind", part_pid, 0)`` is 1, 2 or, for all others, 0; without a default it is NaN
        for the others, and these are bad.
    edges
        What is joined to what: then sets are graphs, and the collections their nodes. Edges of
        several ways are merged as collections are.
    partial_targets
        Whether particles, nodes and edges may lack a target, which then is NaN; else it makes
        their set bad.

    Raises
    ------
    InputError
        If a combination makes no sense; the message says which.

    Examples
    --------
    >>> columns = Columns(
    ...     Collection(
    ...         {"pt": "part_pt", "eta": "part_eta", "phi": "part_phi", "mass": "0"},
    ...         features={"charge": "part_charge", "log_pt": "log(part_pt / jet_pt)"},
    ...     ),
    ...     label="is_top", classes=("qcd", "top"), cut="jet_pt > 500",
    ... )
    >>> columns.feature_names, columns.class_names
    (('charge', 'log_pt'), ('qcd', 'top'))
    >>> Columns.from_dict(columns.to_dict()) == columns
    True
    """

    collections: tuple[Collection, ...]
    unit: str = "GeV"
    tree: str | None = None
    cut: str | None = None
    label: str | None = None
    classes: tuple[str, ...] | Mapping[str, str] = ()
    class_files: Mapping[str, str] = field(default_factory=dict)
    weights: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    observers: Mapping[str, str] = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)
    edges: tuple[EdgeColumns, ...] = ()
    partial_targets: bool = False

    def __init__(
        self,
        collections: Collection | Iterable[Collection],
        *,
        unit: str = "GeV",
        tree: str | None = None,
        cut: str | None = None,
        label: str | None = None,
        classes: Iterable[str] | Mapping[str, str] = (),
        class_files: Mapping[str, str] | None = None,
        weights: str | None = None,
        context: Mapping[str, str] | None = None,
        targets: Mapping[str, str] | None = None,
        observers: Mapping[str, str] | None = None,
        tables: Tables | None = None,
        edges: EdgeColumns | Iterable[EdgeColumns] = (),
        partial_targets: bool = False,
    ) -> None:
        if isinstance(collections, Collection):
            collections = (collections,)
        check_kinds(tree, classes, class_files, partial_targets)
        values = {
            "collections": tuple(collections),
            "unit": unit,
            "tree": tree,
            "cut": cut,
            "label": label,
            "classes": check_texts(classes, "Columns.classes")
            if isinstance(classes, Mapping)
            else tuple(classes),
            "class_files": dict(class_files or {}),
            "weights": weights,
            "context": check_texts(context or {}, "Columns.context"),
            "targets": check_texts(targets or {}, "Columns.targets"),
            "observers": check_texts(observers or {}, "Columns.observers"),
            "tables": check_tables(tables or {}, "Columns.tables"),
            "edges": (edges,) if isinstance(edges, EdgeColumns) else tuple(edges),
            "partial_targets": partial_targets,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        check_columns(self)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns of ``ParticleSet.features``: those of each collection, then the kinds."""
        names = dict.fromkeys(name for part in self.collections for name in part.features)
        kinds = dict.fromkeys(part.kind for part in self.collections if part.kind is not None)
        return tuple(names | kinds)

    @property
    def edge_feature_names(self) -> tuple[str, ...]:
        """The columns of ``Graph.edges``: the features of each way, then the kinds."""
        names = dict.fromkeys(name for edges in self.edges for name in edges.features)
        kinds = dict.fromkeys(edges.kind for edges in self.edges if edges.kind is not None)
        return tuple(names | kinds)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes; label ``i`` means the ``i``-th. Empty without labels."""
        return tuple(self.classes) or tuple(self.class_files)

    @property
    def context_names(self) -> tuple[str, ...]:
        """The columns of ``ParticleSet.context``."""
        return tuple(self.context)

    @property
    def target_names(self) -> tuple[str, ...]:
        """The columns of ``ParticleSet.targets``."""
        return tuple(self.targets)

    @property
    def particle_class_names(self) -> tuple[str, ...]:
        """The names of the classes of particles, nodes of graphs among them."""
        return self.collections[0].classes

    @property
    def particle_target_names(self) -> tuple[str, ...]:
        """The columns of ``ParticleSet.particle_targets``."""
        return tuple(self.collections[0].targets)

    @property
    def edge_class_names(self) -> tuple[str, ...]:
        """The names of the classes of edges."""
        return self.edges[0].classes if self.edges else ()

    @property
    def edge_target_names(self) -> tuple[str, ...]:
        """The columns of ``Graph.edge_targets``."""
        return tuple(self.edges[0].targets) if self.edges else ()

    @property
    def levels(self) -> tuple[Per, ...]:
        """What has classes and targets: sets and their particles, or graphs, nodes and edges."""
        return ("set", "node", "edge") if self.edges else ("set", "particle")

    def class_names_of(self, per: Per) -> tuple[str, ...]:
        """The names of the classes of sets, particles, nodes or edges."""
        if per == "edge":
            return self.edge_class_names
        return self.class_names if per == "set" else self.particle_class_names

    def target_names_of(self, per: Per) -> tuple[str, ...]:
        """The names of the targets of sets, particles, nodes or edges."""
        if per == "edge":
            return self.edge_target_names
        return self.target_names if per == "set" else self.particle_target_names

    def with_features(self, names: Iterable[str]) -> "Columns":
        """The same columns with some of the features, or none; their order stays.

        Raises
        ------
        InputError
            If a name is not a feature.
        """
        names = list(names)
        unknown = [name for name in names if name not in self.feature_names]
        if unknown:
            raise InputError(
                "features",
                expected=f"names among {', '.join(self.feature_names) or '(no features)'}",
                got=repr(unknown),
                fix="choose among the features of the columns, or add them to a collection",
            )
        collections = [
            replace(
                part,
                features={k: v for k, v in part.features.items() if k in names},
                kind=part.kind if part.kind in names else None,
            )
            for part in self.collections
        ]
        return self.replace(collections=collections)

    def with_context(self, names: Iterable[str]) -> "Columns":
        """The same columns with some of the numbers of each set, or none; their order stays.

        Raises
        ------
        InputError
            If a name is not one of the context.
        """
        names = list(names)
        if unknown := [name for name in names if name not in self.context]:
            raise InputError(
                "context",
                expected=f"names among {', '.join(self.context) or '(no context)'}",
                got=repr(unknown),
                fix="choose among the context of the columns, or add them there",
            )
        return self.replace(context={k: v for k, v in self.context.items() if k in names})

    def without_labels(self) -> "Columns":
        """The same columns without labels, targets and weights, for files that have none."""
        return self.replace(
            collections=[
                replace(part, label=None, classes=(), targets={}) for part in self.collections
            ],
            edges=[replace(each, label=None, classes=(), targets={}) for each in self.edges],
            label=None,
            classes=(),
            class_files={},
            targets={},
            weights=None,
        )

    def replace(self, **changes: Any) -> "Columns":
        """The same columns with other values of the named parameters."""
        return type(self)(**{f.name: getattr(self, f.name) for f in fields(self)} | changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and text, for checkpoints and YAML; defaults are left out."""
        plain: dict[str, Any] = plain_of(self)
        edges = [plain_of_edges(each) for each in self.edges]
        return plain | ({"edges": edges} if edges else {})

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Columns":
        """The inverse of :meth:`to_dict`; a number, as in ``mass: 0``, is an expression.

        Raises
        ------
        InputError
            If a key is unknown or a value makes no sense.
        """
        check_size(plain, "Columns")
        values = dict(known_keys(cls, numbers_as_text(plain)))
        parts = values.get("collections")
        if isinstance(parts, Mapping):
            parts = [parts]
        if not isinstance(parts, list | tuple) or not parts:
            raise InputError(
                "Columns.collections",
                expected="a list with one collection or more",
                got=f"{parts!r:.200}",
                fix="give at least {'momentum': {'E': ..., 'px': ..., 'py': ..., 'pz': ...}}",
            )
        values["collections"] = [collection_of(part) for part in parts]
        values["edges"] = edges_of_plain(values.get("edges") or ())
        values["tables"] = check_tables(values.get("tables") or {}, "Columns.tables")
        return cls(**values)

    @classmethod
    def from_yaml(cls, file: str) -> "Columns":
        """The columns that a YAML file holds, as ``hepml inspect --columns`` writes it.

        Raises
        ------
        FileNotFoundError
            If there is none.
        FileError
            If it cannot be read, or is no YAML of a bounded size.
        InputError
            If a key is unknown or a value makes no sense.
        """
        return cls.from_dict(load_yaml(file))
