"""Events of jets: which particles belong to which jet; loops over events are the oracle."""

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hepml.errors import ColumnError, DataError
from hepml.io import Collection, Columns, JetIndex, iterate, read

MOMENTUM = {"pt": "Cand_pt", "eta": "Cand_eta", "phi": "Cand_phi", "mass": "0"}
LINKED = Columns(
    Collection(
        MOMENTUM,
        {"d0": "Cand_d0", "sip": "JetCand_sip", "share": "Cand_pt / Jet_pt", "rho": "rho"},
        index=JetIndex("Jet_pt", "JetCand_jetIdx", "JetCand_candIdx"),
    ),
    classes={"light": "Jet_flavour == 0", "heavy": "Jet_flavour > 3"},
    weights="weight",
    context={"jet_pt": "Jet_pt", "rho": "rho"},
)


def make_events(jets, candidates, links, seed=0):
    """Random events; each jet takes about `links` candidates of the common table."""
    random = np.random.default_rng(seed)

    def table(prefix, counts, **columns):
        return {
            f"{prefix}_{name}": ak.unflatten(draw(int(np.sum(counts))), counts)
            for name, draw in columns.items()
        }

    def number(n):
        return random.uniform(1, 9, n).astype(np.float32)

    def flavour(n):
        return random.choice(np.array([0, 4, 5], np.int32), n)

    events = table("Jet", jets, pt=number, flavour=flavour)
    events |= table("Cand", candidates, pt=number, eta=number, phi=number, d0=number)
    jet_index, candidate_index = [], []
    for n_jets, n_candidates in zip(jets, candidates, strict=True):
        n = links if n_jets and n_candidates else 0
        jet_index.append(random.integers(-1, max(n_jets, 1), n).astype(np.int32))
        candidate_index.append(random.integers(0, max(n_candidates, 1), n).astype(np.int32))
    counts = [len(index) for index in jet_index]
    events["JetCand_jetIdx"] = ak.unflatten(np.concatenate(jet_index), counts)
    events["JetCand_candIdx"] = ak.unflatten(np.concatenate(candidate_index), counts)
    events |= table("JetCand", counts, sip=number)
    return events | {"rho": number(len(jets)), "weight": number(len(jets))}


def by_hand(events):
    """For each jet of each event, in loops: pt, features of its particles, and its own numbers."""
    found = []
    for e in range(len(events["rho"])):
        for j, jet_pt in enumerate(events["Jet_pt"][e]):
            links = [k for k, jet in enumerate(events["JetCand_jetIdx"][e]) if jet == j]
            rows = [events["JetCand_candIdx"][e][k] for k in links]
            pt = [events["Cand_pt"][e][r] for r in rows]
            features = [
                [
                    events["Cand_d0"][e][r],
                    events["JetCand_sip"][e][k],
                    events["Cand_pt"][e][r] / jet_pt,
                    events["rho"][e],
                ]
                for r, k in zip(rows, links, strict=True)
            ]
            label = int(events["Jet_flavour"][e][j] > 3)
            found.append((pt, features, label, events["weight"][e], (jet_pt, events["rho"][e])))
    return found


@pytest.mark.slow
@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=6),
    st.integers(0, 6),
    st.sampled_from(["ttree", "rntuple"]),
)
def test_linked_tables_agree_with_loops(tmp_path_factory, write, sizes, links, kind):
    jets, candidates = (list(counts) for counts in zip(*sizes, strict=True))
    events = make_events(jets, candidates, links)
    path = write(tmp_path_factory.mktemp("linked") / "events.root", events, kind=kind)
    particles = read(path, LINKED)
    expected = by_hand(events)
    assert len(particles) == len(expected) == sum(jets)
    for each, (pt, features, label, weight, context) in zip(particles, expected, strict=True):
        np.testing.assert_allclose(each.p4[:, 1:3].norm(dim=1), pt, rtol=1e-5)
        np.testing.assert_allclose(each.features, np.reshape(features, (-1, 4)), rtol=1e-6)
        assert each.labels.tolist() == [label]
        np.testing.assert_allclose(each.weights, [weight], rtol=1e-6)
        np.testing.assert_allclose(each.context, [context], rtol=1e-6)


def test_particles_that_carry_the_number_of_their_jet(tmp_path, write):
    events = {
        "Jet_pt": ak.Array([[50.0, 40.0], [], [30.0]]),
        "Cand_pt": ak.Array([[1.0, 2.0, 3.0, 4.0], [5.0], [6.0, 7.0]]),
        "Cand_jet": ak.Array([[1, 0, -1, 1], [-1], [0, 0]]),
    }
    momentum = {"pt": "Cand_pt", "eta": "0", "phi": "0", "mass": "0"}
    columns = Columns(
        Collection(momentum, {"share": "Cand_pt / Jet_pt"}, index=JetIndex("Jet_pt", "Cand_jet"))
    )
    particles = read(write(tmp_path / "a.root", events), columns)
    assert [each.p4[:, 1].tolist() for each in particles] == [[2.0], [1.0, 4.0], [6.0, 7.0]]
    np.testing.assert_allclose(particles.features[:, 0], [2 / 50, 1 / 40, 4 / 40, 0.2, 7 / 30])


def test_chunks_say_how_many_jets_each_event_has(tmp_path, write):
    events = make_events([2, 0, 3, 1], [3, 2, 4, 1], 5)
    path = write(tmp_path / "a.root", events, clusters=[2])
    cut = LINKED.replace(cut="Jet_pt > 4")
    chunks = list(iterate(path, cut, step=2))
    assert [(c.start, c.stop, c.total) for c in chunks] == [(0, 2, 2), (2, 4, 4)]
    assert [c.sets_per_entry.tolist() for c in chunks] == [[2, 0], [3, 1]]
    passed = np.flatnonzero(ak.to_numpy(ak.flatten(events["Jet_pt"]) > 4))
    assert np.concatenate([c.rows + 2 * (c.start > 0) for c in chunks]).tolist() == passed.tolist()
    everything = read(path, LINKED)
    assert torch.equal(read(path, cut).p4, everything[torch.from_numpy(passed)].p4)


def test_columns_of_equal_lengths_go_by_their_names(tmp_path, write):
    """One jet, one link, one candidate in each event: only the names tell the tables apart."""
    one = {
        "Jet_pt": ak.Array([[10.0], [20.0]]),
        "Jet_mass": ak.Array([[1.0], [2.0]]),
        "Cand_pt": ak.Array([[3.0], [4.0]]),
        "JetCand_jetIdx": ak.Array([[0], [0]]),
        "JetCand_candIdx": ak.Array([[0], [0]]),
        "JetCand_sip": ak.Array([[5.0], [6.0]]),
    }
    columns = Columns(
        Collection(
            {"pt": "Cand_pt", "eta": "0", "phi": "0", "mass": "0"},
            {"sip": "JetCand_sip", "mass": "Jet_mass"},
            index=JetIndex("Jet_pt", "JetCand_jetIdx", "JetCand_candIdx"),
        )
    )
    assert read(write(tmp_path / "a.root", one), columns).features.tolist() == [[5, 1], [6, 2]]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("JetCand_jetIdx", 7, r"entry 1, jet 0, column 'JetCand_jetIdx'.*got 7"),
        ("JetCand_candIdx", 9, r"entry 1, jet 1, column 'JetCand_candIdx'.*got 9"),
        ("JetCand_candIdx", -1, r"entry 1, jet 1, column 'JetCand_candIdx'.*got -1"),
    ],
)
def test_an_index_out_of_range_names_entry_and_jet(tmp_path, write, column, value, message):
    events = make_events([2, 3, 1], [4, 4, 4], 4)
    index = ak.to_list(events[column])
    index[1][2] = value
    jet = ak.to_list(events["JetCand_jetIdx"])
    if column == "JetCand_candIdx":
        jet[1] = [0, 0, 1, 1]
        events["JetCand_jetIdx"] = ak.values_astype(ak.Array(jet), np.int32)
    events[column] = ak.values_astype(ak.Array(index), np.int32)
    path = write(tmp_path / "a.root", events)
    with pytest.raises(DataError, match=message + r" \(index out of range"):
        read(path, LINKED)
    # A wrong number of a jet spoils every jet of its event; one of a particle only its own.
    left = 3 if column == "JetCand_jetIdx" else 5
    with pytest.warns(UserWarning, match=f"dropped {6 - left} bad sets: {6 - left} index out of"):
        assert len(read(path, LINKED, bad="drop")) == left


def test_lists_of_another_length_than_their_level_are_unequal(tmp_path, write):
    events = make_events([2, 1], [3, 4], 5) | {"Muon_pt": ak.Array([[1.0] * 9, [1.0] * 9])}
    path = write(tmp_path / "a.root", events)
    index = replace(LINKED.collections[0].index, levels={"Muon_pt": "particle"})
    columns = Columns(Collection(MOMENTUM, {"m": "Muon_pt"}, index=index))
    with pytest.raises(DataError, match=r"entry 0, jet 0, column 'Muon_pt'.*got 9 values against"):
        read(path, columns)


def test_the_number_of_jets_is_as_good_as_a_column_of_them(tmp_path, write):
    events = make_events([2, 0, 3], [3, 2, 4], 5)
    events["nJet"] = np.array([2, 0, 3], np.int32)
    path = write(tmp_path / "a.root", events)
    part = LINKED.collections[0]
    index = JetIndex("nJet", part.index.jet, part.index.particle)
    counted = LINKED.replace(collections=[Collection(part.momentum, part.features, index=index)])
    assert torch.equal(read(path, counted).p4, read(path, LINKED).p4)
    assert torch.equal(read(path, counted).features, read(path, LINKED).features)


def test_an_index_that_is_no_list_is_refused(tmp_path, write):
    path = write(tmp_path / "a.root", make_events([2, 1], [3, 4], 5))
    for index in (JetIndex("Jet_pt", "rho"), JetIndex("Jet_pt", "JetCand_jetIdx", "rho")):
        columns = Columns(Collection(MOMENTUM, index=index))
        with pytest.raises(ColumnError, match=r"column 'rho' \(index\): expected a list in each"):
            read(path, columns)


@pytest.mark.parametrize("number", [-1, np.nan, 1.5, 1e11, 2.0**63, np.inf])
def test_a_counter_that_is_no_number_of_jets_is_refused(tmp_path, write, number):
    """Before memory is taken for as many jets; a negative one would shift all jets behind it."""
    events = make_events([2, 0, 3], [3, 2, 4], 5) | {"nJet": np.array([2.0, 0.0, number])}
    path = write(tmp_path / "a.root", events)
    columns = Columns(Collection(MOMENTUM, index=JetIndex("nJet", "JetCand_jetIdx")))
    message = r"entry 2, column 'nJet' \(index\): expected a number of jets, from 0 to 1000000, got"
    for bad in ("error", "drop"):
        with pytest.raises(DataError, match=message):
            read(path, columns, bad=bad)
    with pytest.raises(DataError, match=message):
        next(iterate(path, columns.replace(cut="Jet_pt > 0"), max_sets=1))


@pytest.mark.parametrize("column", ["JetCand_jetIdx", "JetCand_candIdx"])
@pytest.mark.parametrize("value", [np.nan, 0.5, np.inf, 2.0**64])
def test_an_index_that_is_no_whole_number_is_out_of_range(tmp_path, write, column, value):
    """It would be taken for another number, or for a link to no jet at all."""
    events = make_events([1, 1], [2, 2], 2)
    for name in ("JetCand_jetIdx", "JetCand_candIdx"):
        events[name] = ak.Array([[0.0, 1.0], [0.0, 0.0]] if "cand" in name else [[0.0] * 2] * 2)
    index = ak.to_list(events[column])
    index[1][1] = value
    events[column] = ak.Array(index)
    path = write(tmp_path / "a.root", events)
    message = rf"entry 1, jet 0, column '{column}'.*got {value} \(index out of range"
    with pytest.raises(DataError, match=message.replace("+", r"\+")):
        read(path, LINKED)
    with pytest.warns(UserWarning, match="dropped 1 bad sets: 1 index out of range"):
        assert len(read(path, LINKED, bad="drop")) == 1
