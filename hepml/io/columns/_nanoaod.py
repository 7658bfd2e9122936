"""CMS NanoAOD: events, and jets with candidates wherever the file links them to jets.

Candidates lie in one table for the event, and a second table links each jet to rows of the first.
Their names changed with every production, so that files are read by this structure:

=============================  ===============  ==================================
production                     candidates       links of AK8 jets
=============================  ===============  ==================================
NanoAOD v15                    ``PFCand``       ``FatJetPFCand_{jetIdx,pfCandIdx}``
PFNano                         ``PFCands``      ``FatJetPFCands_{jetIdx,pFCandsIdx}``
PFNano of release 106X         ``JetPFCands``   ``JetPFCandsAK8_{jetIdx,candIdx}``
PFNano of release 102X         ``FatJetPFCands``, with a ``jetIdx`` of its own
=============================  ===============  ==================================
"""

import re
from collections.abc import Collection as Container
from dataclasses import dataclass
from itertools import product

from hepml.io.columns._collection import Collection, JetIndex
from hepml.io.columns._columns import Columns
from hepml.io.columns._impact import significance

AK8, AK4 = "FatJet", "Jet"

# The links between jets and candidates: their prefix, and which number each column holds.
_LINKS = {
    AK8: re.compile(r"(FatJetPFCands?|JetPFCandsAK8)_(\w*Idx)"),
    AK4: re.compile(r"(JetPFCands?|JetPFCandsAK4)_(\w*Idx)"),
}
_MOMENTUM = ("pt", "eta", "phi", "mass")
_FLAVOURS = {"light": "{} == 0", "c": "{} == 4", "b": "{} == 5"}

# CMS NanoAOD without candidates: a set is the event's jets and leptons.
NANOAOD = Columns(
    [
        Collection(
            {k: f"{name}_{k}" for k in _MOMENTUM},
            {"b_tag": "Jet_btagDeepFlavB"} if name == "Jet" else {"charge": f"{name}_charge"},
            kind=f"is_{name.lower()}",
        )
        for name in ("Jet", "Electron", "Muon")
    ],
    tree="Events",
)


@dataclass(frozen=True)
class Candidates:
    """Where the candidates of one kind of jet lie.

    Parameters
    ----------
    jet
        The prefix of the jets: ``FatJet`` or ``Jet``.
    table
        The prefix of the candidates.
    links
        The prefix of the links; that of the candidates if each of these has one jet.
    particle
        The column of the links with the number of the candidate; None if there are no links.
    quantities
        Which quantities the table has beside momentum and type, such as ``charge``.
    """

    jet: str
    table: str
    links: str
    particle: str | None
    quantities: frozenset[str]

    def columns(self) -> Columns:
        """The columns of candidates, jet by jet; those of impact parameters in mm."""
        t, jet = self.table, self.jet
        pid, weight = f"{t}_pdgId", f"{t}_puppiWeight"
        momentum = {name: f"{t}_{name}" for name in _MOMENTUM}
        # AK8 jets are made of candidates weighted by PUPPI, AK4 jets of those that are not charged
        # pile-up: with these momenta their sums have the direction of the jets. NanoAOD v15 has no
        # weights, as its momenta are weighted already.
        weighted = jet == AK8 and "puppiWeight" in self.quantities
        if weighted:
            momentum |= {name: f"{t}_{name} * {weight}" for name in ("pt", "mass")}
        charge = f"{t}_charge"
        if "charge" not in self.quantities:
            charge = (
                f"where(abs({pid}) == 211, sign({pid}), "
                f"where((abs({pid}) == 11) | (abs({pid}) == 13), -sign({pid}), 0))"
            )
        features = {
            "charge": charge,
            "is_charged_hadron": f"abs({pid}) == 211",
            # Kinds 1 and 2 are hadronic and electromagnetic deposits in the forward calorimeter.
            "is_neutral_hadron": f"({pid} == 130) | ({pid} == 1)",
            "is_photon": f"({pid} == 22) | ({pid} == 2)",
            "is_electron": f"abs({pid}) == 11",
            "is_muon": f"abs({pid}) == 13",
        }
        for name in ("d0", "dz"):
            value, error = f"{t}_{name}", f"{t}_{name}Err"
            if {name, f"{name}Err"} <= self.quantities:
                # In cm. Candidates without a track have -1 as value and as error.
                features[f"tanh_{name}"] = f"where({error} > 0, tanh(10 * {value}), 0)"
                features[f"{name}_error"] = f"clip(10 * {error}, 0, 1)"
                features[f"{name}_significance"] = significance(value, error)
        return Columns(
            Collection(
                momentum,
                features,
                index=JetIndex(f"{jet}_pt", f"{self.links}_jetIdx", self.particle),
                cut=f"{weight} > 0" if weighted else None,
            ),
            tree="Events",
            classes={
                name: condition.format(f"{jet}_hadronFlavour")
                for name, condition in _FLAVOURS.items()
            },
        )


def candidates_of(names: Container[str], jet: str) -> Candidates | None:
    """Where a file with columns of these names has the candidates of a kind of jet, if it has.

    Examples
    --------
    >>> table = [f"PFCand_{name}" for name in ("pt", "eta", "phi", "mass", "pdgId")]
    >>> names = [*table, "FatJetPFCand_jetIdx", "FatJetPFCand_pfCandIdx"]
    >>> found = candidates_of(names, "FatJet")
    >>> found.table, found.particle
    ('PFCand', 'FatJetPFCand_pfCandIdx')
    """
    known = set(names)
    tables = [
        table
        for table in (n.removesuffix("_pdgId") for n in sorted(known) if n.endswith("_pdgId"))
        if "pfcand" in table.lower() and {f"{table}_{name}" for name in _MOMENTUM} <= known
    ]
    numbers: dict[str, list[str]] = {}
    for match in filter(None, map(_LINKS[jet].fullmatch, sorted(known))):
        numbers.setdefault(match[1], []).append(match[2])
    for links, table in product(numbers, tables):
        number = next(
            (n for n in numbers[links] if n.lower() in (f"{table.lower()}idx", "candidx")), None
        )
        if "jetIdx" in numbers[links] and (number is None) == (table == links):
            return Candidates(
                jet,
                table,
                links,
                number and f"{links}_{number}",
                frozenset(n.removeprefix(f"{table}_") for n in known if n.startswith(f"{table}_")),
            )
    return None
