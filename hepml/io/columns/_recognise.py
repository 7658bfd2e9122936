"""Which known layout a file has, by the names of its branches."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from hepml.errors import ColumnError
from hepml.io.columns._collection import Collection
from hepml.io.columns._columns import Columns
from hepml.io.columns._nanoaod import AK4, AK8, NANOAOD, candidates_of
from hepml.io.columns._presets import PRESETS
from hepml.io.expressions._syntax import parse
from hepml.io.formats._files import Location, locate
from hepml.io.formats._open import open_table
from hepml.io.formats._table import Table

# The columns that tell a layout from the others, in the order in which they are tried; NanoAOD with
# candidates of jets comes before all of them, by its structure.
_MARKS = {
    "hepml": ("part_px", "part_pid"),
    "jetclass2": ("part_px", "part_isChargedHadron", "jet_label"),
    "jetclass": ("part_px", "part_isChargedHadron"),
    "nanoaod": ("Jet_pt", "Jet_mass", "Muon_pt"),
    "deepjet": ("Cpfcan_pt", "Npfcan_pt", "jet_eta"),
    "delphes-pf": ("ParticleFlowCandidate.PT",),
    "delphes": ("EFlowTrack.PT", "EFlowPhoton.ET", "EFlowNeutralHadron.ET"),
    "physlite": ("AnalysisJetsAuxDyn.pt",),
    "edm4hep": ("ReconstructedParticles.momentum.x",),
    "top-tagging-h5": ("E", "PX", "PY", "PZ", "is_signal_new"),
}
_CANDIDATES = {AK8: ("pfnano", "nanoaod-v15"), AK4: ("pfnano-ak4",)}


@dataclass(frozen=True)
class Layout:
    """A known layout: its name in ``PRESETS``, and the columns to read this file with.

    The columns are those of the preset without what the file lacks: labels in measured data, a
    feature that an older version did not have. Candidates of jets in NanoAOD have the names of the
    production that wrote the file.
    """

    name: str
    columns: Columns


def recognise(file: str) -> Layout | None:
    """The known layout of a file, or None.

    Parameters
    ----------
    file
        A file, or ``file.root:tree``; of a pattern, the first match.

    Raises
    ------
    FileError
        If the file cannot be read.
    ColumnError
        If it has no tree, or not the one that was named.
    """
    location = locate(file)[0]
    with ExitStack() as opened:
        tables = _Tables(location, opened)
        events = tables.of(NANOAOD.tree)
        layout = None if events is None else _with_candidates(events)
        if layout is not None:
            return replace(layout, columns=layout.columns.replace(tree=location.tree or "Events"))
        for name, marks in _MARKS.items():
            table = tables.of(PRESETS[name].tree)
            if table is not None and set(marks) <= set(table.names()):
                columns = _without_missing(PRESETS[name], table)
                return Layout(name, columns.replace(tree=location.tree or columns.tree))
    return None


class _Tables:
    """The trees of a file by name, each opened once: those of NanoAOD take a second."""

    def __init__(self, location: Location, opened: ExitStack) -> None:
        self._location, self._opened = location, opened
        self._open: dict[str, Table | None] = {}
        self._only: Table | None = None
        try:
            self._only = opened.enter_context(open_table(location))
        except ColumnError:
            if location.tree is not None:
                raise

    def of(self, tree: str | None) -> Table | None:
        """The tree of this name, or the only one for None; None if there is no such."""
        if self._location.tree is not None or tree is None:
            return self._only
        if self._only is not None:
            return self._only if self._only.tree == tree else None
        if tree not in self._open:
            try:
                table = open_table(self._location, tree)
                self._open[tree] = self._opened.enter_context(table)
            except ColumnError:
                self._open[tree] = None
        return self._open[tree]


def _with_candidates(table: Table) -> Layout | None:
    """NanoAOD with candidates of jets, AK8 jets before AK4, in whatever tables they are."""
    for jet in (AK8, AK4):
        found = candidates_of(table.names(), jet)
        if found is not None:
            columns = _without_missing(found.columns(), table)
            index = columns.collections[0].index
            names = [n for n in _CANDIDATES[jet] if PRESETS[n].collections[0].index == index]
            return Layout((names or _CANDIDATES[jet])[0], columns)
    return None


def _without_missing(columns: Columns, table: Table) -> Columns:
    """The columns without collections, features and labels that the table lacks."""
    names = frozenset(table.names())

    def has(*texts: str | None) -> bool:
        return all(set(parse(t, names).names) <= names for t in texts if t is not None)

    def fitted(part: Collection) -> Collection:
        features = {name: text for name, text in part.features.items() if has(text)}
        return replace(part, features=features)

    parts = [fitted(part) for part in columns.collections if has(*part.momentum.values(), part.cut)]
    labels: Iterable[str | None] = (
        columns.classes.values() if isinstance(columns.classes, dict) else [columns.label]
    )
    fitting = columns.replace(collections=parts)
    return fitting if has(*labels) else fitting.without_labels()
