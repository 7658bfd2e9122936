"""Tables of pandas in HDF5: pandas itself is the oracle; files are spoilt one way at a time."""

import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hepml.errors import ColumnError, DataError, FileError, InputError, MissingDependencyError
from hepml.io import PRESETS, BatchStream, iterate, read, recognise
from hepml.io.formats._files import Location
from hepml.io.formats._hdf5 import names_from_pickle, open_hdf5

h5py = pytest.importorskip("h5py", reason="needs h5py")
pd = pytest.importorskip("pandas", reason="needs pandas")
pytest.importorskip("tables", reason="needs tables")

COLUMNS = PRESETS["top-tagging-h5"]


def make_jets(counts, width, seed=0, dtype=np.float32):
    """A frame in the layout of the reference set, and its jets without padding."""
    random = np.random.default_rng(seed)
    padded = np.zeros((len(counts), width, 4), dtype)
    for jet, count in zip(padded, counts, strict=True):
        momentum = random.normal(scale=100, size=(count, 3))
        energy = np.sqrt((momentum**2).sum(1) + 0.14**2)
        jet[:count] = np.column_stack([energy, momentum])
    names = [f"{c}_{i}" for i in range(width) for c in ("E", "PX", "PY", "PZ")]
    frame = pd.DataFrame(padded.reshape(len(counts), -1), columns=names)
    truth = pd.DataFrame(
        np.zeros((len(counts), 4), dtype), columns=[f"truth{c}" for c in ("E", "PX", "PY", "PZ")]
    )
    flags = pd.DataFrame({"ttv": 0, "is_signal_new": random.integers(0, 2, len(counts))})
    frame = pd.concat([frame, truth, flags], axis=1)
    return frame, [jet[:count] for jet, count in zip(padded, counts, strict=True)]


def write(frame, path, **how):
    """Write as the reference set is written."""
    frame.to_hdf(path, key="table", format="table", mode="w", **how)
    return path


@pytest.fixture(scope="module")
def frame():
    return make_jets([5, 0, 200, 1, 37, 12, 60], width=200)[0]


@pytest.fixture
def file(frame, tmp_path):
    return str(write(frame, tmp_path / "jets.h5"))


@pytest.mark.parametrize("library", [None, "zlib", "blosc", "blosc:lz4", "blosc2", "bzip2"])
def test_reads_what_pandas_wrote(frame, tmp_path, library):
    if library not in (None, "zlib"):
        pytest.importorskip("hdf5plugin", reason="needs hdf5plugin")
    how = {"complib": library, "complevel": 5} if library else {}
    path = str(write(frame, tmp_path / "jets.h5", **how))
    table = open_hdf5(Location(path))
    assert (table.entries, table.tree, table.source) == (7, "table", f"{path}:table")
    columns = table.read(["PZ", "E", "is_signal_new", "truthPX", "PY_17"], 1, 6)
    expected = pd.read_hdf(path, "table").iloc[1:6]
    for name in ("PZ", "E"):
        wide = expected[[f"{name}_{i}" for i in range(200)]].to_numpy()
        np.testing.assert_array_equal(columns[name].values, wide)
    for name in ("is_signal_new", "truthPX", "PY_17"):
        np.testing.assert_array_equal(columns[name].values, expected[name].to_numpy())
        assert columns[name].per_entry


@pytest.mark.parametrize("alone", [True, False], ids=["data column", "block"])
def test_a_column_of_text_is_refused(frame, tmp_path, alone):
    frame = frame.assign(kind=np.where(frame["is_signal_new"], "top", "qcd"))
    path = str(write(frame, tmp_path / "a.h5", data_columns=["kind"] if alone else None))
    columns = COLUMNS.replace(label=None, classes={"qcd": "kind", "top": "is_signal_new"})
    message = r"a.h5:table, column 'kind': expected numbers, got values of type bytes24"
    with pytest.raises(ColumnError, match=message):
        read(path, columns)


def test_types_name_numbered_columns_once(file):
    types = open_hdf5(Location(file)).types()
    assert types == {
        **dict.fromkeys(["truthE", "truthPX", "truthPY", "truthPZ"], "float32"),
        **dict.fromkeys(["ttv", "is_signal_new"], "int64"),
        **dict.fromkeys(["E", "PX", "PY", "PZ"], "float32[200]"),
    }


def test_columns_in_another_order_and_alone(frame, tmp_path):
    shuffled = frame[np.random.default_rng(1).permutation(frame.columns)]
    path = str(write(shuffled, tmp_path / "jets.h5", data_columns=["is_signal_new"]))
    table = open_hdf5(Location(path))
    columns = table.read(["PX", "is_signal_new"], 0, 7)
    wide = frame[[f"PX_{i}" for i in range(200)]].to_numpy()
    np.testing.assert_array_equal(columns["PX"].values, wide)
    np.testing.assert_array_equal(columns["is_signal_new"].values, frame["is_signal_new"])


def test_bounds_are_those_of_the_chunks(file):
    table = open_hdf5(Location(file))
    with h5py.File(file) as raw:
        rows = raw["table/table"].chunks[0]
    assert list(table.bounds(table.names())) == [*range(0, 7, rows), 7]


def test_recognised(file):
    layout = recognise(file)
    assert layout is not None
    assert layout.name == "top-tagging-h5"
    assert layout.columns.class_names == ("qcd", "top")


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(counts=st.lists(st.integers(0, 6), min_size=1, max_size=9), step=st.integers(1, 9))
def test_padding_is_gone(tmp_path, counts, step):
    frame, jets = make_jets(counts, width=6)
    path = str(write(frame, tmp_path / "jets.h5"))
    particles = read(path)
    assert particles.counts.tolist() == counts
    assert torch.equal(particles.p4, torch.from_numpy(np.concatenate(jets)))
    assert particles.labels.tolist() == frame["is_signal_new"].tolist()
    chunks = list(iterate(path, COLUMNS, step=step))
    assert torch.equal(torch.cat([chunk.particles.p4 for chunk in chunks]), particles.p4)
    assert torch.cat([chunk.particles.counts for chunk in chunks]).tolist() == counts


def test_streams_in_batches(file):
    batches = list(BatchStream(file, COLUMNS, batch_size=3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert torch.equal(torch.cat([batch.p4 for batch in batches]), read(file).p4)


def test_table_by_name(frame, tmp_path):
    path = str(tmp_path / "jets.h5")
    for key in ("train", "deep/val"):
        frame.to_hdf(path, key=key, format="table", mode="a")
    assert len(read(f"{path}:deep/val")) == len(frame)
    with pytest.raises(ColumnError, match=r"one table of pandas.* the tables deep/val, train"):
        read(path, COLUMNS)
    with pytest.raises(ColumnError, match=r"dataset of records 'test'.* deep/val, train"):
        read(f"{path}:test", COLUMNS)


class Executed(Exception):
    """Raised by code that a file tries to run."""


def _execute():
    raise Executed


class Malicious:
    def __reduce__(self):
        return (_execute, ())


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_names_of_a_pickle_of_any_protocol(protocol):
    names = ["E_0", "with space", "größe"]
    assert names_from_pickle(pickle.dumps(names, protocol)) == names


def test_names_that_python_2_wrote():
    assert names_from_pickle(b"(lp1\nS'E_0'\np2\naS'PX_0'\np3\na.") == ["E_0", "PX_0"]


@pytest.mark.parametrize("protocol", [0, 5])
@pytest.mark.parametrize("content", [Malicious(), ["E_0", Malicious()], {"E_0": 1}, [1, 2]])
def test_other_pickles_are_refused_and_not_run(file, content, protocol):
    data = pickle.dumps(content, protocol)
    if not isinstance(content, dict) and content != [1, 2]:
        with pytest.raises(Executed):  # the planted bug: what pickle.loads would do
            pickle.loads(data)
    with pytest.raises(ValueError, match="the pickle opcode"):
        names_from_pickle(data)
    with h5py.File(file, "r+") as raw:
        raw["table/table"].attrs["values_block_0_kind"] = np.void(data)
    with pytest.raises(DataError, match=r"values_block_0_kind.*nothing was executed"):
        read(file, COLUMNS)


@pytest.mark.parametrize("data", [b"", b"(lp0\n", b"junk", pickle.dumps(["E_0"], 0)])
def test_damaged_names(file, data):
    with h5py.File(file, "r+") as raw:
        raw["table/table"].attrs["values_block_0_kind"] = np.void(data or b"\0")
    with pytest.raises(DataError, match="pickled list of the names of the columns"):
        read(file, COLUMNS)


def spoil(file, entry, column, value):
    """Put a value into one row of a column."""
    place = open_hdf5(Location(file))._columns[column]
    with h5py.File(file, "r+") as raw:
        table = raw["table/table"]
        row = table[entry]
        row[place.field][place.places] = value
        table[entry] = row


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_momenta_that_are_not_finite(file, value):
    spoil(file, 4, "PY_11", value)
    with pytest.raises(DataError, match=rf"jets\.h5:table, entry 4, column.*{value}"):
        read(file, COLUMNS)
    with pytest.warns(UserWarning, match="dropped 1 bad set"):
        particles = read(file, COLUMNS, bad="drop")
    assert particles.counts.tolist() == [5, 0, 200, 1, 12, 60]


def test_negative_energy(file):
    spoil(file, 2, "E_100", -3.0)
    with pytest.raises(DataError, match=r"entry 2, column"):
        read(file, COLUMNS)


def test_label_outside_the_classes(file):
    spoil(file, 5, "is_signal_new", 2)
    with pytest.raises(DataError, match=r"entry 5, column.*is_signal_new.*2"):
        read(file, COLUMNS)


def test_missing_columns(frame, tmp_path):
    renamed = frame.rename(columns=lambda name: name.replace("PZ_", "Pz_"))
    path = str(write(renamed, tmp_path / "jets.h5"))
    assert recognise(path) is None
    with pytest.raises(ColumnError, match=r"column 'PZ'.*nearest are Pz"):
        read(path, COLUMNS)


def test_numbers_with_a_gap_are_no_array(frame, tmp_path):
    path = str(write(frame.drop(columns="E_7"), tmp_path / "jets.h5"))
    with pytest.raises(ColumnError, match=r"column 'E'"):
        read(path, COLUMNS)


def test_no_rows(frame, tmp_path):
    path = str(write(frame, tmp_path / "jets.h5"))
    with pd.HDFStore(path) as store:
        store.remove("table", start=0, stop=len(frame))
    with pytest.raises(DataError, match=r"jets\.h5:table: expected entries, got none"):
        read(path, COLUMNS)


def test_fixed_format(frame, tmp_path):
    path = str(tmp_path / "jets.h5")
    frame.to_hdf(path, key="table", format="fixed")
    message = r'no such table, but table.*format="table"'
    with pytest.raises(ColumnError, match=message):
        read(path, COLUMNS)


def test_truncated(file):
    data = Path(file).read_bytes()
    Path(file).write_bytes(data[: len(data) // 2])
    with pytest.raises(FileError, match=r"jets\.h5.*got a truncated file"):
        read(file, COLUMNS)


def test_not_hdf5(tmp_path):
    path = tmp_path / "jets.h5"
    path.write_text("E_0,PX_0\n")
    with pytest.raises(FileError, match=r"jets\.h5.*got a file of another kind"):
        read(str(path), COLUMNS)


def test_damaged_chunk(frame, tmp_path):
    path = write(frame, tmp_path / "jets.h5", complib="zlib", complevel=5)
    with h5py.File(path) as raw:
        chunk = raw["table/table"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\xff" * chunk.size
    path.write_bytes(data)
    with pytest.raises(FileError, match=r"entries 0 to \d+.*copy the file again"):
        read(str(path), COLUMNS)


@pytest.mark.parametrize("signature", [b"TREE", b"HEAP", b"SNOD"])
def test_damaged_directory(file, signature):
    data = Path(file).read_bytes()
    assert signature in data
    Path(file).write_bytes(data.replace(signature, b"\x84xyz"))
    with pytest.raises(FileError, match=r"jets\.h5.*copy the file again"):
        read(file, COLUMNS)


def test_remote():
    with pytest.raises(FileError, match=r"remote file 'https://.*copy the file here"):
        open_hdf5(Location("https://example.org/train.h5"))


def test_without_h5py(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"jets\.h5.*pip install h5py"):
        read(file, COLUMNS)


def test_without_hdf5plugin(frame, tmp_path, monkeypatch):
    path = str(write(frame, tmp_path / "jets.h5", complib="blosc", complevel=5))
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    # Once loaded by another test, the filter stays registered.
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: code < 300)
    with pytest.raises(MissingDependencyError, match=r"compression blosc.*pip install hdf5plugin"):
        read(path, COLUMNS)


def test_features_of_the_truth_are_context(file):
    columns = COLUMNS.replace(context={"top_energy": "truthE"})
    assert read(file, columns).context.shape == (7, 1)


def test_unknown_expression_is_refused(file):
    with pytest.raises((InputError, ColumnError), match=re.escape("truthM")):
        read(file, COLUMNS.replace(cut="truthM > 0"))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"])
def test_integers_and_bools_compute_as_on_paper(frame, tmp_path, dtype):
    numbers = np.arange(7) % 3
    more = pd.DataFrame({"hits": numbers.astype(dtype), "flag": numbers == 0})
    path = str(write(pd.concat([frame, more], axis=1), tmp_path / "jets.h5"))
    context = {
        "less": "hits - 5",
        "times": "hits * 300",
        "per": "1 / (hits + 1)",
        "two": "flag + flag",
    }
    particles = read(path, COLUMNS.replace(context=context, cut="~flag", weights="hits - 3"))
    kept = numbers[numbers != 0]
    expected = np.stack([kept - 5, kept * 300, 1 / (kept + 1), 0 * kept], axis=1)
    np.testing.assert_allclose(particles.context, expected, rtol=1e-6)
    np.testing.assert_array_equal(particles.weights, kept - 3)
