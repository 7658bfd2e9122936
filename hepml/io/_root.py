"""TTrees and RNTuples as tables of flat columns, read by uproot."""

import os
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any

import awkward as ak
import numpy as np
import uproot

from hepml.errors import ColumnError, FileError
from hepml.io._files import Location
from hepml.io._table import Column, Table

_TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")


def open_root(location: Location, wanted: str | None = None) -> "RootTable":
    """Open the tree that the location names, else the wanted one, else the only one.

    Raises
    ------
    FileError
        If the file cannot be read: not ROOT, truncated, remote and unreachable.
    ColumnError
        If it has no such tree, or several and none was chosen.
    """
    directory = open_directory(location.path)
    try:
        return RootTable(directory, location.path, _choose(directory, location, wanted))
    except BaseException:
        directory.close()
        raise


def open_directory(path: str) -> Any:
    """The top directory of a ROOT file."""
    # Mapped into memory, local files need none of fsspec's threads, which a fork would not copy.
    how = {} if "://" in path else {"handler": uproot.MemmapSource}
    try:
        directory = uproot.open(path, **how)
    except Exception as error:
        # uproot raises whatever its decoding stumbles on: ValueError, KeyError, struct.error, ...
        raise _unreadable(path, "a ROOT file", error) from error
    if os.path.isfile(path):
        size, stated = os.path.getsize(path), directory.file.fEND
        if size < stated:
            directory.close()
            raise FileError(
                f"file {path!r}",
                expected=f"{stated} bytes, by its own header",
                got=f"{size}: the file is truncated",
                fix="copy it again, or let the job that writes it finish",
            )
    return directory


def tree_names(directory: Any) -> dict[str, str]:
    """The trees and RNTuples of a file, in any of its directories, and their classes."""
    classes = directory.classnames(recursive=True, cycle=False)
    return {name: kind for name, kind in classes.items() if kind in _TREES}


def _choose(directory: Any, location: Location, wanted: str | None) -> str:
    """The name of the tree to read."""
    names = list(tree_names(directory))
    chosen = location.tree or wanted
    if chosen is not None and chosen.partition(";")[0] in names:
        return chosen
    if chosen is None and len(names) == 1:
        return names[0]
    listed = ", ".join(names) or "none"
    fix = f"name one, as in {location.path + ':' + (names[0] if names else 'tree')!r}"
    if not names:
        fix = "choose a file with a TTree or RNTuple"
    raise ColumnError(
        f"file {location.path!r}",
        expected="one tree, or the name of one" if chosen is None else f"a tree {chosen!r}",
        got=f"the trees {listed}" if names else "no tree or RNTuple",
        fix=fix,
    )


class RootTable(Table):
    """One TTree or RNTuple; see :class:`hepml.io._table.Table`."""

    def __init__(self, directory: Any, file: str, tree: str) -> None:
        self.file, self.tree = file, tree
        self._directory = directory
        # uproot's trees fill their members lazily: one thread at a time.
        self._lock = Lock()
        self.source = f"{file}:{tree}"
        try:
            self._object = directory[tree]
            self._branches = _branches(self._object)
            self.entries = int(self._object.num_entries)
        except Exception as error:
            raise _unreadable(self.source, "a readable tree", error) from error
        self._keys = {key: key for key in self._branches}
        for key in self._branches:
            # Delphes' Jet/Jet.PT is also Jet.PT.
            self._keys.setdefault(key.rpartition("/")[2], key)

    def names(self) -> Sequence[str]:
        return list(self._keys)

    def types(self) -> dict[str, str]:
        """The type of each column, in C++."""
        return {key: str(branch.typename) for key, branch in self._branches.items()}

    def bounds(self) -> Sequence[int]:
        if _is_rntuple(self._object):
            starts = [int(c.num_first_entry) for c in self._object.cluster_summaries]
            return [*starts, self.entries]
        return [int(entry) for entry in self._object.common_entry_offsets()]

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        names = list(dict.fromkeys(names))
        keys = list(dict.fromkeys(self._keys[name] for name in names))
        # The cache of uproot would hold every chunk of a loop over files.
        options = {"entry_start": start, "entry_stop": stop, "array_cache": None}
        try:
            with self._lock:
                if _is_rntuple(self._object):
                    # RNTuple.arrays goes through all fields: seconds for those of NanoAOD.
                    arrays = {key: self._branches[key].array(**options) for key in keys}
                else:
                    arrays = self._object.arrays(keys, how=dict, **options)
        except Exception as error:
            what = f"{self.source}, entries {start} to {stop}"
            raise _unreadable(what, "readable data", error) from error
        return {name: self._column(arrays[self._keys[name]], name) for name in names}

    def close(self) -> None:
        # uproot's objects refer to each other in circles: left to the garbage collector, the file
        # would stay open.
        with self._lock:
            self._directory.close()

    def _column(self, array: Any, name: str) -> Column:
        """The flat content of an array."""
        layout = array.layout
        if layout.is_indexed and not layout.is_option:
            layout = layout.project()
        if isinstance(layout, ak.contents.RegularArray):
            if isinstance(layout.content, ak.contents.NumpyArray):
                return Column(np.asarray(layout.to_packed().content.data).reshape(-1, layout.size))
        elif layout.is_list and layout.parameter("__array__") is None:
            return self._jagged(layout, name)
        elif layout.is_numpy and layout.data.ndim <= 2:
            return Column(np.asarray(layout.data))
        raise self._not_numbers(array, name)

    def _jagged(self, layout: Any, name: str) -> Column:
        """Content and offsets from 0 of a list."""
        layout = layout.to_ListOffsetArray64(True)
        offsets = np.asarray(layout.offsets.data)
        content = layout.content
        if not content.is_numpy or content.data.ndim != 1:
            raise self._not_numbers(ak.Array(layout), name)
        if np.any(offsets[1:] < offsets[:-1]) or offsets[-1] > len(content):
            # uproot takes the bounds of lists as the bytes give them.
            raise FileError(
                f"{self.source}, column {name!r}",
                expected="lists that follow each other",
                got="bounds that fall or point behind the data",
                fix="copy the file again; it is damaged",
            )
        return Column(np.asarray(content.data)[: offsets[-1]], offsets)

    def _not_numbers(self, array: Any, name: str) -> ColumnError:
        """The error of a branch of objects, strings or nested lists."""
        return ColumnError(
            f"{self.source}, column {name!r}",
            expected="one number, one list of numbers or one fixed array for each entry",
            got=f"entries of type {array.type.content}",
            fix="choose a branch of numbers; `hepml inspect` lists all with their types",
        )


def _is_rntuple(tree: Any) -> bool:
    """Whether this is the newer of ROOT's two table formats."""
    return isinstance(tree, uproot.behaviors.RNTuple.RNTuple)


def _branches(tree: Any) -> dict[str, Any]:
    """The branches of a TTree or the fields of an RNTuple, by their full names."""
    if _is_rntuple(tree):
        # RNTuple.items takes a time that grows with the square of the number of fields.
        fields = [(field.path, field) for field in tree.ntuple.all_fields]
        return {path: field for path, field in fields if path is not None}
    return dict(tree.items())


def _unreadable(what: str, expected: str, error: Exception) -> FileError:
    """The error of bytes that uproot cannot decode."""
    reason = str(error).strip().splitlines()
    return FileError(
        what,
        expected=expected,
        got=f"{type(error).__name__}: {reason[0] if reason else 'no reason given'}",
        fix="check the address and the network, or copy the file here"
        if "://" in what
        else "check that it is a ROOT file and complete; copy it again if it was cut off",
    )
