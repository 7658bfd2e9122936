"""Files to particles: the only place that converts units, order of components and dtype."""

from hepml.io._array import read_array
from hepml.io._chunks import Chunk
from hepml.io._collection import Collection, JetIndex, Padding
from hepml.io._columns import Columns
from hepml.io._files import Files, Location, locate
from hepml.io._open import open_table
from hepml.io._present import present
from hepml.io._presets import PRESETS
from hepml.io._read import count_entries, iterate, read
from hepml.io._recognise import Layout, recognise
from hepml.io._stream import ParticleStream
from hepml.io._trajectories import read_trajectories, write_trajectories

__all__ = [
    "PRESETS",
    "Chunk",
    "Collection",
    "Columns",
    "Files",
    "JetIndex",
    "Layout",
    "Location",
    "Padding",
    "ParticleStream",
    "count_entries",
    "iterate",
    "locate",
    "open_table",
    "present",
    "read",
    "read_array",
    "read_trajectories",
    "recognise",
    "write_trajectories",
]
