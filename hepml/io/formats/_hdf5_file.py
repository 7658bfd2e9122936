"""HDF5 files as such, opened and read by h5py."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hepml.errors import FileError, HepmlError, MissingDependencyError


def open_file(path: str) -> Any:
    """A file of h5py, open for reading."""
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError(
            f"HDF5 file {path!r}",
            expected="the package h5py",
            got="none installed",
            fix="pip install h5py",
        ) from error
    if "://" in path:
        raise FileError(
            f"remote file {path!r}",
            expected="a local file, as h5py reads no other",
            got="a remote one",
            fix="copy the file here",
        )
    with reading(path):
        return h5py.File(path, "r")


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn what h5py says about a bad file into one clear error."""
    try:
        yield
    except HepmlError:
        raise
    except Exception as error:
        # Damaged metadata come as RuntimeError, KeyError, UnicodeDecodeError, ...
        said = re.sub(r"\s+", " ", str(error))
        got, fix = said, "copy the file again; it is damaged"
        if "truncated file" in said:
            got, fix = "a truncated file", "copy it again, or let the job that writes it finish"
        elif "signature not found" in said:
            got, fix = "a file of another kind, or an empty one", "name an HDF5 file"
        raise FileError(what, expected="a readable HDF5 file", got=got, fix=fix) from error
