"""Names of files: globs, lists, trees after a colon, and what cannot be a file at all."""

import glob
import importlib.util
import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from hepml.errors import FileError

Files = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

# The packages that fsspec needs for a protocol, by the name to import and the name to install.
_PROTOCOLS = {
    "root": ("fsspec_xrootd", "fsspec-xrootd"),
    "xroot": ("fsspec_xrootd", "fsspec-xrootd"),
    "http": ("aiohttp", "aiohttp"),
    "https": ("aiohttp", "aiohttp"),
    "s3": ("s3fs", "s3fs"),
}

# A remote file and its tree: after a suffix that is known, or after a colon that is no port's.
_REMOTE = (
    re.compile(r"(.+?\.(?:root|h5|hdf5)):(.*)", re.IGNORECASE),
    re.compile(r"(.+/[^/:]*\.[^/:]*):(?!\d+(?:/|$))(.*)"),
)


class Location(NamedTuple):
    """A file and, if one was named, the tree in it."""

    path: str
    tree: str | None = None

    def __str__(self) -> str:
        return self.path if self.tree is None else f"{self.path}:{self.tree}"


def locate(files: Files) -> list[Location]:
    """The files that names, patterns and lists of these stand for, in their order.

    Raises
    ------
    FileError
        If a file is missing, a pattern matches nothing, or a protocol's package is not installed.
    """
    if isinstance(files, str | os.PathLike):
        files = [files]
    found = [location for name in files for location in _expand(os.fspath(name))]
    if not found:
        raise FileError(
            "files", expected="one file or more", got="none", fix="name a file or a pattern"
        )
    return found


def _expand(name: str) -> list[Location]:
    """One name as given: a remote file, a local one, or a pattern."""
    path, tree = split(name)
    if "://" in path:
        _check_protocol(path)
        return [Location(path, tree)]
    path = os.path.expanduser(path)
    if os.path.isfile(path):
        return [Location(path, tree)]
    if glob.has_magic(path):
        paths = sorted(filter(os.path.isfile, glob.glob(path, recursive=True)))
        if not paths:
            raise FileError(
                f"pattern {path!r}",
                expected="at least one file",
                got="no match",
                fix=f"check the pattern and the present directory, {os.getcwd()}",
            )
        return [Location(each, tree) for each in paths]
    if os.path.isdir(path):
        raise FileError(
            f"file {path!r}",
            expected="a file",
            got="a directory",
            fix=f"name its files, as in {os.path.join(path, '*.root')!r}",
        )
    raise FileError(
        f"file {path!r}",
        expected="a file",
        got="no such file",
        fix=f"check the name and the present directory, {os.getcwd()}",
    )


def split(name: str) -> tuple[str, str | None]:
    """``file.root:tree`` in two; names of files and of trees may have colons themselves."""
    if "://" in name:
        found = next(filter(None, (pattern.fullmatch(name) for pattern in _REMOTE)), None)
        return (found[1], found[2] or None) if found else (name, None)
    if os.path.isfile(os.path.expanduser(name)):
        return name, None
    colons = [match.start() for match in re.finditer(":", name)]
    for exists in (os.path.isfile, glob.glob):
        for colon in colons:
            if exists(os.path.expanduser(name[:colon])):
                return name[:colon], name[colon + 1 :] or None
    # There is no such file: the error is to name it without the tree.
    path, _, tree = name.partition(":")
    return (path, tree or None) if "." in os.path.basename(path) else (name, None)


def _check_protocol(path: str) -> None:
    """Say which package a remote file needs, before fsspec fails in its own words."""
    protocol = path.partition("://")[0]
    module, package = _PROTOCOLS.get(protocol, ("", ""))
    if not module or importlib.util.find_spec(module) is None:
        raise FileError(
            f"remote file {path!r}",
            expected=f"a protocol that can be read here ({', '.join(_PROTOCOLS)})"
            if not module
            else f"the package {package}, which reads {protocol}://",
            got=f"{protocol}://" if not module else "none installed",
            fix=f"pip install {package}" if module else "copy the file here",
        )
    if "*" in path:
        raise FileError(
            f"remote file {path!r}",
            expected="one remote file",
            got="a pattern",
            fix="list remote files by name; only local files can be matched by a pattern",
        )
