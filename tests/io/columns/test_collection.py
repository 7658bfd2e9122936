"""Collections: four names make a momentum, and what makes none is refused at once."""

import pytest

from hepml.errors import InputError
from hepml.io import Collection, JetIndex, Padding

CARTESIAN = {"E": "e", "px": "x", "py": "y", "pz": "z"}


def test_energy_is_another_name_for_e():
    both = [
        Collection({name: "b", "px": "x", "py": "y", "pz": "z"}).momentum
        for name in ("E", "energy")
    ]
    assert both[0] == both[1]


def test_collections_are_values():
    mutable = dict(CARTESIAN)
    part = Collection(mutable)
    mutable["E"] = "other"
    assert part == Collection(CARTESIAN)
    with pytest.raises(AttributeError):
        part.cut = "e > 0"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Collection({"px": "x"}), r"\(E, px, py, pz\), or \(pt, eta, phi, mass\)"),
        (lambda: Collection(CARTESIAN | {"mass": "m"}), "expected the names"),
        (lambda: Collection({"pt": "a", "eta": "b", "phi": "c", "E": "e"}), "expected the names"),
        (lambda: Collection(CARTESIAN | {"E": "log("}), r"expression 'log\('"),
        (lambda: Collection(CARTESIAN, {"q": ""}), r"Collection.features\['q'\]"),
        (lambda: Collection(CARTESIAN, {"q": "c"}, kind="q"), "a name that no feature"),
        (lambda: Collection(CARTESIAN, cut="a and b"), "expression 'a and b'"),
        (lambda: JetIndex("", "b"), r"JetIndex\.jets"),
        (lambda: Padding(), "Padding: expected one of fill, mask and count, got none"),
        (lambda: Padding(fill=0, count="n"), "got fill and count"),
        (lambda: Padding(fill="-"), "Padding.fill: expected a number, got '-'"),
        (lambda: Padding(mask=""), "Padding.mask"),
        (lambda: Collection(CARTESIAN, padding=-999), "Collection.padding: expected a Padding"),
        (
            lambda: Collection(CARTESIAN, index=JetIndex("a", "b"), padding=Padding(count="n")),
            "Collection.padding: expected a fill value or a mask",
        ),
        (lambda: Collection(CARTESIAN, hardest=0), "Collection.hardest: expected a number of par"),
        (lambda: Collection(CARTESIAN, hardest=True), "Collection.hardest: .* got True"),
        (lambda: Collection(CARTESIAN, hardest=12.5), "Collection.hardest: .* got 12.5"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_what_makes_no_sense_is_refused_at_once(build, message):
    with pytest.raises(InputError, match=message) as refused:
        build()
    assert "Fix: " in str(refused.value)
