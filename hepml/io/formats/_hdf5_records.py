"""Datasets of records in HDF5, such as the jets and tracks of ATLAS' flavour tagging."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from hepml.errors import ColumnError
from hepml.io.formats._hdf5_file import reading
from hepml.io.formats._identity import Identity, check_unchanged, state_of
from hepml.io.formats._table import Column, Table


def record_datasets(file: Any, without: Collection[str] = ()) -> list[str]:
    """The datasets of records of an open file, but for those in some of its groups."""
    found: list[str] = []
    inside = tuple("" if group == "/" else f"{group}/" for group in without)

    def visit(name: str, node: Any) -> None:
        records = getattr(getattr(node, "dtype", None), "names", None)
        # A scalar has no entries; of lists of lists, none says which axis the particles are.
        if records and len(node.shape or ()) in (1, 2) and not name.startswith(inside):
            found.append(name)

    file.visititems(visit)
    return found


class RecordTable(Table):
    """A dataset of records, (entries,) or (entries, places); its fields are the columns.

    The columns of (entries, places) are fixed arrays: what of them is padding, a field such as
    ``valid`` says. Several datasets of one file, whose entries belong together, are read as
    ``file.h5:jets+tracks``.

    See :class:`hepml.io.formats._table.Table`.
    """

    def __init__(self, file: Any, path: str, tree: str) -> None:
        self.file, self.tree = path, tree
        self.source = f"{path}:{tree}"
        self._file, self._dataset = file, file[tree]
        self.entries = int(self._dataset.shape[0])
        self.identity = self._identity()

    def names(self) -> Sequence[str]:
        return list(self._dataset.dtype.names)

    def bounds(self, names: Iterable[str]) -> Sequence[int]:  # noqa: ARG002  alike for all
        step = (self._dataset.chunks or (1024,))[0]
        return [*range(0, self.entries, step), self.entries]

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        names = list(names)
        for name in names:
            self._check_kind(name)
        if not names:
            return {}
        with reading(f"{self.source}, entries {start} to {stop}"):
            rows = self._dataset.fields(names)[start:stop]
        check_unchanged(self.source, self.identity, self._identity())
        return {name: Column(rows[name]) for name in names}

    def close(self) -> None:
        self._file.close()

    def _check_kind(self, name: str) -> None:
        """Refuse a field of text, or of more axes than a column may have."""
        dtype: np.dtype[Any] = self._dataset.dtype[name]
        axes = self._dataset.ndim + len(dtype.shape)
        if dtype.base.kind not in "biuf" or axes > 2:
            raise ColumnError(
                f"{self.source}, column {name!r}",
                expected="numbers, one or a fixed array of them in each entry",
                got=f"values of type {dtype.base.name} with {axes} axes",
                fix="choose a column of numbers; `hepml inspect` lists all with their types",
            )

    def _identity(self) -> Identity:
        """The identity of the file as it is now."""
        # h5py's driver for plain files is the only one that has such a number.
        descriptor = self._file.id.get_vfd_handle() if self._file.driver == "sec2" else None
        return Identity(self.entries, *state_of(descriptor))
