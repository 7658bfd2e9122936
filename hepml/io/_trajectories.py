"""Trajectories in ROOT files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import uproot

from hepml.data import Trajectories
from hepml.errors import ColumnError, FileError, InputError
from hepml.io.formats._files import locate
from hepml.io.formats._open import READERS
from hepml.io.formats._root import open_root
from hepml.io.formats._root_file import open_directory
from hepml.outputs import whole_file

_TREE = "trajectories"
_STATES = ("q", "p", "rate_q", "rate_p", "observed_q", "observed_p")


def write_trajectories(
    trajectories: Trajectories, path: str | Path, *, overwrite: bool = False
) -> None:
    """Write a ROOT file: an entry for each trajectory, what made it as JSON beside the tree.

    Parameters
    ----------
    trajectories
        In any precision; written in their own.
    path
        The file.
    overwrite
        Whether a file of this name may be replaced.

    Raises
    ------
    FileError
        If the file exists or cannot be written. Nothing unfinished is left.
    InputError
        If the name says that the file is none of ROOT's.

    Notes
    -----
    The branches ``q, p, rate_q, rate_p, observed_q, observed_p`` have the shape [times][bodies]
    [space], ``t`` has [times], the same in every entry: ``trajectories->Draw("q[][0][1]:t")``.
    """
    suffix = Path(path).suffix.lower()
    if READERS.get(suffix, open_root) is not open_root:
        raise InputError(
            f"file {str(path)!r}",
            expected="a name that ends in .root",
            got=f"{suffix}, by which readers take it for another kind of file",
            fix="rename it",
        )
    columns = {name: getattr(trajectories, name).cpu().numpy() for name in _STATES}
    t = trajectories.t.cpu().numpy()
    columns = {"t": np.broadcast_to(t, (len(trajectories), len(t))), **columns}
    with (
        whole_file(path, overwrite=overwrite) as part,
        uproot.recreate(part, compression=uproot.ZSTD(9)) as file,
    ):
        types = {name: np.dtype((c.dtype, c.shape[1:])) for name, c in columns.items()}
        file.mktree(_TREE, types).extend(columns)
        file["about"] = json.dumps(dict(trajectories.about))


def read_trajectories(path: str | Path) -> Trajectories:
    """Read what :func:`write_trajectories` wrote, bit for bit.

    Raises
    ------
    FileError
        If the file is missing, cannot be read, or holds no trajectories.
    ColumnError
        If a branch is missing.
    InputError
        If a number is not finite.
    """
    (location,) = locate(path)
    with open_directory(location.path) as file:
        if _TREE not in file:
            raise FileError(
                f"file {location.path!r}",
                expected=f"a tree {_TREE!r}",
                got=", ".join(file.keys(cycle=False)) or "nothing",
                fix="make one with `hepml generate SYSTEM`",
            )
        tree = file[_TREE]
        missing = [name for name in ("t", *_STATES) if name not in tree]
        if missing:
            raise ColumnError(
                f"file {location.path!r}",
                expected=f"the branches t, {', '.join(_STATES)}",
                got=f"none called {', '.join(missing)}",
                fix="make the file with `hepml generate SYSTEM`",
            )
        columns: dict[str, Any] = tree.arrays(["t", *_STATES], library="np")
        about = json.loads(str(file["about"])) if "about" in file else {}
    states = {name: torch.from_numpy(_native(columns[name])) for name in _STATES}
    return Trajectories(torch.from_numpy(_native(columns["t"][0])), **states, about=about)


def _native(column: Any) -> Any:
    """An array in the byte order of this machine: ROOT's is the other."""
    return np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("="))
