"""TTrees and RNTuples: uproot and awkward are the oracle; files are spoilt one way at a time."""

import awkward as ak
import numpy as np
import pytest
import uproot
from uproot.interpretation.identify import UnknownInterpretation

from hepml.errors import ColumnError, DataError, FileError
from hepml.io import Location, locate, open_table
from hepml.io.formats._root import open_root
from hepml.io.formats._root_file import open_directory, tree_names


@pytest.fixture(params=["ttree", "rntuple"])
def kind(request):
    return request.param


def test_columns_of_all_shapes(tmp_path, write, kind):
    jagged = ak.Array([[1.5, 2.5], [], [3.5]])
    fixed = np.arange(6, dtype=np.float32).reshape(3, 2)
    numbers = np.array([7, 8, 9], np.int16)
    table = open_root(
        Location(write(tmp_path / "a.root", {"j": jagged, "f": fixed, "n": numbers}, kind=kind))
    )
    assert table.entries == 3
    read = table.read(["j", "f", "n"], 0, 3)
    np.testing.assert_array_equal(read["j"].values, [1.5, 2.5, 3.5])
    np.testing.assert_array_equal(read["j"].offsets, [0, 2, 2, 3])
    np.testing.assert_array_equal(read["f"].values, fixed)
    np.testing.assert_array_equal(read["n"].values, numbers)
    assert [read[name].per_entry for name in "jfn"] == [False, False, True]
    assert [read[name].padded for name in "jfn"] == [False, True, False]
    assert read["j"].offsets.dtype == np.int64


def test_ranges_start_their_offsets_at_zero(tmp_path, write, jets, kind):
    branches = jets([3, 0, 5, 2, 4, 1])
    table = open_root(Location(write(tmp_path / "a.root", branches, kind=kind, clusters=[4])))
    for start, stop in ((0, 6), (1, 3), (2, 6), (5, 6), (3, 3)):
        column = table.read(["part_px"], start, stop)["part_px"]
        expected = branches["part_px"][start:stop]
        assert column.offsets[0] == 0
        np.testing.assert_array_equal(np.diff(column.offsets), ak.num(expected))
        np.testing.assert_array_equal(column.values, ak.flatten(expected))


def test_bounds_are_those_of_the_clusters(tmp_path, write, jets, kind):
    table = open_root(Location(write(tmp_path / "a.root", jets([2] * 9), kind=kind, clusters=[3])))
    assert list(table.bounds(["part_px", "label"])) == [0, 3, 9]


def test_types_say_what_a_user_would_read_in(tmp_path, write, jets, kind):
    types = open_root(Location(write(tmp_path / "a.root", jets([1]), kind=kind))).types()
    assert "float" in types["part_px"]
    assert "int8" in types["label"]


def test_a_tree_is_chosen_by_name_or_by_being_alone(tmp_path, write, jets):
    path = tmp_path / "two.root"
    with uproot.recreate(path) as file:
        file["tree"] = {"x": np.zeros(2)}
        file["deep/other"] = {"x": np.zeros(3)}
        file["text"] = "no tree"
    assert open_root(Location(str(path), "deep/other")).entries == 3
    assert open_root(Location(str(path)), "tree").entries == 2
    assert open_root(Location(str(path), "tree;1")).entries == 2
    assert open_root(Location(str(path), "tree"), "deep/other").entries == 2
    assert set(tree_names(open_directory(str(path)))) == {"tree", "deep/other"}
    with pytest.raises(ColumnError, match=r"or the name of one, got the trees tree, deep/other"):
        open_root(Location(str(path)))
    with pytest.raises(ColumnError, match=r"a tree 'Events', got the trees tree, deep/other"):
        open_root(Location(str(path), "Events"))
    assert open_root(Location(write(tmp_path / "one.root", jets([1]), "any"))).tree == "any"


def test_a_file_without_a_tree(tmp_path):
    with uproot.recreate(tmp_path / "none.root") as file:
        file["text"] = "no tree"
    with pytest.raises(ColumnError, match="got no tree or RNTuple"):
        open_root(Location(str(tmp_path / "none.root")))


@pytest.mark.parametrize("content", [b"", b"not ROOT at all", b"root\0\0", bytes(400)])
def test_a_file_that_is_not_root(tmp_path, content):
    path = tmp_path / "bad.root"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"bad\.root.*expected a ROOT file") as refused:
        open_root(Location(str(path)))
    assert "\n" not in str(refused.value)
    if not content.startswith(b"root"):
        began = f"one that begins with {content[:4]!r}" if content else "an empty file"
        assert f"got {began}. Fix: name a ROOT file" in str(refused.value)


@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_one_clear_error(tmp_path, write, jets, fraction):
    whole = tmp_path / "whole.root"
    write(whole, jets([20] * 400))
    cut = tmp_path / "cut.root"
    content = whole.read_bytes()
    cut.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(FileError, match=r"cut\.root.*(truncated|cut off)") as refused:
        open_root(Location(str(cut)))
    assert "\n" not in str(refused.value)


def test_a_basket_of_rubbish_names_the_file_and_the_entries(tmp_path, write, jets):
    path = tmp_path / "rotten.root"
    write(path, jets([20] * 100))
    with uproot.open(path) as file:
        branch = file["tree/part_py"]
        seek, size = int(branch.member("fBasketSeek")[0]), int(branch.member("fBasketBytes")[0])
    content = bytearray(path.read_bytes())
    content[seek + size // 2 : seek + size] = bytes(
        255 - b for b in content[seek + size // 2 : seek + size]
    )
    path.write_bytes(content)
    table = open_root(Location(str(path)))
    assert len(table.read(["part_px"], 0, 100)["part_px"].values) == 2000
    expected = r"rotten\.root:tree, entries 0 to 100, column 'part_py'.*readable data"
    with pytest.raises(FileError, match=expected):
        table.read(["part_px", "part_py"], 0, 100)


def test_branches_that_hold_no_numbers_are_refused(tmp_path, data):
    with uproot.recreate(tmp_path / "text.root") as file:
        file.mkrntuple("tree", ak.Array({"name": ["a", "b"], "deep": [[[1.0]], [[], [2.0]]]}))
    table = open_table(Location(str(tmp_path / "text.root")))
    with pytest.raises(ColumnError, match=r"column 'name'.*got entries of type string"):
        table.read(["name"], 0, 2)
    with pytest.raises(ColumnError, match=r"column 'deep'.*got entries of type var"):
        table.read(["deep"], 0, 2)
    table = open_table(Location(str(data / "atlas-physlite" / "PHYSLITE_example.root")))
    with pytest.raises(ColumnError, match=r"EnergyPerSampling'.*got entries of type var"):
        table.read(["AnalysisJetsAuxDyn.EnergyPerSampling"], 0, 2)


def test_delphes_branches_have_a_short_and_a_full_name(data):
    file = Location(str(data / "delphes" / "events_delphes_example.root"))
    table = open_root(file, "Delphes")
    read = table.read(["Jet.PT", "Jet/Jet.PT"], 0, 10)
    with uproot.open(file.path) as directory:
        expected = directory["Delphes/Jet/Jet.PT"].array()
    for column in read.values():
        np.testing.assert_array_equal(column.values, ak.flatten(expected))


def test_an_rntuple_of_nanoaod_agrees_with_uproot(data):
    path = str(data / "cms-nanoaod" / "nanoAOD_2015_ttbar_RNTuple.root")
    names = ["Jet_pt", "Muon_eta", "nJet", "genWeight", "event"]
    read = open_root(Location(path)).read(names, 3, 9)
    with uproot.open(path) as file:
        for name in names:
            expected = file["Events"][name].array()[3:9]
            np.testing.assert_array_equal(read[name].values, ak.flatten(expected, axis=None))
            if expected.ndim > 1:
                np.testing.assert_array_equal(np.diff(read[name].offsets), ak.num(expected))
    assert len(read["Jet_pt"].values) == int(read["nJet"].values.sum())


@pytest.mark.parametrize("offsets", [[0, 3, 1, 4], [0, 2, 3, 9]])
def test_damaged_bounds_of_lists(tmp_path, offsets):
    path = str(tmp_path / "file.root")
    with uproot.recreate(path) as file:
        file.mktree("tree", {"x": "f4"})
        file["tree"].extend({"x": np.zeros(3, np.float32)})
    table = open_root(Location(path))
    content = ak.contents.NumpyArray(np.arange(4.0))
    damaged = ak.contents.ListOffsetArray(ak.index.Index64(np.array(offsets)), content)
    with pytest.raises(FileError, match=r"tree, column 'x'.*bounds that fall or point behind"):
        table._jagged(damaged, "x")


@pytest.fixture
def three(tmp_path):
    """A tree with two branches in three baskets."""
    path = str(tmp_path / "file.root")
    with uproot.recreate(path) as file:
        tree = file.mktree("tree", {"x": "f4", "y": "f4"})
        for i in range(3):
            tree.extend({"x": np.arange(2, dtype="f4") + 2 * i, "y": np.zeros(2, "f4")})
    return open_root(Location(path))


def test_a_branch_that_nobody_asked_for_may_be_unreadable(three):
    members = three._branches["y"].members
    members["fBasketEntry"] = members["fBasketEntry"].copy()
    members["fBasketEntry"][3] = 5
    assert three.bounds(["x"]) == [0, 2, 4, 6]
    assert three.read(["x"], 0, 6)["x"].values.tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(FileError, match=r"file\.root:tree.*readable list of baskets"):
        three.bounds(["x", "y"])


@pytest.mark.parametrize("error", [ValueError, KeyError, UnknownInterpretation("what?", "f", "o")])
def test_a_branch_that_uproot_cannot_make_sense_of_is_no_reason_not_to_read_others(
    three, monkeypatch, error
):
    kind = type(three._branches["y"])

    def interpretation(branch, get=kind.interpretation.fget):
        if branch.name == "y" and isinstance(error, UnknownInterpretation):
            return error
        if branch.name == "y":
            raise error("a streamer of another kind")
        return get(branch)

    monkeypatch.setattr(kind, "interpretation", property(interpretation))
    assert three.read(["x"], 0, 6)["x"].values.tolist() == [0, 1, 2, 3, 4, 5]
    assert set(three.types()) == {"x", "y"}
    with pytest.raises(ColumnError, match=r"column 'y'.*a type that uproot does not know"):
        three.read(["x", "y"], 0, 6)


def test_a_header_that_uproot_cannot_decode_says_what_uproot_says(tmp_path, monkeypatch):
    path = str(tmp_path / "file.root")
    with uproot.recreate(path) as file:
        file.mktree("tree", {"x": "f4"})
    finish = uproot.behaviors.TBranch.TBranch.postprocess

    def fail(branch, chunk, cursor, context, file):
        finish(branch, chunk, cursor, context, file)
        text = "expected 84 bytes but got 80"
        raise uproot.DeserializationError(text, chunk, cursor, context, file.file_path)

    monkeypatch.setattr(uproot.behaviors.TBranch.TBranch, "postprocess", fail)
    message = "expected a readable tree, got DeserializationError: expected 84 bytes but got 80"
    with pytest.raises(FileError, match=message):
        open_root(Location(path))


def test_a_branch_shorter_than_its_tree_is_refused_with_both_numbers(three):
    three._branches["y"].members["fEntries"] = 4
    assert len(three.read(["x"], 0, 6)["x"].values) == 6
    with pytest.raises(DataError, match=r"column 'y': expected 6 entries, as its tree has, got 4"):
        three.read(["x", "y"], 0, 6)


def test_a_branch_that_uproot_finds_under_no_name_is_read(three, monkeypatch):
    get = three._object.get
    monkeypatch.setattr(three._object, "get", lambda key: None if key == "y" else get(key))
    read = three.read(["x", "y"], 2, 4)
    assert [column.values.tolist() for column in read.values()] == [[2, 3], [0, 0]]


@pytest.mark.parametrize("asked", ["a:b", "/a:b", "a:b;1", "deep/a:b", "/deep/a:b;1"])
def test_a_tree_whose_name_has_a_colon(tmp_path, asked):
    path = str(tmp_path / "colon.root")
    with uproot.recreate(path) as file:
        for name, entries in (("a:b", 2), ("deep/a:b", 3)):
            file.mktree(name, {"x": "f4"}).extend({"x": np.zeros(entries, np.float32)})
    table = open_table(*locate(f"{path}:{asked}"))
    assert table.entries == (3 if "deep" in asked else 2)
    with pytest.raises(ColumnError, match=r"expected a tree 'a:b;7'") as refused:
        open_table(*locate(f"{path}:a:b;7"))
    # What the message proposes works when it is pasted.
    proposed = str(refused.value).partition("as in '")[2].partition("'")[0]
    assert open_table(*locate(proposed)).entries == 2


def test_the_parent_of_branches_says_what_it_consists_of(data):
    table = open_root(Location(str(data / "fcc-edm4hep" / "test_FCC_Winter2023.root")), "events")
    name = "ReconstructedParticles"
    with pytest.raises(ColumnError, match=rf"{name}'.*got a group of 20 branches") as refused:
        table.read([name], 0, 2)
    proposed = str(refused.value).partition("consists of: ")[2].split("'")[1::2]
    assert proposed
    assert len(table.read(proposed, 0, 2)) == len(proposed)


def test_members_of_objects_are_columns(data):
    path = str(data / "delphes" / "events_delphes_example.root")
    table = open_root(Location(path), "Delphes")
    names = ["Jet.Area.fP.fX", "Jet.Area.fE", "Jet/Jet.Area.fP.fZ"]
    read = table.read(names, 1, 9)
    with uproot.open(path) as directory:
        area = directory["Delphes/Jet/Jet.Area"].array(entry_start=1, entry_stop=9)
    for name, expected in zip(names, (area.fP.fX, area.fE, area.fP.fZ), strict=True):
        np.testing.assert_array_equal(read[name].values, ak.flatten(expected))
        np.testing.assert_array_equal(np.diff(read[name].offsets), ak.num(expected))
    assert table.types()["Jet.Area.fE"] == "float64[]"
    with pytest.raises(ColumnError, match=r"consists of: 'Jet/Jet\.Area\.fP\.fX'"):
        table.read(["Jet.Area"], 0, 2)


def test_a_class_beyond_uproot_is_no_damage(data):
    path = str(data / "classics" / "l1pf_pair_tlorentzvector.root")
    table = open_root(Location(path))
    branch = table._branches["recojet"]
    branch.__dict__["array"] = None  # what calling it raises is what a decoder stumbles over
    with pytest.raises(ColumnError, match=r"type std::vector<pair<.*cannot be decoded \("):
        table.read(["recojet"], 0, 1)


@pytest.mark.parametrize(
    ("file", "tree"),
    [("delphes/delphes_eflow_uproot513.root", "Delphes"), ("classics/uproot-HZZ-zstd.root", None)],
)
def test_every_column_gives_values_or_a_reason(data, file, tree):
    table = open_root(Location(str(data / file)), tree)
    read = 0
    for name in table.names():
        try:
            column = table.read([name], 0, 3)[name]
        except ColumnError:
            continue
        read += 1
        assert column.values.dtype.kind in "biuf"
        assert len(column.values if column.offsets is None else column.offsets[1:]) == 3
    assert read > len(table.names()) / 2
