"""Whether a file is still the one that was opened first."""

import os
from datetime import datetime
from typing import NamedTuple

from hepml.errors import FileError


class Identity(NamedTuple):
    """What would differ if another file had taken the place of one, or if it had been changed.

    Parameters
    ----------
    entries
        The number of entries of its table.
    size, changed
        The number of bytes, and when they were last changed, in nanoseconds; None for remote files.
    uuid
        The number that the writer gave the file; empty if its format has none.
    """

    entries: int
    size: int | None
    changed: int | None
    uuid: str = ""

    def __str__(self) -> str:
        if self.size is None or self.changed is None:
            return f"{self.entries} entries, {self.uuid}"
        time = datetime.fromtimestamp(self.changed / 1e9).isoformat(" ", "milliseconds")
        return f"{self.entries} entries in {self.size} bytes of {time}"


def state_of(descriptor: int | None) -> tuple[int | None, int | None]:
    """The size of an open file and when it was last changed; of none, None."""
    if descriptor is None:
        return None, None
    stat = os.fstat(descriptor)
    return stat.st_size, stat.st_mtime_ns


def check_unchanged(what: str, first: Identity, now: Identity) -> None:
    """Refuse to read on in another file than the first.

    Raises
    ------
    FileError
        If there is any difference.
    """
    if first != now:
        raise FileError(
            what,
            expected=f"the file that was opened first, {first}",
            got=f"{now}: it was replaced or changed while it was read",
            fix="let the job that writes it finish, and begin again",
        )
