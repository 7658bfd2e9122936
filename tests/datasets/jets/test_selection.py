"""Jets and matched tops in events made by hand."""

import numpy as np
import pytest

from hepml.datasets.detector._detector import Candidates
from hepml.datasets.jets._pythia import Events
from hepml.datasets.jets._selection import hardest, leading_jets, matched_tops, pt_eta_phi


def momenta(rows):
    """Massless (E, px, py, pz) from rows of (pt, eta, phi)."""
    pt, eta, phi = np.array(rows, np.float64).reshape(-1, 3).T
    return np.stack(
        [pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=1
    )


def candidates(events, rows):
    """Photons in events."""
    count = len(rows)
    return Candidates(
        np.array(events, np.int64),
        np.full(count, 22, np.int64),
        np.zeros(count, np.int64),
        momenta(rows),
        np.full(count, -1, np.int64),
    )


def test_pt_eta_phi_and_what_has_no_direction():
    rows = [(3.0, 1.2, -2.0), (500.0, -2.0, 3.1)]
    np.testing.assert_allclose(np.stack(pt_eta_phi(momenta(rows)), 1), rows, rtol=1e-12)
    assert np.isfinite(pt_eta_phi(np.zeros((1, 4)))).all()


def test_the_leading_jet_of_each_event():
    pytest.importorskip("fastjet", reason="needs fastjet")
    # Event 0: two jets, of which the second in order is the harder; event 1: one particle below
    # the threshold; event 2: nothing; event 3: a jet across the border in phi.
    found = candidates(
        [0, 0, 0, 0, 1, 3, 3],
        [
            (100, 0.0, 0.0),
            (60, 1.0, 2.0),
            (30, 1.3, 2.2),
            (40, 1.0, 1.8),
            (20, 0.0, 0.0),
            (50, 0.0, 3.1),
            (50, 0.1, -3.1),
        ],
    )
    jets = leading_jets(found, events=4, radius=0.8, pt_min=30.0)
    assert jets.counts.tolist() == [3, 0, 0, 2]
    assert sorted(jets.rows[:3]) == [1, 2, 3]
    assert sorted(jets.rows[3:]) == [5, 6]
    np.testing.assert_allclose(jets.p4[0], found.p4[1:4].sum(0), rtol=1e-12)
    np.testing.assert_allclose(jets.p4[3], found.p4[5:].sum(0), rtol=1e-12)
    assert not jets.p4[1:3].any()

    counts, rows = hardest(jets, found, at_most=2)
    assert counts.tolist() == [2, 0, 0, 2]
    assert rows[:2].tolist() == [1, 3]


def top_event(quarks, *, sign=1, top=(600.0, 0.5, 1.0), quark_status=-23):
    """A record with a top, its W and the three quarks (b first) at (eta, phi)."""
    w_boson, b_quark = 24 * sign, 5 * sign
    rows = [(1.0, 0.0, 0.0), top, (400.0, 0.5, 1.0)] + [(200.0, *quark) for quark in quarks]
    count = len(rows)
    return Events(
        event=np.zeros(count, np.int64),
        pid=np.array([90, 6 * sign, w_boson, b_quark, 2 * sign, -1 * sign], np.int64),
        status=np.array([-11, -62, -22, *[quark_status] * 3], np.int64),
        mother=np.array([0, 0, 1, 1, 2, 2], np.int64),
        p4=momenta(rows),
        vertex=np.zeros((count, 3)),
        pt_hat=np.array([550.0]),
    )


AXIS = momenta([(600.0, 0.5, 1.0)])
INSIDE = [(0.9, 1.2), (0.1, 1.3), (0.5, 0.3)]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_top_with_its_quarks_inside_is_matched(sign):
    found = matched_tops(top_event(INSIDE, sign=sign), AXIS, radius=0.8)
    assert found.matched.tolist() == [True]
    assert found.sign.tolist() == [sign]
    quarks = momenta([(200.0, *quark) for quark in INSIDE])
    np.testing.assert_allclose(found.top, AXIS, rtol=1e-12)
    np.testing.assert_allclose(found.b_quark[0], quarks[0], rtol=1e-12)
    np.testing.assert_allclose(found.w_boson[0], quarks[1:].sum(0), rtol=1e-12)


@pytest.mark.parametrize("outside", [0, 1, 2])
def test_one_quark_outside_is_no_match(outside):
    quarks = list(INSIDE)
    quarks[outside] = (1.31, 1.0)
    found = matched_tops(top_event(quarks), AXIS, radius=0.8)
    assert not found.matched.any()
    assert not found.top.any()
    assert found.sign.tolist() == [0]


def test_the_distance_goes_around_in_phi():
    quarks = [(0.5, 3.0), (0.5, -3.0), (0.5, 3.1)]
    axis = momenta([(600.0, 0.5, 3.1)])
    event = top_event(quarks, top=(600.0, 0.5, -3.1))
    assert matched_tops(event, axis, radius=0.8).matched.all()


def test_a_top_outside_and_quarks_after_their_shower_do_not_count():
    assert not matched_tops(
        top_event(INSIDE, top=(600.0, 1.5, 1.0)), AXIS, radius=0.8
    ).matched.any()
    assert not matched_tops(top_event(INSIDE, quark_status=-51), AXIS, radius=0.8).matched.any()
