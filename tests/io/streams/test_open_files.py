"""Files are closed as soon as nobody reads them, without the help of the garbage collector."""

import gc
import os
import time
from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest
import uproot

from hepml.errors import ColumnError, DataError, FileError
from hepml.io import (
    PRESETS,
    BatchStream,
    count_entries,
    iterate,
    locate,
    open_table,
    read,
    recognise,
)
from hepml.io.streams._open_files import OpenFiles

COLUMNS = PRESETS["hepml"]
# The files that this process has open.
DESCRIPTORS = Path("/proc/self/fd")


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
    """The files that are open."""
    links = {os.readlink(link) for link in DESCRIPTORS.iterdir() if link.is_symlink()}
    return [Path(file).name for file in files if str(file) in links]


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
        lambda files: list(BatchStream(files, COLUMNS, batch_size=7, step=10)),
        lambda files: list(BatchStream(files, COLUMNS, batch_size=7, shuffle=True)),
        lambda files: first_of(BatchStream(files, COLUMNS, batch_size=7, step=10)),
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


def other(path, jets, write, sets):
    """Write another file in the place of one, under a new name until it is complete."""
    whole = write(path.with_suffix(".new.root"), jets([2] * sets, seed=9), clusters=[10])
    os.replace(whole, path)


@pytest.mark.parametrize("sets", [600, 40], ids=["longer", "as long"])
def test_a_file_that_is_replaced_is_not_taken_for_the_first(tmp_path, write, jets, sets):
    path = tmp_path / "jets.root"
    write(path, jets([2] * 40), clusters=[10, 20, 30])
    stream = BatchStream(path, COLUMNS, batch_size=5)
    assert sum(map(len, stream)) == 40
    other(path, jets, write, sets)
    with pytest.raises(
        FileError, match=rf"first, 40 entries in .*got {sets} entries in .*replaced"
    ):
        list(stream)


def test_a_file_that_is_replaced_while_it_is_open_is_read_to_its_end(tmp_path, write, jets):
    path = tmp_path / "jets.root"
    write(path, jets([2] * 40), clusters=[10, 20, 30])
    expected = read(path, COLUMNS).p4
    with OpenFiles(locate(path), COLUMNS, keep=0) as opened, opened.use(0) as bound:
        other(path, jets, write, 600)
        values = bound.table.read(["part_energy"], 0, 40)["part_energy"].values
        assert values.tolist() == expected[:, 0].tolist()
        assert bound.table.entries == 40


def test_a_file_that_is_cut_short_while_it_is_read(tmp_path, write, jets):
    path = tmp_path / "jets.root"
    write(path, jets([20] * 400), clusters=[100, 200, 300])
    with OpenFiles(locate(path), COLUMNS, keep=0) as opened, opened.use(0) as bound:
        bound.table.read(["part_energy"], 0, 100)
        os.truncate(path, 5000)
        with pytest.raises(FileError, match=r"entries 300 to 400.*readable data"):
            bound.table.read(["part_energy"], 300, 400)


def test_a_file_that_is_changed_while_it_is_read(tmp_path, write, jets):
    path = tmp_path / "jets.root"
    write(path, jets([2] * 40))
    with OpenFiles(locate(path), COLUMNS, keep=0) as opened, opened.use(0) as bound:
        bound.table.read(["label"], 0, 40)
        later = time.time() + 1
        os.utime(path, (later, later))
        with pytest.raises(FileError, match=r"first, 40 entries .*changed while it was read"):
            bound.table.read(["label"], 0, 40)


def test_hdf5_files_that_are_replaced(tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    tables = pytest.importorskip("tables", reason="needs tables")
    del h5py, tables
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    path = tmp_path / "jets.h5"
    columns = PRESETS["top-tagging-h5"]
    for entries in (20, 30):
        frame = pandas.DataFrame(
            np.ones((entries, 8), np.float32),
            columns=[f"{name}_{i}" for i in (0, 1) for name in ("E", "PX", "PY", "PZ")],
        ).assign(is_signal_new=1)
        frame[["E_0", "E_1"]] = 5
        frame.to_hdf(tmp_path / "new.h5", key="table", format="table", mode="w")
        os.replace(tmp_path / "new.h5", path)
        if entries == 20:
            stream = BatchStream(path, columns, batch_size=5)
            assert sum(map(len, stream)) == 20
    with pytest.raises(FileError, match=r"first, 20 entries in .*got 30 entries"):
        list(stream)
