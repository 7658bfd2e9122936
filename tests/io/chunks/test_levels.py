"""The level of each column comes from the file and the columns, never from lengths."""

import awkward as ak
import numpy as np
import pytest
import uproot

from hepml.errors import ColumnError, InputError
from hepml.io import PRESETS, Collection, Columns, JetIndex, iterate, open_table, read
from hepml.io.chunks._binding import bind
from hepml.io.chunks._levels import LINK, PARTICLE, SET, levels_in_jets, levels_in_sets
from hepml.io.expressions._expressions import parse
from hepml.io.formats._files import Location

INDEX = JetIndex("Jet_pt", "JetCand_jetIdx", "JetCand_candIdx")


def levels(index, momentum, names, groups=()):
    """The levels of columns; each group holds columns whose lists are counted together."""
    keys = {name: number for number, group in enumerate(groups) for name in group}
    momentum = [parse(text, ()) for text in momentum]
    return levels_in_jets(index, momentum, names, keys.get)


def test_names_tell_tables_apart():
    names = ("Cand_pt", "Cand_d0", "Jet_mass", "Jet_b_tag", "JetCand_sip", "Muon_pt")
    assert levels(INDEX, ["Cand_pt"], names) == {
        "Cand_pt": PARTICLE,
        "Cand_d0": PARTICLE,
        "Jet_mass": SET,
        "Jet_b_tag": SET,
        "JetCand_sip": LINK,
        "Muon_pt": None,
    }


@pytest.mark.parametrize("separator", [".", "/", "_"])
def test_parts_of_names_are_compared_and_not_characters(separator):
    index = JetIndex(f"e.Jet{separator}pt", f"e.Jet2{separator}jet")
    names = [f"e.Jet{separator}mass", f"e.Jet2{separator}d0", f"e.Jets{separator}x", "Jet"]
    assert list(levels(index, [], names).values()) == [SET, LINK, None, None]


def test_counters_come_before_names():
    groups = [("Jet_pt", "mass"), ("JetCand_jetIdx", "Jet_sip"), ("pt", "Jet_d0")]
    names = ["mass", "Jet_sip", "pt", "Jet_d0", "Jet_x"]
    assert levels(INDEX, ["pt"], names, groups) == {
        "mass": SET,
        "Jet_sip": LINK,
        "pt": PARTICLE,
        "Jet_d0": PARTICLE,
        # Columns of three tables begin with Jet_.
        "Jet_x": None,
    }


@pytest.mark.parametrize("particle", [None, "candIdx"])
def test_a_column_that_is_a_momentum_belongs_to_the_particles(particle):
    index = JetIndex("jet_pt", "jetIdx", particle)
    found = levels(index, ["sqrt(px**2 + pz**2)", "px", "1000 * pz"], ["px", "pz", "q"])
    level = LINK if particle is None else PARTICLE
    assert found == {"px": level, "pz": level, "q": None}


def test_what_the_index_says_comes_first():
    told = {"Jet_x": "particle", "Jet_y": "link", "Cand_z": "jet"}
    index = JetIndex("Jet_pt", "JetCand_jetIdx", "JetCand_candIdx", told)
    found = levels(index, ["Cand_pt"], ["Jet_x", "Jet_y", "Cand_z", "Cand_pt"])
    assert list(found.values()) == [PARTICLE, LINK, SET, PARTICLE]


@pytest.mark.parametrize("name", ["nJet", "Jet_pt"])
def test_a_counter_has_the_name_of_its_table(name):
    index = JetIndex(name, "JetCand_jetIdx")
    assert levels(index, [], ["Jet_mass", "JetCand_sip"]) == {"Jet_mass": SET, "JetCand_sip": LINK}


def test_lists_of_entries_that_are_sets_are_particles():
    assert levels_in_sets(["a", "b"]) == {"a": PARTICLE, "b": PARTICLE}


@pytest.mark.parametrize("levels", [{"a": "entry"}, {"a": None}, ["a"], "jet"])
@pytest.mark.usefixtures("unchecked_types")
def test_levels_that_are_none_are_refused(levels):
    with pytest.raises(InputError, match=r"JetIndex.levels: expected a mapping .* \(jet, link, pa"):
        JetIndex("a", "b", levels=levels)


# In the first two events there are as many particles as jets.
EVENTS = {
    "jet_pt": ak.Array([[10.0, 20.0], [30.0, 40.0], [50.0]]),
    "jetIdx": ak.Array([[1, 0], [1, 0], [0, 0, -1]]),
    "px": ak.Array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0, 7.0]]),
    "q": ak.Array([[1, -1], [1, -1], [1, -1, 1]]),
}
PX = {"E": "100 + px", "px": "px", "py": "0", "pz": "0"}


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_as_many_particles_as_jets_in_a_chunk_change_nothing(tmp_path, write, kind, step):
    index = JetIndex("jet_pt", "jetIdx", levels={"q": "particle"})
    columns = Columns(
        Collection(PX, {"q": "q", "share": "px / jet_pt"}, index=index), context={"pt": "jet_pt"}
    )
    path = write(tmp_path / "a.root", EVENTS, clusters=[1, 2], kind=kind)
    jets = [jet for chunk in iterate(path, columns, step=step) for jet in chunk.particles]
    assert [jet.p4[:, 1].tolist() for jet in jets] == [[2], [1], [4], [3], [5, 6]]
    assert [jet.features[:, 0].tolist() for jet in jets] == [[-1], [1], [-1], [1], [1, -1]]
    for jet in jets:
        np.testing.assert_allclose(jet.features[:, 1], jet.p4[:, 1] / jet.context[0, 0], rtol=1e-6)


@pytest.mark.parametrize("step", [1, 3])
def test_a_level_that_remains_open_is_an_error_that_says_how_to_name_it(tmp_path, write, step):
    path = write(tmp_path / "a.root", EVENTS, clusters=[1, 2])
    columns = Columns(Collection(PX, {"q": "q"}, index=JetIndex("jet_pt", "jetIdx")))
    message = (
        r"a.root:tree, column 'q': expected a counter, or the beginning of a name, .*"
        r"'jet_pt' of the jets, 'jetIdx' of the links.*levels: \{'q': 'particle'\}, or 'jet'"
    )
    with pytest.raises(ColumnError, match=message):
        list(iterate(path, columns, step=step))


def test_a_number_of_the_event_needs_no_level(tmp_path, write):
    events = EVENTS | {"rho": np.array([1.0, 2.0, 3.0])}
    columns = Columns(Collection(PX, {"rho": "rho"}, index=JetIndex("jet_pt", "jetIdx")))
    particles = read(write(tmp_path / "a.root", events), columns)
    assert particles.features[:, 0].tolist() == [1, 1, 2, 2, 3, 3]


def test_a_level_of_a_column_that_is_not_there(tmp_path, write):
    index = JetIndex("jet_pt", "jetIdx", levels={"charge": "particle"})
    with pytest.raises(ColumnError, match=r"column 'charge' \(index.levels\)"):
        read(write(tmp_path / "a.root", EVENTS), Columns(Collection(PX, index=index)))


def test_candidates_of_nanoaod_are_known_by_their_counters(data):
    path = str(data / "cms-pfnano" / "pfnano.root")
    with open_table(Location(path), "Events") as table:
        part = PRESETS["pfnano"].collections[0]
        features = {"pt": "FatJetPFCands_pt", "mass": "FatJet_mass", "d0": "PFCands_d0"}
        columns = Columns(Collection(part.momentum, features, index=part.index), tree="Events")
        found = bind(columns, table).parts[0].levels
        assert {name: found[name] for name in ("FatJetPFCands_pt", "FatJet_mass")} == {
            "FatJetPFCands_pt": LINK,
            "FatJet_mass": SET,
        }
        assert {level for name, level in found.items() if name.startswith("PFCands")} == {PARTICLE}
        assert (
            table.list_of("FatJet_pt") == table.list_of("FatJet_mass") == table.list_of("nFatJet")
        )
        different = ("FatJet_pt", "FatJetPFCands_pt", "PFCands_pt", "Jet_pt")
        assert len({table.list_of(name) for name in different}) == 4


@pytest.mark.parametrize(
    ("file", "tree", "together", "apart"),
    [
        (
            "cms-nanoaod/nanoAOD_2015_ttbar_RNTuple.root",
            "Events",
            ("Jet_pt", "Jet_mass", "nJet"),
            ("Muon_pt", "genWeight"),
        ),
        (
            "delphes/events_delphes_example.root",
            "Delphes",
            ("Jet.PT", "Jet.Eta"),
            ("Particle.PT", "ScalarHT.HT"),
        ),
        (
            "fcc-edm4hep/test_FCC_Winter2023.root",
            "events",
            ("ReconstructedParticles.energy", "ReconstructedParticles.charge"),
            ("Particle.charge",),
        ),
    ],
)
def test_columns_that_a_file_counts_together(data, file, tree, together, apart):
    with open_table(Location(str(data / file)), tree) as table:
        keys = {table.list_of(name) for name in together}
        assert len(keys) == 1
        assert not keys & {table.list_of(name) for name in apart}


def test_records_of_an_rntuple_are_counted_together(tmp_path):
    path = str(tmp_path / "a.root")
    with uproot.recreate(path) as file:
        jets = ak.Array([[{"pt": 1.0, "mass": 2.0}], []])
        file.mkrntuple("tree", {"Jet": jets, "x": ak.Array([[1.0], []]), "n": np.arange(2)})
    with open_table(Location(path)) as table:
        assert table.list_of("Jet.pt") == table.list_of("Jet.mass") != table.list_of("x")
        assert table.list_of("n") is None
