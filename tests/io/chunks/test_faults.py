"""Faults: the first bad set is named, and each bad set counts once."""

import numpy as np
import pytest

from hepml.errors import DataError
from hepml.io.chunks._faults import Faults


@pytest.fixture
def faults():
    found = Faults()
    found.add([7, 3], "NaN momentum", "'px'", "finite numbers", ["nan", "inf"])
    found.add([3, 5], "negative energy", "'e'", "energies of zero or more", [-1.0, -2.0])
    return found


def test_the_first_bad_set_is_named(faults):
    with pytest.raises(DataError) as raised:
        faults.raise_first(np.ones(10, bool), "file:tree", np.arange(100, 110), True)
    assert str(raised.value) == (
        "file:tree, entry 103, column 'px': expected finite numbers, got inf (NaN momentum; "
        "3 bad among the 10 sets read with it). "
        "Fix: repair the file, or drop and count such sets with bad='drop'."
    )


def test_sets_that_fail_the_cut_are_no_fault(faults):
    passed = np.ones(10, bool)
    passed[3] = False
    with pytest.raises(DataError, match=r"entry 5, column 'e'.*2 bad among the 9"):
        faults.raise_first(passed, "file:tree", np.arange(10), True)
    passed[[5, 7]] = False
    faults.raise_first(passed, "file:tree", np.arange(10), True)


def test_of_an_event_the_jet_is_named(faults):
    with pytest.raises(DataError, match=r"entry 12, jet 1, column 'px'"):
        faults.raise_first(
            np.ones(10, bool),
            "file:tree",
            np.array([10, 10, 12, 12, 13, 13, 13, 13, 14, 15]),
            False,
        )


def test_each_set_is_dropped_once_for_its_first_reason(faults):
    remaining, lost = faults.dropped(np.ones(10, bool))
    assert np.flatnonzero(~remaining).tolist() == [3, 5, 7]
    assert {reason: rows.tolist() for reason, rows in lost.items()} == {
        "NaN momentum": [3, 7],
        "negative energy": [5],
    }


def test_numbers_are_those_of_the_chunk():
    """Once some sets are taken out, the others keep their numbers."""
    faults = Faults()
    assert not faults
    faults.numbers = np.array([0, 2, 4, 6])
    faults.add([], "no fault", "", "", [])
    assert not faults
    faults.add([1, 3], "reason", "column", "expected", [0, 0])
    assert faults
    assert np.flatnonzero(~faults.dropped(np.ones(8, bool))[0]).tolist() == [2, 6]
