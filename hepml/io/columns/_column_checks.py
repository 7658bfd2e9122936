"""What columns may not say."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hepml.errors import InputError
from hepml.io.columns._collection import Collection
from hepml.io.columns._edge_ways import check_graph
from hepml.io.expressions._expressions import check_name, check_text, is_name
from hepml.io.expressions._syntax import parse

if TYPE_CHECKING:
    from hepml.io.columns._columns import Columns
else:
    # Which is made of these checks.
    Columns = Any

# The units of energy in GeV.
UNITS = {"GeV": 1.0, "MeV": 1e-3}


def check_kinds(tree: Any, classes: Any, class_files: Any, partial: Any) -> None:
    """Refuse what YAML and checkpoints can hold in these places but mean nothing there."""
    patterns = class_files or {}
    for name, right, expected, value in (
        ("tree", tree is None or isinstance(tree, str), "one name", tree),
        (
            "classes",
            isinstance(classes, Iterable) and not isinstance(classes, str | bytes),
            "a list of names",
            classes,
        ),
        (
            "class_files",
            isinstance(patterns, Mapping)
            and all(isinstance(text, str) for pair in patterns.items() for text in pair),
            "the pattern of file names of each class",
            class_files,
        ),
        ("partial_targets", isinstance(partial, bool), "true or false", partial),
    ):
        if not right:
            raise InputError(
                f"Columns.{name}",
                expected=expected,
                got=f"{value!r:.200}",
                fix="write classes: [qcd, top], or class_files: {qcd: 'qcd_*.root', ...}",
            )


def _check_lookups(columns: Columns) -> None:
    """Refuse expressions that look up a table that the columns lack."""
    named: list[str | None] = [columns.cut, columns.label, columns.weights]
    for mapping in (columns.classes, columns.context, columns.targets, columns.observers):
        named += mapping.values() if isinstance(mapping, Mapping) else []
    for part in columns.collections:
        named += [part.cut, part.label, *part.momentum.values(), *part.features.values()]
        named += [*part.positions.values(), *part.targets.values()]
    for edges in columns.edges:
        named += [*edges.expressions.values(), *edges.features.values(), edges.label]
        named += edges.targets.values()
    for text in named:
        if text is not None and "lookup" in text and not is_name(text):
            parse(text, (), columns.tables)


def check_columns(columns: Columns) -> None:
    """Refuse combinations that make no sense."""
    parts = columns.collections
    if not parts or not all(isinstance(part, Collection) for part in parts):
        raise InputError(
            "Columns.collections",
            expected="one Collection or more",
            got=f"{parts!r:.200}",
            fix="pass Collection(momentum={...})",
        )
    if not isinstance(columns.unit, str) or columns.unit not in UNITS:
        raise InputError(
            "Columns.unit",
            expected="'GeV' or 'MeV'",
            got=f"{columns.unit!r:.200}",
            fix="choose one",
        )
    check_graph(columns.collections, columns.edges)
    if len({part.label is None for part in parts}) > 1:
        raise InputError(
            "Columns.collections",
            expected="a label of each collection, or of none",
            got="some with a label",
            fix="give all a label of their particles; 0 is one",
        )
    for what in ("classes", "targets"):
        if len({tuple(getattr(part, what)) for part in parts}) > 1:
            raise InputError(
                "Columns.collections",
                expected=f"the same names of {what} in each collection",
                got=" and ".join(str(tuple(getattr(part, what))) for part in parts),
                fix="give all collections the same names, in the same order",
            )
    jets = {part.index.jets if part.index else None for part in parts}
    if len(jets) > 1:
        raise InputError(
            "Columns.collections",
            expected="collections that are divided into the same jets",
            got=f"jets from {', '.join(map(str, sorted(jets, key=str)))}",
            fix="give all of them the same JetIndex.jets, or none an index",
        )
    for name in ("cut", "label", "weights"):
        if getattr(columns, name) is not None:
            check_text(getattr(columns, name), f"Columns.{name}")
    _check_label(columns)
    _check_lookups(columns)


def _check_label(columns: Columns) -> None:
    """The label comes from one place, and two classes or more have different names."""
    by_value = columns.label is not None
    by_expression = isinstance(columns.classes, Mapping) and bool(columns.classes)
    by_file = bool(columns.class_files)
    names = columns.class_names
    for name in names:
        check_name(name, "a name in Columns.classes")
    sources = by_value + by_expression + by_file
    if sources > 1 or (names and not sources) or (by_value and not names):
        raise InputError(
            "Columns.label",
            expected="label (an expression) and classes (names in the order of its values), or "
            "classes (name: expression) alone, or class_files (name: pattern) alone",
            got=f"label={columns.label!r}, classes={columns.classes!r}, "
            f"class_files={columns.class_files!r}",
            fix="keep one of the three ways",
        )
    if len(set(names)) < len(names):
        raise InputError(
            "Columns.classes",
            expected="different names",
            got=repr(names),
            fix="give each class its own name",
        )
