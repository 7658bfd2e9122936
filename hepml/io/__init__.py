"""Files to particles: the only place that converts units, order of components and dtype."""

from hepml.io._trajectories import read_trajectories, write_trajectories
from hepml.io.chunks._chunk import Chunk
from hepml.io.columns._collection import Collection, JetIndex, Padding
from hepml.io.columns._columns import Columns
from hepml.io.columns._presets import PRESETS
from hepml.io.columns._recognise import Layout, recognise
from hepml.io.formats._array import read_array
from hepml.io.formats._files import Files, Location, locate
from hepml.io.formats._open import open_table
from hepml.io.formats._present import present
from hepml.io.streams._read import count_entries, iterate, read
from hepml.io.streams._sample import EvenSample
from hepml.io.streams._stream import ParticleStream

__all__ = [
    "PRESETS",
    "Chunk",
    "Collection",
    "Columns",
    "EvenSample",
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
