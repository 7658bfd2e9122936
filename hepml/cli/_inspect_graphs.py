"""What ``hepml inspect`` says of the graphs in a file."""

import re
from collections.abc import Sequence

from hepml.errors import InputError
from hepml.io import Columns, GraphLayout, Layout, Location, graph_layouts, recognise

# So many are listed; NanoAOD has forty pointers from everything to everything.
_LISTED = 12


def layouts_in(
    location: Location, trees: Sequence[str], layout: Layout | None
) -> list[GraphLayout]:
    """The graphs in the tree that is named, that of a known layout, or the only one."""
    if location.tree is None and len(trees) != 1:
        if layout is None:
            return []
        location = location._replace(tree=layout.columns.tree)
    return graph_layouts(location)


def lines_of(layouts: Sequence[GraphLayout], *, show_all: bool) -> list[str]:
    """A line for each way in which the file says what is joined to what."""
    if not layouts:
        return []
    shown = layouts if show_all else layouts[:_LISTED]
    width = max(len(each.name) for each in shown) + 2
    lines = ["graphs (columns as YAML with `hepml inspect --graph NAME`):"]
    for each in shown:
        bad = f", {each.bad} left out as bad" if each.bad else ""
        sizes = f"{each.nodes} nodes, {each.edges} edges in {each.graphs} graphs{bad}"
        lines.append(f"  {each.name:{width}}{_kinds(each.columns)}: {sizes}")
    if len(shown) < len(layouts):
        lines.append(f"  ({len(layouts) - len(shown)} more with fewer edges; --all lists them)")
    return lines


def columns_of(location: Location, trees: Sequence[str], name: str) -> Columns:
    """The columns of the graphs of this name.

    Raises
    ------
    InputError
        If the file has none of this name.
    """
    layout = recognise(str(location)) if location.tree is None and len(trees) > 1 else None
    layouts = {each.name: each.columns for each in layouts_in(location, trees, layout)}
    if name not in layouts:
        names = list(layouts)
        more = f" and {len(names) - 8} others" if len(names) > 8 else ""
        raise InputError(
            f"--graph {name!r} of {location}",
            expected=f"one of {', '.join(names[:8])}{more}" if names else "a file with graphs",
            got="no such graphs" if names else "none that hepml finds",
            fix="`hepml inspect FILE --all` lists them"
            if names
            else "say what is joined to what in the columns by hand",
        )
    return layouts[name]


def _kinds(columns: Columns) -> str:
    """What the nodes are, from the first column of each collection."""
    names = [next(iter(part.features.values())) for part in columns.collections]
    return " and ".join(re.sub(r"(AuxDyn)?[._]\w+(\.\w+)?$", "", name) for name in names)
