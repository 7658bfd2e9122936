"""Which known layout a file has, by the names of its branches."""

from dataclasses import dataclass

from hepml.io._columns import Columns
from hepml.io._files import locate
from hepml.io._open import open_table
from hepml.io._presets import PRESETS


@dataclass(frozen=True)
class Layout:
    """A known layout: its name in ``PRESETS``, and the columns to read this file with."""

    name: str
    columns: Columns


def recognise(file: str) -> Layout | None:
    """The known layout of a file, or None."""
    location = locate(file)[0]
    table = open_table(location)
    if {"part_px", "part_pid"} <= set(table.names()):
        return Layout("hepml", PRESETS["hepml"])
    return None
