"""Sets that cannot be used: the first of them as an error, or all of them counted and dropped."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from hepml.errors import DataError


class _Fault(NamedTuple):
    """The same thing wrong with some sets."""

    rows: Any
    reason: str
    column: str
    expected: str
    examples: Any


class Faults:
    """What is wrong with which sets of a chunk, as it is found."""

    def __init__(self) -> None:
        self._found: list[_Fault] = []
        self.numbers: Any = None
        """The numbers in the chunk of the sets that are left, once some are taken out."""

    def add(self, rows: Any, reason: str, column: str, expected: str, examples: Any) -> None:
        """Note some of the sets that are left: what was expected of a column, and what came."""
        if len(rows):
            rows = np.asarray(rows) if self.numbers is None else self.numbers[rows]
            self._found.append(_Fault(rows, reason, column, expected, examples))

    def add_particles(
        self, particles: Any, offsets: Any, reason: str, column: str, expected: str, values: Any
    ) -> None:
        """Note the sets that hold some particles, with the first of these in each."""
        sets, first = np.unique(np.searchsorted(offsets, particles, "right") - 1, return_index=True)
        place = particles[first] - offsets[sets]
        examples = [f"{v} in particle {p}" for v, p in zip(values[first], place, strict=True)]
        self.add(sets, reason, column, expected, examples)

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_first(self, passed: Any, source: str, entry_of_set: Any, per_entry: bool) -> None:
        """Raise the error of the first bad set among those that passed the cut, if there is one."""
        first: tuple[int, _Fault, int] | None = None
        bad: set[int] = set()
        for fault in self._found:
            hit = np.flatnonzero(passed[fault.rows])
            bad.update(fault.rows[hit].tolist())
            if len(hit):
                at = hit[np.argmin(fault.rows[hit])]
                row = int(fault.rows[at])
                if first is None or row < first[0]:
                    first = (row, fault, int(at))
        if first is None:
            return
        row, fault, at = first
        entry = int(entry_of_set[row])
        jet = int(np.sum(entry_of_set[:row] == entry))
        raise DataError(
            f"{source}, entry {entry}"
            + ("" if per_entry else f", jet {jet}")
            + f", column {fault.column}",
            expected=fault.expected,
            got=f"{fault.examples[at]} ({fault.reason}; {len(bad)} bad among the "
            f"{int(passed.sum())} sets read with it)",
            fix="repair the file, or drop and count such sets with bad='drop'",
        )

    def dropped(self, passed: Any) -> tuple[Any, Mapping[str, Any]]:
        """Which sets remain, and which went for each reason; a set goes once."""
        remaining = passed.copy()
        lost: dict[str, Any] = {}
        for fault in self._found:
            gone = np.unique(fault.rows[remaining[fault.rows]])
            if len(gone):
                before = lost.get(fault.reason, gone[:0])
                lost[fault.reason] = np.concatenate([before, gone])
            remaining[gone] = False
        return remaining, lost
