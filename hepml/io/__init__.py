"""Files to particles and graphs: only here units, order of components and dtype are converted."""

from hepml.io._trajectories import read_trajectories, write_trajectories
from hepml.io.chunks._chunk import Chunk
from hepml.io.chunks._observers import observer_types
from hepml.io.columns._built_edges import AllPairs, NearestNeighbours, NeighboursWithin
from hepml.io.columns._collection import Collection, JetIndex, Padding
from hepml.io.columns._column_checks import UNITS
from hepml.io.columns._columns import Columns
from hepml.io.columns._edges import (
    AdjacencyList,
    EdgeColumns,
    EdgeList,
    ElementLinks,
    NodePointer,
    NodeRange,
    TableRange,
)
from hepml.io.columns._presets import PRESETS
from hepml.io.columns._recognise import Layout, recognise
from hepml.io.formats._array import fields_of, passing_of_array, read_array, record_depth
from hepml.io.formats._contents import Contents, Tree, contents_of
from hepml.io.formats._entries import ENTRY_NUMBER
from hepml.io.formats._files import Files, Location, locate
from hepml.io.formats._open import open_table
from hepml.io.formats._present import present
from hepml.io.streams._graph_layouts import GraphLayout, graph_layouts
from hepml.io.streams._read import count_entries, iterate, read, warn_of_dropped
from hepml.io.streams._reweighting import Reweighting, reweighting
from hepml.io.streams._sample import EvenSample
from hepml.io.streams._shared import fingerprint, same_tree, shared_sets
from hepml.io.streams._stream import SHUFFLE_MEMORY, BatchStream, NoSets
from hepml.lazy import attach

__all__ = [
    "ENTRY_NUMBER",
    "PRESETS",
    "SHUFFLE_MEMORY",
    "UNITS",
    "AdjacencyList",
    "AllPairs",
    "BatchStream",
    "Chunk",
    "Collection",
    "Columns",
    "Contents",
    "EdgeColumns",
    "EdgeList",
    "ElementLinks",
    "EvenSample",
    "Files",
    "GraphLayout",
    "JetIndex",
    "Layout",
    "Location",
    "NearestNeighbours",
    "NeighboursWithin",
    "NoSets",
    "NodePointer",
    "NodeRange",
    "Padding",
    "Reweighting",
    "TableRange",
    "Tree",
    "contents_of",
    "count_entries",
    "fields_of",
    "fingerprint",
    "graph_layouts",
    "iterate",
    "locate",
    "observer_types",
    "open_table",
    "passing_of_array",
    "present",
    "read",
    "read_array",
    "read_trajectories",
    "recognise",
    "record_depth",
    "reweighting",
    "same_tree",
    "shared_sets",
    "warn_of_dropped",
    "write_trajectories",
]

# Where names are that were here.
__getattr__, _ = attach(__name__, {}, {"ParticleStream": "hepml.io.BatchStream"})
