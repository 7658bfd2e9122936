"""Files are closed as soon as nobody reads them, without the help of the garbage collector."""

import gc
from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest
import uproot

from hepml.errors import ColumnError, DataError
from hepml.io import (
    PRESETS,
    ParticleStream,
    count_entries,
    iterate,
    locate,
    open_table,
    read,
    recognise,
)
from hepml.io._open_files import OpenFiles

COLUMNS = PRESETS["hepml"]
# What is mapped into this process's memory.
MAPS = Path("/proc/self/maps")


@pytest.fixture(scope="module")
def files(tmp_path_factory, write, jets):
    """Twelve files in clusters of ten."""
    folder = tmp_path_factory.mktemp("opened")
    return [
        write(folder / f"jets_{i:02}.root", jets([2] * 40, seed=i), clusters=[10, 20, 30])
        for i in range(12)
    ]


@pytest.fixture
def uncollected():
    """Nothing is freed but by the count of its references."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def open_now(files):
    """The files that are mapped into memory."""
    maps = MAPS.read_text()
    return [Path(file).name for file in files if str(file) in maps]


def first_of(chunks):
    """The first chunk of many, the others left unread."""
    return next(iter(chunks))


def refused(read_all):
    """Run into a bad file."""
    with pytest.raises((ColumnError, DataError)):
        read_all()


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    "use",
    [
        lambda files: read(files, COLUMNS),
        lambda files: first_of(iterate(files, COLUMNS, step=10)),
        lambda files: recognise(files[0]),
        lambda files: count_entries(files, COLUMNS),
        lambda files: list(ParticleStream(files, COLUMNS, batch_size=7, step=10)),
        lambda files: list(ParticleStream(files, COLUMNS, batch_size=7, shuffle=True)),
        lambda files: first_of(ParticleStream(files, COLUMNS, batch_size=7, step=10)),
        lambda files: refused(lambda: read(files, COLUMNS.replace(weights="no_such_branch"))),
        lambda files: refused(lambda: read(files, COLUMNS.replace(label="number"))),
    ],
    ids=["read", "iterate", "recognise", "count", "stream", "shuffle", "left", "column", "label"],
)
def test_nothing_stays_open(files, use):
    use(files)
    assert open_now(files) == []


@pytest.mark.usefixtures("uncollected")
def test_few_files_are_open_while_many_are_read(files):
    with closing(iterate(files, COLUMNS, step=10)) as chunks:
        most = [len(open_now(files)) for _ in chunks]
    # One that is read, one that was, and one ahead.
    assert 1 <= max(most) <= 3


@pytest.mark.usefixtures("uncollected")
def test_a_file_in_use_is_not_closed(files):
    with OpenFiles(locate(files), COLUMNS, keep=1) as opened:
        with opened.use(0) as bound:
            for other in (1, 2, 3):
                with opened.use(other):
                    pass
            assert open_now(files) == ["jets_00.root", "jets_03.root"]
            assert len(bound.table.read(["label"], 0, 40)["label"].values) == 40
        assert open_now(files) == ["jets_00.root"]
    assert open_now(files) == []


@pytest.mark.usefixtures("uncollected")
def test_two_threads_share_a_file(files):
    barrier, found = Barrier(2, timeout=5), []

    def use(opened):
        with opened.use(5) as bound:
            barrier.wait()
            found.append(bound)

    with OpenFiles(locate(files), COLUMNS, keep=0) as opened:
        threads = [Thread(target=use, args=(opened,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found[0] is found[1]
        assert open_now(files) == []


def test_what_was_read_stays_after_closing(tmp_path):
    """Uncompressed bytes could be a view of the file."""
    path = tmp_path / "plain.root"
    with uproot.recreate(path, compression=None) as file:
        file.mktree("tree", {"byte": np.int8, "bytes": "var * int8"})
        file["tree"].extend({"byte": np.arange(50, dtype=np.int8), "bytes": [[1, 2], [3]] * 25})
    with open_table(locate(path)[0]) as table:
        columns = table.read(["byte", "bytes"], 0, 50)
    assert columns["byte"].values.tolist() == list(range(50))
    assert columns["bytes"].values.tolist() == [1, 2, 3] * 25


def test_entries_are_counted_where_all_columns_are_there(files, tmp_path, write, jets):
    assert count_entries(files, COLUMNS) == [40] * 12
    bare = {name: values for name, values in jets([1] * 3).items() if name != "label"}
    data = write(tmp_path / "data.root", bare)
    with pytest.raises(ColumnError, match=r"data\.root:tree, column 'label'"):
        count_entries([files[0], data], COLUMNS)
    assert count_entries([files[0], data], COLUMNS, with_labels=False) == [40, 3]
    empty = write(tmp_path / "empty.root", jets([]))
    assert count_entries([empty, files[0]], COLUMNS) == [0, 40]
    with pytest.raises(DataError, match=r"empty\.root: expected entries, got none in any file"):
        count_entries(empty, COLUMNS)
