"""Checksums of RNTuples: a file that ROOT wrote is the oracle, and is spoilt one bit at a time."""

import shutil

import numpy as np
import pytest
import xxhash

from hepml.errors import FileError
from hepml.io import Location
from hepml.io.formats._root import open_root
from hepml.io.formats._root_checksums import checked_pages, intact
from hepml.io.formats._root_source import PlainSource


def sealed(content):
    return content + xxhash.xxh3_64_intdigest(content).to_bytes(8, "little")


def test_any_bit_breaks_a_checksum():
    content = sealed(b"hadrons")
    assert intact(content)
    for bit in range(8 * len(content)):
        spoilt = bytearray(content)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert not intact(bytes(spoilt))


def test_a_source_compares_the_pages_that_it_knows(tmp_path):
    (tmp_path / "pages").write_bytes(b"head" + sealed(b"first") + sealed(b"second")[:-1] + b"x")
    with PlainSource(str(tmp_path / "pages")) as source:
        source.pages = {4: 5, 17: 6}
        assert bytes(source.chunk(4, 9).raw_data) == b"first"
        assert bytes(source.chunk(17, 22).raw_data) == b"secon"
        with pytest.raises(OSError, match="checksum of the page at byte 17 does not match"):
            source.chunk(17, 23)


@pytest.fixture(scope="module")
def nano(data, tmp_path_factory):
    """The path of a copy of a real file, one of its columns and the pages of the whole."""
    path = tmp_path_factory.mktemp("rntuple") / "nano.root"
    shutil.copy(data / "cms-nanoaod" / "nanoAOD_2015_ttbar_RNTuple.root", path)
    with open_root(Location(str(path))) as table:
        pages = checked_pages(table._object.ntuple)
        return path, table.read(["Jet_pt"], 0, table.entries)["Jet_pt"], pages


def test_every_page_of_a_real_file_has_its_checksum(nano):
    path, _, pages = nano
    content = path.read_bytes()
    assert len(pages) == 449
    assert all(intact(content[start : start + size + 8]) for start, size in pages.items())


@pytest.mark.slow
def test_a_bit_in_a_page_is_noticed_when_the_page_is_read(nano, monkeypatch):
    path, whole, pages = nano
    content = path.read_bytes()
    asked, chunk = [], PlainSource.chunk
    monkeypatch.setattr(
        PlainSource,
        "chunk",
        lambda self, start, stop: asked.append(start) or chunk(self, start, stop),
    )
    with open_root(Location(str(path))) as table:
        asked.clear()
        np.testing.assert_array_equal(table.read(["Jet_pt"], 0, 10)["Jet_pt"].values, whole.values)
    read = [start for start in asked if start in pages]
    assert len(read) == 2  # bounds and values
    for start in read:
        spoilt = bytearray(content)
        spoilt[start + pages[start] // 2] ^= 4
        path.write_bytes(spoilt)
        with open_root(Location(str(path))) as table:
            expected = rf"column 'Jet_pt'.*checksum of the page at byte {start} does not match"
            with pytest.raises(FileError, match=expected):
                table.read(["Jet_pt"], 0, 10)
            assert len(table.read(["genWeight"], 0, 10)["genWeight"].values) == 10
    path.write_bytes(content)


def test_a_bit_in_the_list_of_pages_is_noticed(nano, monkeypatch):
    path, _, _ = nano
    monkeypatch.setattr("hepml.io.formats._root_checksums.intact", lambda _: False)
    with pytest.raises(FileError, match="checksum of the list of pages does not match"):
        open_root(Location(str(path)))
