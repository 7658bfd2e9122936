"""At which level of a file each column lies: one number for each entry, jet, link or particle.

The level is decided from what the file and the columns say, once for each file; never from lengths,
which agree by chance in a small chunk and would change with it.
"""

import os
import re
from collections.abc import Callable, Hashable, Iterable, Mapping

from hepml.io.columns._collection import JetIndex
from hepml.io.expressions._steps import Expression

ENTRY, SET, LINK, PARTICLE = "entry", "set", "link", "particle"

# Parts of names: FatJet_pt, Jet.PT, EFlowTrack/EFlowTrack.PT.
_SEPARATORS = re.compile(r"[_./]")

ListOf = Callable[[str], Hashable | None]


def levels_in_sets(names: Iterable[str]) -> dict[str, str | None]:
    """The level of lists where an entry is a set: they are its particles."""
    return dict.fromkeys(names, PARTICLE)


def levels_in_jets(
    index: JetIndex, momentum: Iterable[Expression], names: Iterable[str], list_of: ListOf
) -> dict[str, str | None]:
    """The level of the lists of each column where an entry is an event of jets.

    It is what the index says. Otherwise columns whose lists the file counts together have one
    level; a column that alone makes a component of the momentum belongs to the particles; and the
    others have the level of the columns with which they share the longest beginning of the name.

    Parameters
    ----------
    index
        How the particles are divided into jets.
    momentum, names
        The components of the momentum, and all columns.
    list_of
        For a column, a key that it shares with the columns whose lists are counted together; None
        if the file does not say.

    Returns
    -------
    :
        None for a column whose level remains open.
    """
    particles = LINK if index.particle is None else PARTICLE
    links = [name for name in (index.jet, index.particle) if name is not None]
    known = {index.jets: SET} | dict.fromkeys(links, LINK)
    known |= {
        name: {"jet": SET, "link": LINK}.get(k, particles) for name, k in index.levels.items()
    }
    names = list(dict.fromkeys(names))
    _add(known, names, lambda name: _counted_with(name, known, list_of))
    alone = {e.names[0] for e in momentum if len(e.names) == 1}
    _add(known, names, lambda name: {particles} if name in alone else set())
    _add(known, names, lambda name: _counted_with(name, known, list_of))
    _add(known, names, lambda name: _named_like(name, known))
    return {name: known.get(name) for name in names}


def _add(known: dict[str, str], names: list[str], find: Callable[[str], set[str]]) -> None:
    """Decide the open names for which one level is found, all of them by what was known before."""
    found = {name: find(name) for name in names if name not in known}
    known |= {name: levels.pop() for name, levels in found.items() if len(levels) == 1}


def _counted_with(name: str, known: Mapping[str, str], list_of: ListOf) -> set[str]:
    """The levels of the columns whose lists the file counts together with those of a column."""
    key = list_of(name)
    return set() if key is None else {known[k] for k in known if list_of(k) == key}


def _named_like(name: str, known: Mapping[str, str]) -> set[str]:
    """The levels of the columns that share the longest beginning of the name."""
    shared = {other: len(_beginning(name, _table_of(other))) for other in known}
    longest = max(shared.values())
    return {known[other] for other, length in shared.items() if length == longest > 0}


def _table_of(name: str) -> str:
    """``Jet_`` of ``nJet``, the usual name of a counter; other names as they are."""
    counter = re.fullmatch(r"n([A-Z][^_./]*)", name)
    return name if counter is None else f"{counter[1]}_"


def _beginning(a: str, b: str) -> str:
    """The parts with which both names begin, up to a separator."""
    common = os.path.commonprefix([a, b])  # noqa: RUF071 (of characters is what is wanted)
    ends = [match.end() for match in _SEPARATORS.finditer(common)]
    return common[: ends[-1]] if ends else ""
