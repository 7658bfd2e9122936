"""Collections: the columns of one kind of particle."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hepml.errors import InputError
from hepml.io._expressions import check_text, check_texts

_MOMENTA = (
    ("E", "px", "py", "pz"),
    ("pt", "eta", "phi", "mass"),
    ("pt", "eta", "phi", "energy"),
)


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
    """

    jets: str
    jet: str
    particle: str | None = None

    def __post_init__(self) -> None:
        for name in ("jets", "jet", "particle"):
            if name != "particle" or self.particle is not None:
                check_text(getattr(self, name), f"JetIndex.{name}")


@dataclass(frozen=True)
class Collection:
    """One kind of particle: the columns of its momenta and features.

    Parameters
    ----------
    momentum
        Four expressions under the names (E, px, py, pz), (pt, eta, phi, mass) or
        (pt, eta, phi, energy); ``energy`` may stand for ``E``. A negative mass means a space-like
        momentum, as in :mod:`vector`.
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
    """

    momentum: Mapping[str, str]
    features: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    index: JetIndex | None = None
    cut: str | None = None

    def __post_init__(self) -> None:
        momentum = check_texts(self.momentum, "Collection.momentum")
        if "energy" in momentum and "px" in momentum:
            momentum["E"] = momentum.pop("energy")
        if not any(set(momentum) == set(names) for names in _MOMENTA):
            raise InputError(
                "Collection.momentum",
                expected="the names " + ", or ".join(f"({', '.join(m)})" for m in _MOMENTA),
                got=repr(tuple(self.momentum)),
                fix="give one expression for each of the four, and no other",
            )
        object.__setattr__(self, "momentum", momentum)
        object.__setattr__(self, "features", check_texts(self.features, "Collection.features"))
        if self.kind is not None and self.kind in self.features:
            raise InputError(
                "Collection.kind",
                expected="a name that no feature of the collection has",
                got=repr(self.kind),
                fix="rename the kind or the feature",
            )
        if self.cut is not None:
            check_text(self.cut, "Collection.cut")
