"""Selected jets: their columns from hand-made events, and what the vetoes would lose."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepml.datasets.detector._detector import Candidates, Particles
from hepml.datasets.jets._generation import SELECTION, generate_jets, rounded_mantissa, select
from hepml.datasets.jets._pythia import Events
from hepml.datasets.jets._top_tagging import QCD, TOPS


@given(st.floats(2.0**-20, 2.0**20, width=32), st.sampled_from([1, -1]), st.integers(3, 22))
def test_a_rounded_mantissa_is_near_and_ends_in_zeros(size, sign, bits):
    value = np.float32(sign * size)
    rounded = rounded_mantissa(np.array([value], np.float64), bits=bits)
    assert abs(float(rounded[0]) - float(value)) <= abs(float(value)) * 2.0 ** -(bits + 1)
    assert rounded.view(np.uint32)[0] % (1 << (23 - bits)) == 0


def test_zero_stays_zero():
    assert rounded_mantissa(np.array([0.0, -0.0]), bits=8).tolist() == [0, 0]


def one_jet_events(jets):
    """Events with one massless charged particle (pt, eta), recorded as a track of its own."""
    pt, eta = np.array(jets, np.float64).T
    count = len(pt)
    p4 = np.stack([pt * np.cosh(eta), pt, 0 * pt, pt * np.sinh(eta)], axis=1)
    number = np.arange(count)
    particles = Particles(
        number, np.full(count, 211), np.ones(count, np.int64), p4, np.zeros((count, 3))
    )
    candidates = Candidates(number, particles.pid, particles.charge, p4, number)
    zeros = np.zeros(count, np.int64)
    events = Events(number, particles.pid, zeros, zeros, p4, particles.vertex, pt)
    return events, particles, candidates


def selected(jets, *, tops=False):
    """The table of such jets."""
    pytest.importorskip("fastjet", reason="needs fastjet")
    return select(*one_jet_events(jets), tops=tops, rng=np.random.default_rng(1))


def test_the_window_in_pt_and_eta():
    jets = [(549.9, 0), (550.1, 1.99), (600, -2.01), (600, -1.99), (649.9, 0), (650.1, 0), (100, 0)]
    table = selected(jets)
    assert table.jets["jet_pt"] == pytest.approx([550.1, 600, 649.9])
    assert table.jets["jet_eta"] == pytest.approx([1.99, -1.99, 0], abs=1e-6)
    assert table.counts.tolist() == [1, 1, 1]


def test_the_columns_have_their_types_and_names():
    table = selected([(600, 0.5)])
    assert {name: column.dtype.name for name, column in table.constituents.items()} == {
        **dict.fromkeys(("px", "py", "pz", "energy"), "float32"),
        "charge": "int8",
        "pid": "int16",
        **dict.fromkeys(("d0val", "d0err", "dzval", "dzerr"), "float32"),
    }
    assert table.jets["label"].tolist() == [0]
    assert table.jets["label"].dtype == np.int8
    assert table.jets["jet_energy"] == pytest.approx([600 * np.cosh(0.5)])
    assert table.jets["jet_mass"] == pytest.approx([0], abs=0.1)
    assert table.jets["aux_pt_hat"] == pytest.approx([600])
    assert table.jets["aux_top_pid"].tolist() == [0]


def test_impact_parameters_are_spread_by_their_uncertainties():
    table = selected([(600, 0.5)] * 4000)
    for name in ("d0", "dz"):
        pull = table.constituents[f"{name}val"] / table.constituents[f"{name}err"]
        assert pull.std() == pytest.approx(1, abs=5 / np.sqrt(2 * 4000))
        assert pull.mean() == pytest.approx(0, abs=5 / np.sqrt(4000))
    assert np.unique(table.constituents["d0err"]) == pytest.approx([0.010], rel=1e-2)


def test_neutral_candidates_have_no_impact_parameters():
    events, particles, candidates = one_jet_events([(600, 0.5)])
    neutral = replace(candidates, charge=np.zeros(1, np.int64), source=np.array([-1]))
    pytest.importorskip("fastjet", reason="needs fastjet")
    table = select(events, particles, neutral, tops=False, rng=np.random.default_rng(1))
    for name in ("d0val", "d0err", "dzval", "dzerr"):
        assert table.constituents[name].tolist() == [0]


def test_an_unmatched_jet_is_no_top_jet():
    assert len(selected([(600, 0.5)], tops=True)) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("process", "pt_hat"), [(TOPS, 500), (QCD, 500)], ids=["top", "qcd"])
def test_the_vetoes_spare_selected_jets(process, pt_hat, monkeypatch):
    """Without a veto, look at what it would have seen in the events of selected jets."""
    pytest.importorskip("pythia8mc", reason="needs pythia8mc")
    pytest.importorskip("fastjet", reason="needs fastjet")
    seen = []

    class Watching(type(process.veto)):
        def hooks(self):
            hooks = super().hooks()
            early, late = hooks.early, hooks.late
            last = []
            hooks.early = lambda event: last.append(early(event)) or last[-1]
            hooks.late = lambda event: seen.append((last[-1], late(event))) or seen[-1][1]
            return hooks

    open_veto = Watching(**{**vars(process.veto), "early_pt": 0.0, "late_pt": 0.0})
    watched = replace(
        process,
        settings=(*process.settings, f"PhaseSpace:pTHatMin = {pt_hat}."),
        veto=open_veto,
    )
    kept = []

    def watching_select(events, *arguments, **options):
        table = select(events, *arguments, **options)
        # pTHat tells the event of a jet.
        kept.extend(
            np.flatnonzero(np.isin(events.pt_hat.astype(np.float32), table.jets["aux_pt_hat"]))
        )
        assert len(seen) == len(events)
        jets = np.array(seen)[kept]
        seen.clear()
        kept.clear()
        watching_select.found.append(jets)
        return table

    watching_select.found = []
    monkeypatch.setattr("hepml.datasets.jets._generation.select", watching_select)
    generate_jets(watched, jets=40, seed=[1])
    early, late = np.concatenate(watching_select.found).T
    assert len(early) >= 40
    assert early.min() > process.veto.early_pt
    assert late.min() > process.veto.late_pt
    # Planted bug: as cuts on the jet itself they would lose some.
    assert late.min() < SELECTION.pt_min or early.min() < SELECTION.pt_min
