"""The graphs that a file holds: found by names, and kept if a sample of them can be read."""

from typing import Any, NamedTuple

from hepml.errors import HepmlError
from hepml.io.chunks._binding import bind
from hepml.io.chunks._chunk import read_chunk
from hepml.io.columns._columns import Columns
from hepml.io.columns._graph_layouts import structures_of
from hepml.io.formats._files import Location
from hepml.io.formats._open import open_table

# So many entries are read of each.
_SAMPLE = 1000


class GraphLayout(NamedTuple):
    """Graphs that a file holds, and what a sample of them is."""

    name: str
    """The column that says what is joined to what, or what its columns have in common."""
    columns: Columns
    graphs: int
    bad: int
    """Graphs of the sample that were left out."""
    nodes: int
    edges: int


def graph_layouts(location: Location) -> list[GraphLayout]:
    """What in a file could be read as graphs, those with most edges first.

    Parameters
    ----------
    location
        The file, and the tree if it has several.

    Raises
    ------
    FileError
        If it cannot be read.
    ColumnError
        If it has no tree, or several and none was chosen.
    """
    found = []
    with open_table(location) as table:
        names = frozenset(table.names())
        for structure in structures_of(table):
            try:
                columns = structure.columns(names, table.tree)
                if columns is None:
                    continue
                bound = bind(columns, table)
                chunk, _ = read_chunk(bound, 0, min(table.entries, _SAMPLE), "drop")
            except HepmlError:
                # What has the name of an index need not be one.
                continue
            graph: Any = chunk.particles
            if len(graph.senders):
                bad = sum(chunk.dropped.values())
                sizes = (len(graph), bad, len(graph.nodes), len(graph.senders))
                found.append(GraphLayout(structure.name, columns, *sizes))
    return sorted(found, key=lambda each: -each.edges)
