"""The one place that knows which reader opens which file."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import PurePosixPath

from hepml.errors import ColumnError
from hepml.io.formats._files import Location
from hepml.io.formats._friends import Friends
from hepml.io.formats._hdf5 import open_hdf5
from hepml.io.formats._root import open_root
from hepml.io.formats._table import Table

READERS: dict[str, Callable[[Location, str | None], Table]] = {
    ".root": open_root,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
}


def open_table(location: Location, wanted: str | None = None) -> Table:
    """Open a file with the reader of its suffix; any other suffix is taken for ROOT.

    ``one+other`` are trees of the file whose entries belong together.
    """
    reader = READERS.get(PurePosixPath(location.path).suffix.lower(), open_root)
    trees = (location.tree or wanted or "").split("+")
    try:
        return reader(location, wanted)
    except ColumnError:
        # The name of one tree may have such a sign, too.
        if len(trees) == 1:
            raise
    with ExitStack() as opened:
        tables = [
            opened.enter_context(reader(location._replace(tree=tree), None)) for tree in trees
        ]
        friends = Friends(tables)
        opened.pop_all()
    return friends
