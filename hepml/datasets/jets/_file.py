"""Jets with their constituents in ROOT files that appear only when they are complete."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from jaxtyping import Int64, Shaped

from hepml.outputs import whole_files

# Baskets of about a megabyte for each branch of constituents.
_JETS_PER_BASKET = 4000


@dataclass(frozen=True)
class JetTable:
    """Columns of jets, and of their constituents one jet after the other.

    ``counts`` has the number of constituents of each jet.
    """

    counts: Int64[np.ndarray, " jets"]
    constituents: Mapping[str, Shaped[np.ndarray, " constituents"]]
    jets: Mapping[str, Shaped[np.ndarray, " jets"]]

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, order: Int64[np.ndarray, " chosen"]) -> "JetTable":
        """The jets of these numbers, in this order."""
        starts = np.cumsum(self.counts) - self.counts
        counts = self.counts[order]
        shift = starts[order] - (np.cumsum(counts) - counts)
        rows = np.arange(counts.sum()) + np.repeat(shift, counts)
        return JetTable(
            counts,
            {name: column[rows] for name, column in self.constituents.items()},
            {name: column[order] for name, column in self.jets.items()},
        )

    @classmethod
    def concatenate(cls, tables: Sequence["JetTable"]) -> "JetTable":
        """The jets of one or more tables, table after table."""

        def joined(part: str) -> dict[str, Any]:
            return {
                name: np.concatenate([getattr(table, part)[name] for table in tables])
                for name in getattr(tables[0], part)
            }

        return cls(
            np.concatenate([table.counts for table in tables]),
            joined("constituents"),
            joined("jets"),
        )


class JetFile:
    """A ROOT file with the tree "tree": ``part_*`` branches of constituents, and those of jets.

    Parameters
    ----------
    path
        The file to make.

    Notes
    -----
    Compressed with ZSTD, in baskets of 4,000 jets.
    """

    def __init__(self, path: Path) -> None:
        self._file = uproot.recreate(path, compression=uproot.ZSTD(9))
        self._tree: Any = None
        self._waiting: list[JetTable] = []

    def __enter__(self) -> "JetFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def append(self, table: JetTable) -> None:
        """Write jets behind those already written."""
        self._waiting.append(table)
        if sum(map(len, self._waiting)) >= _JETS_PER_BASKET:
            self._flush()

    def finish(self, metadata: Mapping[str, str]) -> None:
        """Write what waits, and strings beside the tree."""
        self._flush()
        for name, text in metadata.items():
            self._file[name] = text

    def _flush(self) -> None:
        """Write the waiting jets as baskets."""
        if not self._waiting:
            return
        table = JetTable.concatenate(self._waiting)
        self._waiting = []
        constituents = ak.zip(
            {
                name: ak.unflatten(column, table.counts)
                for name, column in table.constituents.items()
            }
        )
        columns = {"part": constituents, **table.jets}
        if self._tree is None:
            self._tree = self._file.mktree(
                "tree",
                {
                    name: column.type.content if isinstance(column, ak.Array) else column.dtype
                    for name, column in columns.items()
                },
                counter_name=lambda _: "jet_nparticles",
                field_name=lambda outer, inner: f"{outer}_{inner}" if outer else inner,
            )
        self._tree.extend(columns)


@contextmanager
def jet_files(paths: Sequence[Path], *, overwrite: bool) -> Iterator[list[JetFile]]:
    """Files that get their names when the block ends well, and vanish when it does not.

    Raises
    ------
    FileError
        If something cannot be written, or a file exists and ``overwrite`` is false.
    """
    with whole_files(paths, overwrite=overwrite) as parts, ExitStack() as stack:
        yield [stack.enter_context(JetFile(part)) for part in parts]
