"""Datasets of records in HDF5: jets, and their tracks in fixed arrays with a field ``valid``."""

import os
from pathlib import Path

import numpy as np
import pytest

from hepml.errors import ColumnError, DataError
from hepml.io import Collection, Columns, Padding, contents_of, iterate, read
from hepml.io.formats._files import locate
from hepml.io.formats._open import open_table

h5py = pytest.importorskip("h5py", reason="needs h5py")

COUNTS = np.array([2, 0, 3, 1, 3])
MOMENTUM = {"pt": "pt", "eta": "eta + 0 * jet_eta", "phi": "0", "mass": "0.139"}
COLUMNS = Columns(
    Collection(MOMENTUM, features={"hits": "hits"}, padding=Padding(mask="valid")),
    tree="jets+tracks",
    label="flavour == 5",
    classes=["light", "b"],
    context={"x": "extra"},
)


def contents():
    """Jets and tracks, with numbers that are no padding where tracks are not valid."""
    random = np.random.default_rng(2)
    jets = np.zeros(5, [("jet_eta", "f4"), ("flavour", "i4"), ("extra", "f2"), ("name", "S3")])
    jets["flavour"], jets["extra"] = [0, 5, 4, 5, 15], np.arange(5) / 2
    kinds = [("pt", "f4"), ("eta", "f4"), ("hits", "u1"), ("valid", "?"), ("cov", "f4", (3,))]
    tracks = np.zeros((5, 3), kinds)
    for name in ("pt", "eta"):
        tracks[name] = random.uniform(1, 2, (5, 3))
    tracks["hits"] = 200
    tracks["valid"] = np.arange(3) < COUNTS[:, None]
    return jets, tracks


@pytest.fixture
def file(tmp_path):
    path, (jets, tracks) = tmp_path / "a.h5", contents()
    with h5py.File(path, "w") as file:
        file.create_dataset("jets", data=jets, chunks=(2,), compression="gzip")
        file.create_dataset("tracks", data=tracks, chunks=(2, 3))
        file["plain"] = np.ones(7)
    return str(path)


@pytest.mark.parametrize("step", [1, 3, 8])
def test_tracks_of_jets(file, step):
    parts = [chunk.particles for chunk in iterate(file, COLUMNS, step=step)]
    _, tracks = contents()
    valid = tracks["valid"]
    pt = np.concatenate([part.p4[:, 1:3].norm(dim=1).numpy() for part in parts])
    np.testing.assert_allclose(pt, tracks["pt"][valid], 1e-6)
    assert np.concatenate([part.counts for part in parts]).tolist() == COUNTS.tolist()
    assert np.concatenate([part.labels for part in parts]).tolist() == [0, 1, 0, 1, 0]
    assert np.concatenate([part.context for part in parts]).ravel().tolist() == [0, 0.5, 1, 1.5, 2]
    assert {*np.concatenate([part.features for part in parts]).ravel().tolist()} == {200.0}


def test_one_dataset_by_its_name(file):
    alone = Columns(Collection(MOMENTUM | {"eta": "eta"}, padding=Padding(mask="valid")))
    assert read(f"{file}:tracks", alone).counts.tolist() == COUNTS.tolist()
    with pytest.raises(ColumnError, match=r"the tables jets, tracks.* or several: 'jets\+tracks'"):
        read(file, alone)


@pytest.mark.parametrize("name", ["name", "cov"])
def test_what_is_no_number_or_fixed_array_is_refused(file, name):
    part = Collection(MOMENTUM, features={"f": name}, padding=Padding(mask="valid"))
    with pytest.raises(ColumnError, match=rf"column '{name}': expected numbers, one or a fixed"):
        read(file, COLUMNS.replace(collections=[part]))


def test_padding_that_nobody_told_is_refused(file):
    with h5py.File(file, "r+") as opened:
        tracks = opened["tracks"][()]
        for name in ("pt", "eta"):
            tracks[name][~tracks["valid"]] = -999
        opened["tracks"][()] = tracks
    with pytest.raises(DataError, match=r"entry 0, momentum \(pt, eta.*-999 in the last"):
        read(file, COLUMNS.replace(collections=[Collection(MOMENTUM)]))


def test_bounds_are_those_of_the_chunks(file):
    with open_table(locate(f"{file}:tracks")[0]) as table:
        assert list(table.bounds(["pt"])) == [0, 2, 4, 5]
        assert table.names() == ["pt", "eta", "hits", "valid", "cov"]
    assert [tree.name for tree in contents_of(locate(file)[0]).trees] == ["jets", "plain", "tracks"]


def test_datasets_of_other_lengths_do_not_belong_together(file):
    with h5py.File(file, "r+") as opened:
        opened["few"] = contents()[0][:3]
    with pytest.raises(DataError, match="5 in tracks, 3 in few"):
        read(f"{file}:tracks+few", COLUMNS.replace(tree=None))


@pytest.mark.skipif("HEPML_TEST_DATA" not in os.environ, reason="HEPML_TEST_DATA is not set")
def test_tracks_of_an_atlas_file():
    path = Path(os.environ["HEPML_TEST_DATA"]) / "ftag-mock" / "file1.h5"
    momentum = {"pt": "1 / abs(qOverP)", "eta": "deta", "phi": "dphi", "mass": "0.13957"}
    columns = Columns(Collection(momentum, padding=Padding(mask="valid")), tree="jets+tracks")
    with h5py.File(path) as opened:
        expected = opened["tracks"]["valid"].sum(axis=1)
    assert read(str(path), columns).counts.tolist() == expected.tolist()
