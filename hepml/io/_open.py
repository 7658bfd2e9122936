"""The one place that knows which reader opens which file."""

from collections.abc import Callable
from pathlib import PurePosixPath

from hepml.io._files import Location
from hepml.io._hdf5 import open_hdf5
from hepml.io._root import open_root
from hepml.io._table import Table

READERS: dict[str, Callable[[Location, str | None], Table]] = {
    ".root": open_root,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
}


def open_table(location: Location, wanted: str | None = None) -> Table:
    """Open a file with the reader of its suffix; any other suffix is taken for ROOT."""
    reader = READERS.get(PurePosixPath(location.path).suffix.lower(), open_root)
    return reader(location, wanted)
