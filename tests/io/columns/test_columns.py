"""Columns: what makes sense is kept, and plain values carry it; the rest is refused at once."""

import json

import pytest
import yaml

from hepml.errors import InputError
from hepml.io import PRESETS, Collection, Columns, JetIndex, Padding

CARTESIAN = {"E": "e", "px": "x", "py": "y", "pz": "z"}
POLAR = {"pt": "a", "eta": "b", "phi": "c", "mass": "0.14"}
FULL = Columns(
    [
        Collection(CARTESIAN, {"charge": "q", "log_e": "log(e)"}, kind="is_track", cut="e > 1"),
        Collection(POLAR, {"log_e": "log(a * cosh(b))", "depth": "d"}, kind="is_tower"),
    ],
    unit="MeV",
    tree="folder/tree",
    cut="jet_pt > 20",
    classes={"b": "flavour == 5", "light": "flavour == 0"},
    weights="w * 2",
    context={"rho": "rho", "jet_pt": "jet_pt"},
)
INDEXED = Columns(
    Collection(CARTESIAN, index=JetIndex("jet_pt", "link_jet", "link_particle")),
    label="flavour",
    classes=("a", "b", "c"),
)
PADDED = Columns(
    [Collection(CARTESIAN, padding=Padding(fill=fill), hardest=12) for fill in (-999, 0)]
    + [
        Collection(POLAR, padding=Padding(mask="valid")),
        Collection(POLAR, padding=Padding(count="n")),
    ]
)
BY_FILE = Columns(Collection(CARTESIAN), class_files={"qcd": "*qcd*", "top": "*top*"})


@pytest.mark.parametrize(
    "columns", [FULL, INDEXED, PADDED, BY_FILE, *PRESETS.values()], ids=lambda c: str(c.tree)
)
def test_plain_values_bring_the_columns_back(columns):
    plain = columns.to_dict()
    assert Columns.from_dict(plain) == columns
    assert Columns.from_dict(json.loads(json.dumps(plain))) == columns
    assert Columns.from_dict(yaml.safe_load(yaml.safe_dump(plain))) == columns
    assert Columns.from_dict(yaml.safe_load(yaml.safe_dump(plain, sort_keys=False))).to_dict() == (
        plain
    )


def test_nan_is_a_fill_value_like_others():
    columns = Columns(Collection(CARTESIAN, padding=Padding(fill=float("nan"))))
    plain = yaml.safe_load(yaml.safe_dump(columns.to_dict()))
    assert Columns.from_dict(plain) == columns != Columns(Collection(CARTESIAN))
    assert hash(Padding(fill=float("nan"))) == hash(columns.collections[0].padding)


def test_names_of_features_are_a_union_and_kinds_come_last():
    assert FULL.feature_names == ("charge", "log_e", "depth", "is_track", "is_tower")
    assert FULL.class_names == ("b", "light")
    assert INDEXED.class_names == ("a", "b", "c")
    assert BY_FILE.class_names == ("qcd", "top")
    assert FULL.context_names == ("rho", "jet_pt")


def test_with_features_keeps_some_in_their_order():
    kept = FULL.with_features(["is_tower", "log_e"])
    assert kept.feature_names == ("log_e", "is_tower")
    assert kept.collections[0].cut == "e > 1"
    assert FULL.with_features(()).feature_names == ()
    assert FULL.with_features(FULL.feature_names) == FULL
    with pytest.raises(InputError, match=r"names among charge, .*got \['chrage'\]"):
        FULL.with_features(["chrage", "log_e"])


def test_without_labels_keeps_the_rest():
    data = FULL.without_labels()
    assert data.class_names == ()
    assert data.weights is None
    assert data.cut == FULL.cut
    assert BY_FILE.without_labels().class_names == ()


def test_numbers_in_yaml_are_expressions():
    plain = yaml.safe_load(
        "{collections: {momentum: {pt: a, eta: b, phi: c, mass: 0.5}}, weights: 2}"
    )
    columns = Columns.from_dict(plain)
    assert columns.collections[0].momentum["mass"] == "0.5"
    assert columns.weights == "2"


def test_columns_are_values():
    assert PRESETS["hepml"].replace() == PRESETS["hepml"]
    assert PRESETS["hepml"] != PRESETS["hepml"].with_features(())
    with pytest.raises(AttributeError):
        PRESETS["hepml"].unit = "MeV"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Columns([]), "one Collection or more"),
        (lambda: Columns(Collection(CARTESIAN), unit="TeV"), "'GeV' or 'MeV', got 'TeV'"),
        (lambda: Columns(Collection(CARTESIAN), label="y"), "keep one of the three ways"),
        (lambda: Columns(Collection(CARTESIAN), classes=("a", "b")), "keep one of the three ways"),
        (
            lambda: Columns(Collection(CARTESIAN), label="y", classes={"a": "b"}),
            "keep one of the three ways",
        ),
        (
            lambda: Columns(
                Collection(CARTESIAN), label="y", classes=("a", "b"), class_files={"a": "b"}
            ),
            "keep one of the three ways",
        ),
        (lambda: Columns(Collection(CARTESIAN), label="y", classes=("a", "a")), "different names"),
        (lambda: Columns(Collection(CARTESIAN), weights="w +"), "expression 'w \\+'"),
        (lambda: Columns(Collection(CARTESIAN), context={"c": "{}"}), "expression .\\{\\}."),
        (
            lambda: Columns(
                [Collection(CARTESIAN, index=JetIndex("a", "b")), Collection(CARTESIAN)]
            ),
            "divided into the same jets",
        ),
        (lambda: Columns.from_dict({"unit": "GeV"}), "a list with one collection"),
        (lambda: Columns.from_dict({"collection": []}), "keys among collections, unit"),
        (lambda: Columns.from_dict({"collections": [{"kind": "a"}]}), "expected a momentum"),
        (lambda: Columns.from_dict({"collections": ["a"]}), "a mapping with keys among momentum"),
        (
            lambda: Columns.from_dict(
                {"collections": [{"momentum": CARTESIAN, "index": {"j": 1}}]}
            ),
            "keys among jets, jet, particle",
        ),
        (
            lambda: Columns.from_dict({"collections": [{"momentum": "part_px"}]}),
            "a mapping from names to expressions",
        ),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_what_makes_no_sense_is_refused_at_once(build, message):
    with pytest.raises(InputError, match=message) as refused:
        build()
    assert "Fix: " in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("classes", "top", "Columns.classes: expected a list of names, got 'top'"),
        ("class_files", {"qcd": ["a.root"], "top": "b.root"}, "the pattern of file names of each"),
        ("class_files", "a.root", "the pattern of file names of each class, got 'a.root'"),
        ("tree", ["a"], "Columns.tree: expected one name"),
        ("unit", ["GeV"], r"'GeV' or 'MeV', got \['GeV'\]"),
        ("classes", [["a"], {}], r"a name in Columns.classes: expected text, got \['a'\]"),
        ("classes", None, "Columns.classes: expected a list of names, got None"),
        ("classes", True, "Columns.classes: expected a list of names, got True"),
        ("classes", ["a", ""], "a name in Columns.classes: expected text, got ''"),
        ("context", {1: "x"}, "a name in Columns.context: expected text, got 1"),
        ("class_files", {1: "a.root"}, "the pattern of file names of each"),
        ("cut", {"a": "b"}, "the name of a column or an expression"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_values_of_the_wrong_kind_are_refused_with_their_name(name, value, message):
    plain = PRESETS["hepml"].to_dict() | {name: value}
    with pytest.raises(InputError, match=message):
        Columns.from_dict(plain)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("kind", [], "Collection.kind: expected text, got \\[\\]"),
        ("kind", {"a": 1}, "Collection.kind: expected text"),
        ("features", {None: "x"}, "a name in Collection.features: expected text, got None"),
        ("index", {}, "JetIndex.jets: expected the name of a column"),
        ("index", {"jets": "Jet_pt"}, "JetIndex.jet: expected the name of a column"),
        ("index", [1], "JetIndex: expected a mapping"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_values_of_a_collection_of_the_wrong_kind(name, value, message):
    with pytest.raises(InputError, match=message):
        Columns.from_dict({"collections": {"momentum": CARTESIAN, name: value}})


def test_plain_values_without_end_are_refused():
    itself = []
    itself.append(itself)
    many = "x"
    for _ in range(20):
        many = [many] * 9
    for value in (itself, many, {"a": many}):
        with pytest.raises(InputError, match="at most 100,000 values"):
            Columns.from_dict({"collections": {"momentum": CARTESIAN}, "classes": value})


def test_columns_out_of_yaml(tmp_path):
    path = tmp_path / "columns.yaml"
    path.write_text(yaml.safe_dump(FULL.to_dict()))
    assert Columns.from_yaml(str(path)) == FULL
