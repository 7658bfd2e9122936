"""The bytes of a file: plain reads are the oracle."""

import os
from queue import Queue

import numpy as np
import pytest
import uproot

from hepml.io.formats._root_source import PlainSource


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(256)) * 8)
    return path


def test_chunks_are_the_bytes_of_their_ranges(file):
    content = file.read_bytes()
    with PlainSource(str(file)) as source:
        assert source.num_bytes == len(content) == 2048
        announced = Queue()
        ranges = [(0, 10), (2040, 2048), (7, 7)]
        chunks = source.chunks(ranges, announced)
        assert [announced.get() for _ in ranges] == chunks
        for (start, stop), chunk in zip(ranges, chunks, strict=True):
            assert bytes(chunk.raw_data) == content[start:stop]
        assert source.num_requested_bytes == 18
    assert source.closed
    with pytest.raises(OSError, match="is closed"):
        source.chunk(0, 1)
    with pytest.raises(FileNotFoundError):
        PlainSource(str(file) + ".missing")


def test_bytes_behind_the_end_are_an_error(file):
    with PlainSource(str(file)) as source:
        os.truncate(file, 100)
        with pytest.raises(OSError, match="expected Chunk of length 20"):
            source.chunk(90, 110).wait()


def test_reads_that_come_in_pieces(file, monkeypatch):
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda file, size, start: pread(file, min(size, 700), start))
    with PlainSource(str(file)) as source:
        assert bytes(source.chunk(3, 2000).raw_data) == file.read_bytes()[3:2000]


def test_a_tree_is_read_without_threads(tmp_path):
    with uproot.recreate(tmp_path / "a.root") as out:
        out.mktree("tree", {"x": "f8"}).extend({"x": np.arange(50.0)})
    with uproot.open(tmp_path / "a.root", handler=PlainSource) as directory:
        assert directory["tree/x"].array(library="np").tolist() == list(range(50))
    assert directory.file.source.closed
