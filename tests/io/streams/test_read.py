"""Reading files whole and in chunks: nothing lost, nothing twice, and clear errors."""

import awkward as ak
import numpy as np
import pytest
import torch
import uproot

from hepml.data import concatenate
from hepml.errors import ColumnError, DataError, FileError, InputError
from hepml.io import PRESETS, Collection, Columns, iterate, read
from hepml.io.formats._files import Location
from hepml.io.streams._open_files import open_bound
from hepml.io.streams._read import chunk_ranges

COLUMNS = PRESETS["hepml"]


@pytest.fixture(scope="module")
def files(tmp_path_factory, write, jets):
    """Three files with 25, 1 and 14 jets, numbered through."""
    folder = tmp_path_factory.mktemp("files")
    start = 0
    for name, count in (("a", 25), ("b", 1), ("c", 14)):
        branches = jets(np.random.default_rng(start).integers(0, 6, count), seed=start)
        branches["number"] = np.arange(start, start + count, dtype=np.int32)
        write(folder / f"jets_{name}.root", branches, clusters=[count // 3] if count > 5 else None)
        start += count
    return folder


NUMBERED = COLUMNS.replace(context={"number": "number"})


def numbers(particles):
    return particles.context[:, 0].int().tolist()


def test_many_files_follow_each_other(files):
    whole = read(f"{files}/jets_*.root", NUMBERED)
    assert numbers(whole) == list(range(40))
    parts = [read(files / f"jets_{name}.root", NUMBERED) for name in "abc"]
    assert torch.equal(whole.p4, concatenate(parts).p4)
    listed = read([f"{files}/jets_c.root:tree", files / "jets_a.root"], NUMBERED)
    assert numbers(listed) == [*range(26, 40), *range(25)]


def test_columns_by_name_and_by_recognition(files):
    file = files / "jets_a.root"
    assert torch.equal(read(file).features, read(file, "hepml").features)
    with pytest.raises(InputError, match=r"a layout that is known: hepml.*got 'hepmll'"):
        read(file, "hepmll")


def test_an_unknown_layout_says_what_is_known(tmp_path, write):
    path = write(tmp_path / "a.root", {"x": np.zeros(3)})
    with pytest.raises(InputError, match=r"a layout that is known: hepml.*Columns\(\.\.\.\)"):
        read(path)


@pytest.mark.parametrize("most", [1, 24, 26, 33, 40, 1000])
def test_at_most_so_many_sets(files, most):
    assert numbers(read(f"{files}/*.root", NUMBERED, max_sets=most)) == list(range(min(most, 40)))


@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (3, 9), (0, 25), (24, 27), (26, 100), (25, 26)]
)
def test_a_range_of_the_entries_of_all_files(files, start, stop):
    particles = read(f"{files}/*.root", NUMBERED, entry_start=start, entry_stop=stop)
    assert numbers(particles) == list(range(40))[start:stop]
    chunks = iterate(f"{files}/*.root", NUMBERED, entry_start=start, entry_stop=stop, step=4)
    found = [
        (n, chunk.file, chunk.start + i)
        for chunk in chunks
        for i, n in enumerate(numbers(chunk.particles))
    ]
    assert [n for n, _, _ in found] == list(range(40))[start:stop]
    before = {"a": 0, "b": 25, "c": 26}
    assert all(n == before[file[-6]] + entry for n, file, entry in found)


def test_files_behind_the_range_are_not_opened(files, tmp_path):
    (tmp_path / "broken.root").write_text("broken")
    both = [files / "jets_a.root", tmp_path / "broken.root"]
    assert len(read(both, NUMBERED, entry_stop=25)) == 25
    with pytest.raises(FileError):
        read(both, NUMBERED, entry_stop=26)


@pytest.mark.parametrize(
    ("start", "stop", "message"),
    [
        (-1, None, "0 <= entry_start < entry_stop, got -1, None"),
        (5, 5, "0 <= entry_start < entry_stop, got 5, 5"),
        (40, None, "entry_start: expected a number below 40, .*, got 40"),
    ],
)
def test_ranges_without_entries_are_refused(files, start, stop, message):
    with pytest.raises(InputError, match=message):
        read(f"{files}/*.root", NUMBERED, entry_start=start, entry_stop=stop)


def test_no_sets_at_all_cannot_be_asked_for(files):
    with pytest.raises(InputError, match="max_sets: expected one or more, got 0"):
        read(f"{files}/*.root", COLUMNS, max_sets=0)


@pytest.mark.parametrize("step", [1, 3, 7, 100])
def test_chunks_cover_each_entry_once(files, step):
    chunks = list(iterate(f"{files}/*.root", NUMBERED, step=step))
    assert [n for chunk in chunks for n in numbers(chunk.particles)] == list(range(40))
    for chunk in chunks:
        assert chunk.total == chunk.stop - chunk.start == len(chunk.particles)
        assert chunk.rows.tolist() == list(range(chunk.total))
        assert chunk.tree == "tree"
        assert not chunk.dropped
    ends = {chunk.file: chunk.stop for chunk in chunks}
    assert list(ends.values()) == [25, 1, 14]
    whole = read(f"{files}/*.root", NUMBERED)
    assert torch.equal(concatenate([chunk.particles for chunk in chunks]).p4, whole.p4)


def test_a_cut_leaves_numbers_of_rows(files):
    for chunk in iterate(f"{files}/*.root", NUMBERED.replace(cut="number % 3 == 1"), step=10):
        first = 26 if "jets_c" in chunk.file else 25 if "jets_b" in chunk.file else 0
        expected = [n for n in range(chunk.start + first, chunk.stop + first) if n % 3 == 1]
        assert numbers(chunk.particles) == expected
        assert (chunk.rows + chunk.start + first).tolist() == expected


def test_data_without_labels(tmp_path, write, jets):
    branches = {name: values for name, values in jets([2, 3]).items() if name != "label"}
    path = write(tmp_path / "data.root", branches)
    (chunk,) = iterate(path, COLUMNS.replace(weights="no_such_branch"), with_labels=False)
    assert chunk.particles.labels is chunk.particles.weights is None
    with pytest.raises(ColumnError, match=r"column 'label' \(label\)"):
        read(path, COLUMNS)


def test_chunks_end_where_clusters_end(tmp_path, write, jets):
    path = write(tmp_path / "a.root", jets([1] * 100), clusters=[10, 20, 30, 90])
    bound = open_bound(Location(path), COLUMNS)
    assert list(chunk_ranges(bound, 10)) == [
        *((0, 10), (10, 20), (20, 30)),
        *((start, start + 10) for start in range(30, 90, 10)),
        (90, 100),
    ]
    assert list(chunk_ranges(bound, 30)) == [(0, 30), (30, 60), (60, 90), (90, 100)]
    assert list(chunk_ranges(bound, 25)) == [(0, 20), (20, 30), (30, 60), (60, 90), (90, 100)]
    assert list(chunk_ranges(bound, 1000)) == [(0, 100)]


def test_a_tree_without_entries(tmp_path):
    with uproot.recreate(tmp_path / "empty.root") as file:
        file.mktree("tree", {"part_px": "var * float32", "part_pid": "var * int32"})
    with pytest.raises(DataError, match=r"empty\.root:tree: expected entries, got none"):
        read(tmp_path / "empty.root", COLUMNS)


def test_two_trees_and_none_chosen(tmp_path, jets):
    branches = jets([2, 1])
    path = tmp_path / "two.root"
    with uproot.recreate(path) as file:
        for name in ("nominal", "jes_up"):
            types = {
                k: str(v.type.content) if isinstance(v, ak.Array) else v.dtype
                for k, v in branches.items()
            }
            file.mktree(name, types).extend(branches)
    with pytest.raises(ColumnError, match="one tree, or the name of one, got the trees nominal, j"):
        read(path, COLUMNS)
    assert len(read(f"{path}:jes_up", COLUMNS)) == 2
    assert len(read(path, COLUMNS.replace(tree="nominal"))) == 2


def test_the_second_file_may_be_the_bad_one(files, tmp_path, write):
    other = write(tmp_path / "other.root", {"x": np.zeros(3)})
    chunks = iterate([files / "jets_b.root", other], COLUMNS)
    assert len(next(chunks).particles) == 1
    with pytest.raises(ColumnError, match=r"other\.root:tree, column 'part_energy'"):
        next(chunks)
    with pytest.raises(FileError, match="no such file"):
        read([files / "jets_b.root", tmp_path / "missing.root"], COLUMNS)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"step": 0}, "step: expected one entry or more"), ({"bad": "skip"}, "'error' or 'drop'")],
)
@pytest.mark.usefixtures("unchecked_types")
def test_options_that_make_no_sense(files, options, message):
    with pytest.raises(InputError, match=message):
        next(iterate(f"{files}/*.root", COLUMNS, **options))


def test_other_units_are_converted(tmp_path, write, jets):
    branches = jets([3, 2])
    mev = dict(branches)
    for name in ("px", "py", "pz", "energy"):
        mev[f"part_{name}"] = branches[f"part_{name}"] * np.float32(1000)
    gev = read(write(tmp_path / "gev.root", branches), COLUMNS)
    same = read(write(tmp_path / "mev.root", mev), COLUMNS.replace(unit="MeV"))
    torch.testing.assert_close(same.p4, gev.p4, rtol=3e-7, atol=0)


def test_an_ntuple_with_polar_momenta_and_double_precision(tmp_path, write):
    branches = {
        "pt": ak.Array([[10.0, 5.0], [7.0]]),
        "eta": ak.Array([[0.5, -1.0], [2.0]]),
        "phi": ak.Array([[0.1, 3.0], [-2.0]]),
        "e": ak.Array([[20.0, 30.0], [40.0]]),
    }
    columns = Columns(Collection({"pt": "pt", "eta": "eta", "phi": "phi", "energy": "e"}))
    particles = read(write(tmp_path / "a.root", branches, kind="rntuple"), columns)
    assert particles.p4.dtype == torch.float32
    jets = particles.to_awkward()
    np.testing.assert_allclose(ak.flatten(jets.eta), [0.5, -1.0, 2.0], rtol=1e-6)
    np.testing.assert_allclose(ak.flatten(jets.E), [20, 30, 40])
