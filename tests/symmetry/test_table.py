"""Names of symmetries."""

import pytest

from hepml.errors import InputError
from hepml.symmetry import SYMMETRIES, BeamBoost, Lorentz, find_symmetry


def test_keys_are_names():
    assert all(name == symmetry.name for name, symmetry in SYMMETRIES.items())


@pytest.mark.parametrize("name", ["beam boost", "beam-boost", "Beam_Boost"])
def test_spaces_may_be_written_otherwise(name):
    assert find_symmetry(name) == BeamBoost()


def test_a_symmetry_is_itself():
    symmetry = Lorentz(outputs="(1/2,1/2)")
    assert find_symmetry(symmetry) is symmetry


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("lorenz", "try 'lorentz'"),
        ("time", "try 'time reversal'"),
        ("gauge", "choose one of these"),
    ],
)
def test_unknown_names_get_the_nearest(name, fix):
    with pytest.raises(InputError, match=f"symmetry '{name}': expected one of permutation.*{fix}"):
        find_symmetry(name)


@pytest.mark.usefixtures("unchecked_types")
def test_a_class_is_no_symmetry():
    with pytest.raises(InputError, match=r"got <class '.*Lorentz'>. Fix: make one: Lorentz\(\)"):
        find_symmetry(Lorentz)  # type: ignore[arg-type]
