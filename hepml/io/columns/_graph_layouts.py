"""What in a file says what is joined to what, by the names of its columns."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np

from hepml.errors import HepmlError
from hepml.io.columns._collection import Collection
from hepml.io.columns._columns import Columns
from hepml.io.columns._edges import (
    EdgeColumns,
    EdgeList,
    ElementLinks,
    NodePointer,
    NodeRange,
    TableRange,
)
from hepml.io.formats._table import Table

# What nodes have that networks are given first, in the words of the usual layouts.
_FEATURES = (
    *("pt", "eta", "phi", "mass", "charge", "pdgId"),
    *("PT", "Eta", "Phi", "Mass", "Charge", "PID"),
    *("d0", "z0", "theta", "qOverP", "x", "y", "z", "m"),
    *("PDG", "energy", "chi2", "ndf"),
    *("momentum.x", "momentum.y", "momentum.z"),
)
# So many columns are taken of nodes that have none of these.
_MOST = 16
# How many entries tell in which container ATLAS' links and EDM4hep's tables count.
_LOOKED_AT = 100
# The collections of which EDM4hep's relations are, by what their names hold.
_RELATIONS = {"parents": "Particle", "daughters": "Particle", "tracks": "Track"}


@dataclass(frozen=True)
class Structure:
    """One way in which a file says what is joined to what.

    Parameters
    ----------
    name
        The column, or what the columns have in common.
    collections
        The prefixes of the nodes, each with its separator.
    edges
        How the edges are read.
    """

    name: str
    collections: tuple[str, ...]
    edges: EdgeColumns

    def columns(self, names: frozenset[str], tree: str) -> Columns | None:
        """The columns to read the graphs with; None if the nodes have nothing of their own."""
        parts = []
        for i, prefix in enumerate(self.collections):
            found = [each for each in _FEATURES if f"{prefix}{each}" in names]
            features = {each.replace("momentum.", "p"): f"{prefix}{each}" for each in found}
            if not found:
                others = sorted(n for n in names if n.startswith(prefix) and n != "node_offsets")
                features = {name: name for name in others[:_MOST]}
            kind = re.sub(r"AuxDyn|[^\w]+$|_$", "", prefix)
            several = len(self.collections) > 1 and i == 0
            parts.append(Collection(features=features, kind=f"is_{kind}" if several else None))
        if not all(part.features for part in parts):
            return None
        return Columns(parts, tree=tree, edges=self.edges)


def structures_of(table: Table) -> list[Structure]:
    """Everything in a table that looks as if it joined nodes, by its names and a few entries."""
    names = frozenset(table.names())
    found: list[Structure] = []
    for find in _FINDERS:
        # Columns that cannot be read say nothing.
        with suppress(HepmlError):
            found += find(table, names)
    return found


def _nanoaod(table: Table, names: frozenset[str]) -> Iterator[Structure]:  # noqa: ARG001
    """``Muon_jetIdx``, ``GenPart_genPartIdxMother``, ``JetPFCands_{jetIdx,pFCandsIdx}``."""
    pattern = re.compile(r"([A-Za-z]\w*?)_([A-Za-z]\w*?)Idx(\w*)")
    indices = [m for m in map(pattern.fullmatch, sorted(names)) if m and not m[1].startswith("n")]
    collections = {m[1] for m in map(re.compile(r"([A-Za-z]\w*?)_\w+").fullmatch, names) if m}
    by_name = {name.lower(): name for name in collections}
    of_tables = set()
    for one, other in product(indices, indices):
        joined = _joined(one[1], one[2], other[2], by_name)
        if one[1] == other[1] and joined is not None:
            first, second = joined
            of_tables |= {one[0], other[0]}
            edges = EdgeList(other[0], one[0], sender_nodes=1, receiver_nodes=0)
            yield Structure(one[1], (f"{first}_", f"{second}_"), edges)
    for match in indices:
        into = by_name.get(match[2].lower())
        # What has no quantity of its own is a table of links, whose jetIdx may be of any jets.
        is_node = any(f"{match[1]}_{each}" in names for each in _FEATURES)
        if into is None or match[0] in of_tables or not is_node:
            continue
        own = into == match[1]
        collections_ = (f"{match[1]}_",) if own else (f"{match[1]}_", f"{into}_")
        yield Structure(match[0], collections_, NodePointer(match[0], into=0 if own else 1))


def _joined(table: str, one: str, other: str, by_name: dict[str, str]) -> tuple[str, str] | None:
    """``FatJet`` and ``PFCands`` for the table ``FatJetPFCands`` with a jetIdx and a pFCandsIdx."""
    second = by_name.get(other.lower())
    if second is None or one == other:
        return None
    for first in by_name.values():
        if table in (f"{first}{second}", f"{first}{second}s") and first.lower().endswith(
            one.lower()
        ):
            return first, second
    return None


def _delphes(table: Table, names: frozenset[str]) -> Iterator[Structure]:  # noqa: ARG001
    """``Particle.D1`` and ``Particle.D2``."""
    if {"Particle.D1", "Particle.D2"} <= names:
        edges = NodeRange("Particle.D1", "Particle.D2")
        yield Structure("Particle.D1", ("Particle.",), edges)


def _edm4hep(table: Table, names: frozenset[str]) -> Iterator[Structure]:
    """``Particle.parents_begin`` and the table of numbers in which it counts."""
    pattern = re.compile(r"(\w+)\.(\w+)_begin")
    groups = {n.partition(".")[0] for n in names if re.fullmatch(r"\w+\.\w.*", n)}
    for match in filter(None, map(pattern.fullmatch, sorted(names))):
        owner, relation = match.groups()
        begin, end = f"{owner}.{relation}_begin", f"{owner}.{relation}_end"
        if relation not in _RELATIONS or end not in names:
            continue
        numbered = [f"{owner}#{i}" for i in range(10)]
        tables = [f"_{owner}_{relation}", *numbered]
        tables = [t for t in tables if {f"{t}.index", f"{t}.collectionID"} <= names]
        read = _read(table, [begin, end, *(f"{t}.index" for t in tables)])
        # Trees that uproot writes have a counter nX.y_begin of each branch, too.
        if any(column.offsets is None for column in read.values()):
            continue
        counts = _sums(read[end]) - _sums(read[begin])
        lengths = {t: _lengths(read[f"{t}.index"]) for t in tables}
        fitting = [t for t in tables if counts.any() and np.array_equal(counts, lengths[t])]
        # Older versions number relations; of two that fit, theirs is the order of the columns.
        for index in fitting[:1]:
            ids = _read(table, [f"{index}.collectionID"])[f"{index}.collectionID"].values
            into = owner if _RELATIONS[relation] in owner and relation != "tracks" else None
            others = sorted(g for g in groups if g.endswith(_RELATIONS[relation]))
            into = into or next(iter(others), None)
            if into is None or len(set(ids.tolist())) != 1:
                continue
            edges = TableRange(
                begin,
                end,
                f"{index}.index",
                f"{index}.collectionID",
                int(ids[0]),
                into=0 if into == owner else 1,
            )
            kinds = (f"{owner}.",) if into == owner else (f"{owner}.", f"{into}.")
            yield Structure(f"{owner}.{relation}", kinds, edges)


def _physlite(table: Table, names: frozenset[str]) -> Iterator[Structure]:
    """``AnalysisMuonsAuxDyn.inDetTrackParticleLink``, and links in lists of lists."""
    pattern = re.compile(r"(\w+AuxDyn\.)(inDetTrackParticleLink|trackParticleLinks)(\.m_persKey)?")
    into = "InDetTrackParticlesAuxDyn."
    if f"{into}phi" not in names:
        return
    matches = {m[1] + m[2]: m for m in map(pattern.fullmatch, sorted(names)) if m}
    size = _lengths(_read(table, [f"{into}phi"])[f"{into}phi"])
    for links, match in matches.items():
        keys = (f"{links}.m_persKey", f"{links}.m_persIndex")
        if keys[0] in names:
            read = _read(table, keys)
        else:
            read = table.read_nested(keys, 0, min(table.entries, _LOOKED_AT))
        key, index = (read[each] for each in keys)
        if key.offsets is None:
            continue
        entry = np.repeat(np.arange(len(key.offsets) - 1), np.diff(key.offsets))
        # What counts in a longer container is no link of these tracks. The name of a container
        # is in no file, only its hash.
        inside = index.values < size[entry]
        known = [k for k in np.unique(key.values) if k and inside[key.values == k].all()]
        if known:
            counts = {int(k): int((key.values == k).sum()) for k in known}
            container = max(counts, key=counts.__getitem__)
            yield Structure(links, (match[1], into), ElementLinks(links, container, into=1))


def _graphs(table: Table, names: frozenset[str]) -> Iterator[Structure]:
    """``edge_index`` of groups of graphs, and lists of senders and receivers."""
    for first, second in (("edge_index_0", "edge_index_1"), ("senders", "receivers")):
        if not {first, second} <= names:
            continue
        through = "node_offsets" in names and _counts_through(table, first)
        senders, receivers = (f"{n}{' - node_offsets' * through}" for n in (first, second))
        of_nodes = names - {"node_offsets"}
        for prefix in ("x_", "node_", "x"):
            if any(name.startswith(prefix) for name in of_nodes):
                yield Structure(first, (prefix,), EdgeList(senders, receivers))
                break


def _counts_through(table: Table, name: str) -> bool:
    """Whether numbers of nodes go beyond those of their own graph."""
    read = _read(table, [name, "node_offsets"])
    column, first = read[name], read["node_offsets"].values
    ends = [column.values[a:b] for a, b in pairwise(column.offsets)]
    return len(first) > 1 and all(
        not len(own) or own.min() >= start for own, start in zip(ends, first, strict=True)
    )


def _read(table: Table, names: Sequence[str]) -> dict[str, Any]:
    """Columns of the first entries."""
    return table.read(names, 0, min(table.entries, _LOOKED_AT))


def _sums(column: Any) -> Any:
    """The sum of each list."""
    sums = np.concatenate([[0], np.cumsum(column.values, dtype=np.int64)])
    return np.diff(sums[column.offsets])


def _lengths(column: Any) -> Any:
    """The length of each list."""
    return np.diff(column.offsets)


_FINDERS: tuple[Callable[[Table, frozenset[str]], Iterator[Structure]], ...] = (
    _graphs,
    _nanoaod,
    _delphes,
    _edm4hep,
    _physlite,
)
