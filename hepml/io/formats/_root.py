"""TTrees and RNTuples as tables of flat columns, read by uproot."""

from collections.abc import Hashable, Iterable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

import awkward as ak
import numpy as np

from hepml.errors import ColumnError, DataError, FileError
from hepml.io.formats._files import Location
from hepml.io.formats._identity import Identity, check_unchanged, state_of
from hepml.io.formats._nested import member_of, nested_columns
from hepml.io.formats._root_branches import (
    Place,
    branches_of,
    holds_numbers,
    is_group,
    is_rntuple,
    list_of,
    members_of,
    places_of,
    type_of,
    unknown,
)
from hepml.io.formats._root_checksums import checked_pages
from hepml.io.formats._root_file import choose, object_of, open_directory, unreadable
from hepml.io.formats._root_source import PlainSource
from hepml.io.formats._table import Column, Table


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
        return RootTable(directory, location.path, choose(directory, location, wanted))
    except BaseException:
        directory.close()
        raise


class RootTable(Table):
    """One TTree or RNTuple; see :class:`hepml.io.formats._table.Table`."""

    def __init__(self, directory: Any, file: str, tree: str) -> None:
        self.file, self.tree = file, tree
        self._directory = directory
        # uproot's trees fill their members lazily: one thread at a time.
        self._lock = Lock()
        self.source = f"{file}:{tree}"
        try:
            self._object = object_of(directory, tree)
            self._branches = branches_of(self._object)
            self._places = places_of(self._branches)
            self.entries = int(self._object.num_entries)
            source = directory.file.source
            if is_rntuple(self._object) and isinstance(source, PlainSource):
                source.pages |= checked_pages(self._object.ntuple)
            self.identity = self._identity()
        except Exception as error:
            raise unreadable(self.source, "a readable tree", error) from error

    def names(self) -> Sequence[str]:
        return list(self._places)

    def types(self) -> dict[str, str]:
        """The type of each column, in C++, under the shortest name that it has alone."""
        types = {Place(key): type_of(branch) for key, branch in self._branches.items()}
        for key, branch in self._branches.items():
            types |= {Place(key, member): kind for member, kind in members_of(branch).items()}
        shortest = {place: place.name for place in self._places.values()}
        shortest |= {place: name for name, place in self._places.items() if "/" not in name}
        return {shortest[place]: kind for place, kind in types.items()}

    def bounds(self, names: Iterable[str]) -> Sequence[int]:
        try:
            with self._lock:
                if is_rntuple(self._object):
                    clusters = self._object.cluster_summaries
                    found = [int(cluster.num_first_entry) for cluster in clusters]
                else:
                    # Branches that nobody asked for have no say: they may even be unreadable.
                    keys = dict.fromkeys(self._places[name].key for name in names)
                    offsets = [set(self._branches[key].entry_offsets) for key in keys]
                    found = [int(entry) for entry in set.intersection(*offsets)] if offsets else []
        except Exception as error:
            raise unreadable(self.source, "a readable list of baskets", error) from error
        return sorted({0, self.entries, *(entry for entry in found if 0 < entry < self.entries)})

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        places = {name: self._places[name] for name in names}
        for name, place in places.items():
            branch = self._branches[place.key]
            if is_group(branch):
                raise self._not_numbers(name, f"a {type_of(branch)}")
            if unknown(branch):
                raise self._not_numbers(name, "entries of a type that uproot does not know")
            if not is_rntuple(self._object) and branch.num_entries != self.entries:
                raise DataError(
                    f"{self.source}, column {name!r}",
                    expected=f"{self.entries} entries, as its tree has",
                    got=f"{branch.num_entries}",
                    fix="choose a branch that is filled for every entry",
                )
        arrays = self._arrays(list(dict.fromkeys(p.key for p in places.values())), start, stop)
        check_unchanged(self.source, self.identity, self._identity())
        return {name: self._column(arrays[place.key], name) for name, place in places.items()}

    def read_nested(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        # What lists of lists hold may be records, whose members are no columns of their own.
        places = {
            name: self._places.get(name)
            or Place(self._places[name.rpartition(".")[0]].key, (name.rpartition(".")[2],))
            for name in names
        }
        arrays = self._arrays(list(dict.fromkeys(p.key for p in places.values())), start, stop)
        check_unchanged(self.source, self.identity, self._identity())
        columns: dict[str, Column] = {}
        for name, place in places.items():
            array = arrays[place.key]
            for member in place.member:
                array = member_of(array, member, name, self.source)
            columns |= nested_columns(array, name, self.source)
        return columns

    def list_of(self, name: str) -> Hashable | None:
        return list_of(self._branches[self._places[name].key])

    def close(self) -> None:
        # uproot's objects refer to each other in circles: left to the garbage collector, the file
        # would stay open.
        with self._lock:
            self._directory.close()

    def _identity(self) -> Identity:
        """The identity of the file as it is now."""
        file = self._directory.file
        state = state_of(getattr(file.source, "descriptor", None))
        return Identity(self.entries, *state, str(file.uuid))

    def _arrays(self, keys: list[str], start: int, stop: int) -> dict[str, Any]:
        """The arrays of some branches."""
        # The cache of uproot would hold every chunk of a loop over files.
        options = {"entry_start": start, "entry_stop": stop, "array_cache": None}
        together: dict[str, Any] = {}
        with self._lock:
            # RNTuple.arrays goes through all fields: seconds for those of NanoAOD.
            if len(keys) > 1 and not is_rntuple(self._object):
                # What uproot takes a name for may be another branch, or none.
                found = [key for key in keys if self._object.get(key) is self._branches[key]]
                # If it fails, reading one after the other tells which branch is to blame.
                with suppress(Exception):
                    together = self._object.arrays(found, how=dict, **options)
            arrays = {}
            for key in keys:
                array = together.get(key)
                arrays[key] = self._array(key, options) if array is None else array
                if len(arrays[key]) != stop - start:
                    raise FileError(
                        f"{self.source}, entries {start} to {stop}, column {key!r}",
                        expected=f"{stop - start} values",
                        got=f"{len(arrays[key])}",
                        fix="choose another branch; uproot cannot read this one",
                    )
        return arrays

    def _array(self, key: str, options: dict[str, Any]) -> Any:
        """The array of one branch."""
        branch = self._branches[key]
        try:
            return branch.array(**options)
        except Exception as error:
            start, stop = options["entry_start"], options["entry_stop"]
            what = f"{self.source}, entries {start} to {stop}, column {key!r}"
            undecoded = unreadable(what, "readable data", error)
            if holds_numbers(branch):
                raise undecoded from error
            # Many a class is beyond uproot, in files without any fault.
            got = f"entries of type {type_of(branch)}, which cannot be decoded ({undecoded.got})"
            raise self._not_numbers(key, got) from error

    def _column(self, array: Any, name: str) -> Column:
        """The flat content of an array."""
        for member in self._places[name].member:
            array = array[member]
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
        raise self._not_numbers(name, f"entries of type {array.type.content}")

    def _jagged(self, layout: Any, name: str) -> Column:
        """Content and offsets from 0 of a list."""
        layout = layout.to_ListOffsetArray64(True)
        offsets = np.asarray(layout.offsets.data)
        content = layout.content
        if not content.is_numpy or content.data.ndim != 1:
            raise self._not_numbers(name, f"entries of type {ak.Array(layout).type.content}")
        if np.any(offsets[1:] < offsets[:-1]) or offsets[-1] > len(content):
            # uproot takes the bounds of lists as the bytes give them.
            raise FileError(
                f"{self.source}, column {name!r}",
                expected="lists that follow each other",
                got="bounds that fall or point behind the data",
                fix="copy the file again; it is damaged",
            )
        return Column(np.asarray(content.data)[: offsets[-1]], offsets)

    def _not_numbers(self, name: str, got: str) -> ColumnError:
        """The error of a branch of branches, objects, strings or nested lists."""
        whole = self._places[name].name
        inside = [
            other
            for other, place in self._places.items()
            if place.name == other and other.startswith((f"{whole}/", f"{whole}."))
            if place.member or holds_numbers(self._branches[place.key])
        ]
        fix = "choose a branch of numbers; `hepml inspect` lists all with their types"
        if inside:
            more = f" or {len(inside) - 5} others" if len(inside) > 5 else ""
            fix = f"name what it consists of: {', '.join(map(repr, inside[:5]))}{more}"
        return ColumnError(
            f"{self.source}, column {name!r}",
            expected="one number, one list of numbers or one fixed array for each entry",
            got=got,
            fix=fix,
        )
