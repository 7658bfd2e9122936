"""Whether two files are the same, whatever they are called, and which sets they share."""

import hashlib
import os
import re

from hepml.io.chunks._chunk import passing
from hepml.io.columns._columns import Columns
from hepml.io.formats._files import Location
from hepml.io.streams._open_files import open_bound
from hepml.io.streams._read import STEP, chunk_ranges

# Where formats keep what differs from file to file: identifiers, dates, places of the data.
_ENDS = 1 << 16


def fingerprint(path: str) -> str:
    """A name of the content of a file, the same for its copies; of a remote file, its address.

    It is made from the size and from both ends of the file, so that large files are not read.
    """
    if not os.path.isfile(path):
        return path
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        content = hashlib.sha256(f"{size} ".encode())
        content.update(file.read(_ENDS))
        file.seek(max(size - _ENDS, 0))
        content.update(file.read(_ENDS))
    return content.hexdigest()[:32]


def same_tree(one: str | None, other: str | None) -> bool:
    """Whether two names of trees, of the same file, stand for the same entries.

    Without a name it is the only tree of the file.
    """
    return one is None or other is None or bool(_trees(one) & _trees(other))


def _trees(name: str) -> set[str]:
    """The trees that are read side by side, whatever their cycle."""
    return {re.sub(r";\d+$", "", each.strip("/")) for each in name.split("+")}


def shared_sets(
    locations: list[Location], columns: Columns, others: list[Location], other_columns: Columns
) -> dict[str, int]:
    """For each file that is among the others too, how many sets pass the cuts of both columns."""
    known: dict[str, list[str | None]] = {}
    for each in others:
        known.setdefault(fingerprint(each.path), []).append(each.tree or other_columns.tree)
    shared = {}
    for location in locations:
        tree = location.tree or columns.tree
        if not any(same_tree(tree, one) for one in known.get(fingerprint(location.path), ())):
            continue
        one, other = (open_bound(location, each) for each in (columns, other_columns))
        with one.table, other.table:
            count = sum(
                int((passing(one, *each) & passing(other, *each)).sum())
                for each in chunk_ranges(one, STEP)
            )
        if count:
            shared[location.path] = count
    return shared
