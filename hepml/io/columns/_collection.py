"""Collections: the columns of one kind of particle."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hepml.errors import InputError
from hepml.io.columns._plain import known_keys
from hepml.io.expressions._expressions import check_name, check_text, check_texts

_MOMENTA = (
    ("E", "px", "py", "pz"),
    ("pt", "eta", "phi", "mass"),
    ("pt", "eta", "phi", "energy"),
)

_LEVELS = ("jet", "link", "particle")


@dataclass(frozen=True)
class JetIndex:
    """Which jet each row of a flat collection belongs to, in files with several jets an event.

    Parameters
    ----------
    jets
        A column with one value for each jet of the event, such as ``FatJet_pt``, or with their
        number, such as ``nFatJet``.
    jet
        The column that holds, for each row, the number of its jet within the event; rows with a
        negative number belong to none.
    particle
        The column that holds, for each row, the number of its particle in the common table of the
        event; None if the rows are the particles.
    levels
        For columns of lists whose place neither the file nor their names tell: "jet", "link" or
        "particle", as in ``{"px": "particle"}``. Columns are known by the counter that they share
        with the columns above, as the momentum, or by the beginning of their names.

    Raises
    ------
    InputError
        If a level is none of these.
    """

    jets: str
    jet: str
    particle: str | None = None
    levels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("jets", "jet", "particle"):
            if name != "particle" or self.particle is not None:
                check_text(getattr(self, name), f"JetIndex.{name}")
        levels = self.levels
        if not isinstance(levels, Mapping) or not set(levels.values()) <= set(_LEVELS):
            raise InputError(
                "JetIndex.levels",
                expected=f"a mapping from columns to levels ({', '.join(_LEVELS)})",
                got=repr(levels),
                fix="write {'column': 'jet'}, {'column': 'link'} or {'column': 'particle'}",
            )
        object.__setattr__(self, "levels", dict(levels))


@dataclass(frozen=True, eq=False)
class Padding:
    """What stands in the places of fixed arrays that hold no particle, where it is not zero.

    Parameters
    ----------
    fill
        The number with which the momenta are padded, such as -999 or nan: a place is padding if
        each stored column of the momentum holds it, or zero beside it, from there to the end.
    mask
        Instead, an expression that is true for the places that hold particles, such as ``valid``.
    count
        Instead, an expression for the number of particles of the set, which come first.

    Raises
    ------
    InputError
        If not exactly one of the three is given.
    """

    fill: float | int | None = None
    mask: str | None = None
    count: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("fill", "mask", "count") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(
                "Padding",
                expected="one of fill, mask and count",
                got=" and ".join(given) or "none",
                fix="write {'fill': -999}, {'mask': 'valid'} or {'count': 'n_particles'}",
            )
        if self.fill is None:
            check_text(getattr(self, given[0]), f"Padding.{given[0]}")
            return
        try:
            fill = float(self.fill)
        except (TypeError, ValueError) as error:
            raise InputError(
                "Padding.fill", expected="a number", got=repr(self.fill), fix="write -999 or nan"
            ) from error
        object.__setattr__(self, "fill", fill)

    # NaN is not equal to itself, but this padding is.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Padding) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


@dataclass(frozen=True)
class Collection:
    """One kind of particle: the columns of its momenta and features.

    Parameters
    ----------
    momentum
        Four expressions under the names (E, px, py, pz), (pt, eta, phi, mass) or
        (pt, eta, phi, energy); ``energy`` may stand for ``E``. A negative mass means a space-like
        momentum, as in :mod:`vector`. Nodes of graphs may have none.
    features
        Name of each feature and its expression. Columns with one value for each set may be mixed
        in: ``log(part_pt / jet_pt)``.
    kind
        The name of a further feature that is 1 for the particles of this collection and 0 for
        those of the others that are merged with it.
    index
        How a flat collection is divided into jets; None if the column is jagged, one list for each
        set, or a fixed array padded with zeros.
    cut
        An expression that is true for the particles to keep.
    padding
        What stands in the places of fixed arrays that hold no particle. Without it, a place is
        padding if all columns that the momentum is computed from (but for a mass of its own) are
        zero there and from there to the end of the array; other numbers that look like padding
        are an error.
    hardest
        Keep so many particles of this collection in each set, those with the largest transverse
        momenta, in the order of the file; of equal ones the first.
    positions
        Of nodes of graphs: names and expressions of two or three coordinates, such as eta and phi;
        in these :class:`NearestNeighbours` and :class:`NeighboursWithin` make edges.
    label
        An expression for the class of each particle, a whole number from 0.
    classes
        The names of the classes of particles, in the order of `label`; without names any number is
        a class.
    targets
        Name and expression of numbers of each particle that are to be predicted.
    """

    momentum: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    index: JetIndex | None = None
    cut: str | None = None
    padding: Padding | None = None
    hardest: int | None = None
    positions: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None
    classes: tuple[str, ...] = ()
    targets: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        momentum = check_texts(self.momentum, "Collection.momentum")
        if "energy" in momentum and "px" in momentum:
            momentum["E"] = momentum.pop("energy")
        if momentum and not any(set(momentum) == set(names) for names in _MOMENTA):
            raise InputError(
                "Collection.momentum",
                expected="the names " + ", or ".join(f"({', '.join(m)})" for m in _MOMENTA),
                got=repr(tuple(self.momentum)),
                fix="give one expression for each of the four, and no other",
            )
        object.__setattr__(self, "momentum", momentum)
        object.__setattr__(self, "features", check_texts(self.features, "Collection.features"))
        positions = check_texts(self.positions, "Collection.positions")
        if positions and len(positions) not in (2, 3):
            raise InputError(
                "Collection.positions",
                expected="two or three coordinates",
                got=repr(tuple(positions)),
                fix="write {eta: ..., phi: ...} or {x: ..., y: ..., z: ...}",
            )
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "targets", check_texts(self.targets, "Collection.targets"))
        self._check_classes()
        if self.kind is not None:
            check_name(self.kind, "Collection.kind")
        if self.index is not None and not isinstance(self.index, JetIndex):
            raise InputError(
                "Collection.index",
                expected="a JetIndex, or none",
                got=f"{self.index!r:.200}",
                fix="pass JetIndex('FatJet_pt', 'FatJetPFCands_jetIdx', ...)",
            )
        if self.kind is not None and self.kind in self.features:
            raise InputError(
                "Collection.kind",
                expected="a name that no feature of the collection has",
                got=repr(self.kind),
                fix="rename the kind or the feature",
            )
        for name in ("cut", "label"):
            if getattr(self, name) is not None:
                check_text(getattr(self, name), f"Collection.{name}")
        if self.padding is not None and not isinstance(self.padding, Padding):
            raise InputError(
                "Collection.padding",
                expected="a Padding",
                got=repr(self.padding),
                fix="pass Padding(fill=-999), Padding(mask='valid') or Padding(count='n')",
            )
        if self.padding is not None and self.padding.count is not None and self.index is not None:
            raise InputError(
                "Collection.padding",
                expected="a fill value or a mask, where an index divides the particles into jets",
                got=f"the count {self.padding.count!r}",
                fix="name a mask",
            )
        number = isinstance(self.hardest, int) and not isinstance(self.hardest, bool)
        if self.hardest is not None and not (number and self.hardest > 0):
            raise InputError(
                "Collection.hardest",
                expected="a number of particles, one or more",
                got=repr(self.hardest),
                fix="leave it out to keep all particles",
            )

    def _check_classes(self) -> None:
        """Refuse what are no different names of classes, or names without a label."""
        names = self.classes
        listed = isinstance(names, tuple)
        if not listed or len(set(map(str, names))) < len(names) or (names and self.label is None):
            raise InputError(
                "Collection.classes",
                expected="a list of different names, beside a label whose values they are",
                got=f"{names!r:.200} with label={self.label!r:.80}",
                fix="write label: origin, classes: [primary, secondary]",
            )
        for name in names:
            check_name(name, "a name in Collection.classes")
        object.__setattr__(self, "classes", tuple(names))


def collection_of(plain: Mapping[str, Any]) -> Collection:
    """A collection from plain values."""
    values = dict(known_keys(Collection, plain))
    if values.get("index") is not None:
        index = dict(known_keys(JetIndex, values["index"]))
        # What it lacks is refused by its name.
        values["index"] = JetIndex(**{"jets": None, "jet": None} | index)
    # These are numbers, not expressions; what is none is left for the classes to refuse.
    if values.get("padding") is not None:
        padding = dict(known_keys(Padding, values["padding"]))
        if isinstance(padding.get("fill"), str):
            with suppress(ValueError):
                padding["fill"] = float(padding["fill"])
        values["padding"] = Padding(**padding)
    if isinstance(values.get("classes"), list):
        values["classes"] = tuple(values["classes"])
    if isinstance(values.get("hardest"), str):
        with suppress(ValueError):
            values["hardest"] = int(values["hardest"])
    return Collection(**values)
