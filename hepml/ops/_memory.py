"""Memory that is asked for only where there is so much."""

import sys
from pathlib import Path

import torch

from hepml.errors import InputError

# Below this nobody looks: to look takes as long as a small operation.
_SMALL = 1 << 28
_CGROUP = Path("/sys/fs/cgroup")


def check_memory(what: str, size: int, device: torch.device, fix: str) -> None:
    """Refuse what does not fit into the memory of the machine, before any of it is taken.

    Parameters
    ----------
    what
        What needs the memory, with its numbers.
    size
        How many bytes it needs at once.
    device
        Where; a GPU says itself what it lacks.
    fix
        What would need less.

    Raises
    ------
    InputError
        If there are not so many bytes. A system that promises more memory than it has would end
        the process instead.

    Examples
    --------
    >>> check_memory("a million sets", 10**6, torch.device("cpu"), "take fewer")
    """
    if torch.compiler.is_compiling() or size < _SMALL or device.type != "cpu":
        return
    there = _available()
    if size > there:
        raise InputError(
            what,
            expected=f"what fits into the memory that is free, {there / 1e9:.1f} GB",
            got=f"a need of {size / 1e9:.1f} GB",
            fix=fix,
        )


def _available() -> int:
    """The bytes that this process can have, as far as the system tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        numbers = dict(line.split(":") for line in lines)
        there = 1024 * int(numbers["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        # Not Linux.
        return sys.maxsize
    try:
        most = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        entries = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        # Files that the system keeps at hand make room.
        return min(there, most - used + int(entries["inactive_file"]))
    except (OSError, KeyError, ValueError):
        # No limit but the machine.
        return there
