"""Names of files: patterns, lists, trees, and clear errors for what is no file."""

import asyncio
import threading
from pathlib import Path

import pytest
import torch

from hepml.errors import FileError
from hepml.io import Location, locate, read


@pytest.fixture
def folder(tmp_path):
    for name in ("b_2.root", "b_10.root", "a.root", "with:colon.root", "data", "odd[1].root"):
        (tmp_path / name).touch()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.root").touch()
    return tmp_path


def names(locations):
    return [Path(location.path).name for location in locations]


def test_a_file_a_path_and_a_list(folder):
    file = folder / "a.root"
    assert locate(str(file)) == locate(file) == locate([file]) == [Location(str(file), None)]
    assert names(locate([folder / "b_2.root", str(file)])) == ["b_2.root", "a.root"]


def test_patterns_are_sorted_and_keep_their_place_in_a_list(folder):
    assert names(locate(f"{folder}/b_*.root")) == ["b_10.root", "b_2.root"]
    both = locate([f"{folder}/b_*.root", f"{folder}/a.root"])
    assert names(both) == ["b_10.root", "b_2.root", "a.root"]
    assert names(locate(f"{folder}/**/c.root")) == ["c.root"]


@pytest.mark.parametrize(
    "tree", ["tree", "folder/tree", "/folder/tree", "tree;3", "RNT:Tree", "a:b/c:d;1"]
)
def test_a_tree_after_a_colon(folder, tree):
    assert locate(f"{folder}/a.root:{tree}") == [Location(f"{folder}/a.root", tree)]
    assert {location.tree for location in locate(f"{folder}/b_*.root:{tree}")} == {tree}


def test_existing_names_are_taken_as_they_are(folder):
    assert names(locate(folder / "with:colon.root")) == ["with:colon.root"]
    assert names(locate(folder / "odd[1].root")) == ["odd[1].root"]
    assert names(locate(folder / "data")) == ["data"]
    assert locate(f"{folder}/with:colon.root:T:1") == [Location(f"{folder}/with:colon.root", "T:1")]
    assert locate(f"{folder}/data:tree") == [Location(f"{folder}/data", "tree")]


def test_home_is_expanded(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert locate("~/a.root:t") == [Location(f"{folder}/a.root", "t")]


def test_a_location_reads_like_what_named_it():
    assert str(Location("a.root", "t")) == "a.root:t"
    assert str(Location("a.root")) == "a.root"


@pytest.mark.parametrize(
    ("name", "path", "tree"),
    [
        ("https://host:8080/file.root", "https://host:8080/file.root", None),
        ("https://host.org:8080/x/file.root:Events", "https://host.org:8080/x/file.root", "Events"),
        ("http://host.org/file.root", "http://host.org/file.root", None),
        ("root://host//x/file.root:a:b/c", "root://host//x/file.root", "a:b/c"),
        ("root://host.org:1094//x/file.dat:T", "root://host.org:1094//x/file.dat", "T"),
        ("http://host.org:80", "http://host.org:80", None),
    ],
)
def test_remote_files_with_port_and_tree(monkeypatch, name, path, tree):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    assert locate(name) == [Location(path, tree)]


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("root://host:1094//store/file.root:Events", "fsspec-xrootd"),
        ("https://host/file.root", "aiohttp"),
        ("s3://bucket/file.root", "s3fs"),
    ],
)
def test_a_protocol_without_its_package_says_which(monkeypatch, name, package):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(FileError, match=rf"none installed\. Fix: pip install {package}\.$"):
        locate(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.root", r"file 'missing\.root'.*no such file.*the present directory"),
        ("missing.root:tree", r"file 'missing\.root'.*no such file"),
        ("*.nothing", r"pattern '\*\.nothing'.*no match"),
        (".", r"expected a file, got a directory.*\*\.root"),
        ("gopher://host/file.root", "gopher://"),
        ([], "one file or more, got none"),
    ],
)
def test_what_is_no_file_is_one_clear_error(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=message) as refused:
        locate(name)
    assert "\n" not in str(refused.value)


def test_a_file_over_http(tmp_path, write, jets):
    web = pytest.importorskip("aiohttp.web", reason="needs aiohttp")
    path = write(tmp_path / "jets.root", jets([3, 0, 2]))
    started, stopped = threading.Event(), threading.Event()
    port = []

    async def serve():
        application = web.Application()
        application.router.add_static("/", tmp_path)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.append(runner.addresses[0][1])
        started.set()
        while not stopped.is_set():
            await asyncio.sleep(0.01)
        await runner.cleanup()

    server = threading.Thread(target=asyncio.run, args=(serve(),))
    server.start()
    try:
        assert started.wait(10)
        particles = read(f"http://127.0.0.1:{port[0]}/jets.root:tree", "hepml")
        assert torch.equal(particles.p4, read(path, "hepml").p4)
        with pytest.raises(FileError, match=r"check the address and the network"):
            read(f"http://127.0.0.1:{port[0]}/missing.root", "hepml")
    finally:
        stopped.set()
        server.join()


def test_remote_patterns_are_refused(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    with pytest.raises(FileError, match="list remote files by name"):
        locate("https://host/*.root")
