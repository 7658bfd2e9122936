"""Binding columns to a table: what is missing, and labels that go by file."""

import numpy as np
import pytest

from hepml.errors import ColumnError, DataError, InputError
from hepml.io import PRESETS, Collection, Columns, JetIndex, locate, open_table
from hepml.io.chunks._binding import bind

PLAIN = Collection({"E": "part_energy", "px": "part_px", "py": "part_py", "pz": "part_pz"})


@pytest.fixture(scope="module")
def table(small):
    return open_table(locate(small[0])[0])


def test_only_what_is_needed_is_read(table):
    bound = bind(PRESETS["hepml"].with_features(["charge"]), table)
    assert set(bound.names) == {
        *("part_energy", "part_px", "part_py", "part_pz", "part_charge", "label")
    }
    assert "label" not in bind(PRESETS["hepml"].without_labels(), table).names


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"cut": "jet_p > 3"}, "'jet_p' (cut)"),
        ({"label": "lable", "classes": ("a", "b")}, "'lable' (label)"),
        ({"classes": {"a": "label == 0", "b": "lable"}}, "'lable' (class b)"),
        ({"weights": "log(jet_p)"}, "'jet_p' (weights)"),
        ({"context": {"pt": "jet_p"}}, "'jet_p' (context pt)"),
        ({"collections": [Collection(PLAIN.momentum | {"E": "part_e"})]}, "'part_e' (E)"),
        ({"collections": [Collection(PLAIN.momentum, {"q": "charge"})]}, "'charge' (feature q)"),
        (
            {"collections": [Collection(PLAIN.momentum, cut="part_charg")]},
            "'part_charg' (cut on particles)",
        ),
        (
            {"collections": [Collection(PLAIN.momentum, index=JetIndex("jet_p", "label"))]},
            "'jet_p' (index.jets)",
        ),
    ],
)
def test_a_missing_column_says_what_it_was_for(table, change, where):
    columns = Columns(**{"collections": [PLAIN]} | change)
    with pytest.raises(ColumnError) as missing:
        bind(columns, table)
    assert where in str(missing.value)
    assert "the nearest are" in str(missing.value)


def test_arithmetic_on_nothing_known_is_refused(table):
    with pytest.raises(InputError, match="the function 'logg'"):
        bind(Columns(Collection(PLAIN.momentum, {"x": "logg(part_px)"})), table)


def test_labels_by_file(tmp_path, write, jets):
    (tmp_path / "qcd").mkdir()
    files = [
        write(tmp_path / name, jets([1]))
        for name in ("qcd/jets.root", "top_1.root", "both_qcd_top.root", "other.root")
    ]
    columns = Columns(PLAIN, class_files={"qcd": "*qcd*", "top": "top_*.root"})
    labels = [bind(columns, open_table(locate(file)[0])).file_label for file in files[:2]]
    assert labels == [0, 1]
    with pytest.raises(DataError, match=r"other\.root.*qcd '\*qcd\*', top.*got no match"):
        bind(columns, open_table(locate(files[3])[0]))
    both = Columns(PLAIN, class_files={"qcd": "*qcd*", "top": "*top*"})
    with pytest.raises(DataError, match="got a match with qcd, top"):
        bind(both, open_table(locate(files[2])[0]))


def test_the_file_is_known_by_any_spelling(tmp_path, write, jets, monkeypatch):
    write(tmp_path / "top.root", jets([1]))
    monkeypatch.chdir(tmp_path)
    for pattern in ("top.root", "*/top.root", f"{tmp_path}/t*"):
        columns = Columns(PLAIN, class_files={"top": pattern, "qcd": "qcd*"})
        assert bind(columns, open_table(locate("top.root")[0])).file_label == 0
    assert np.all([bind(columns, open_table(locate("top.root")[0])).label is None])
