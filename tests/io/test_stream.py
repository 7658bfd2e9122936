"""The stream: each set exactly once, in an order that only the stated numbers decide."""

import pickle
import weakref
from collections import Counter

import awkward as ak
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import hepml.io._stream as stream_module
from hepml.errors import ColumnError, DataError, InputError
from hepml.io import PRESETS, ParticleStream, read
from hepml.io._ahead import THREADS

COLUMNS = PRESETS["hepml"].replace(context={"number": "number"})
JETS = 103


@pytest.fixture(scope="module")
def files(tmp_path_factory, write, jets):
    """Three files in clusters of ten, with 103 jets that are numbered through."""
    folder = tmp_path_factory.mktemp("stream")
    start = 0
    for name, count in (("a", 50), ("b", 13), ("c", 40)):
        branches = jets(np.random.default_rng(start).integers(0, 5, count), seed=start)
        branches["number"] = np.arange(start, start + count, dtype=np.int32)
        write(folder / f"jets_{name}.root", branches, clusters=list(range(10, count, 10)))
        start += count
    return folder


def make(files, **options):
    columns = options.pop("columns", COLUMNS)
    return ParticleStream(f"{files}/*.root", columns, **{"batch_size": 8, "step": 10} | options)


def numbers(batches):
    return [int(n) for batch in batches for n in batch.context[:, 0]]


class Worker:
    """What a worker process would learn about itself."""

    def __init__(self, number, workers):
        self.id, self.num_workers = number, workers


def shares(stream, monkeypatch, ranks=1, workers=1):
    """The batches of every worker of every rank."""
    found = {}
    for rank in range(ranks):
        stream._world = (rank, ranks)
        for worker in range(workers):
            monkeypatch.setattr(
                stream_module, "get_worker_info", lambda w=worker: Worker(w, workers)
            )
            found[rank, worker] = list(stream)
    return found


def test_in_order_it_is_what_read_gives(files):
    stream = make(files)
    batches = list(stream)
    whole = read(f"{files}/*.root", COLUMNS)
    assert [len(batch) for batch in batches] == [8] * 12 + [7]
    assert len(stream) == len(batches)
    for i, batch in enumerate(batches):
        expected = whole[8 * i : 8 * i + 8]
        for name in ("p4", "offsets", "features", "labels", "context"):
            assert torch.equal(getattr(batch, name), getattr(expected, name))


def test_shuffled_sets_stay_whole(files):
    whole = read(f"{files}/*.root", COLUMNS)
    for batch in make(files, shuffle=True):
        for each in batch:
            expected = whole[int(each.context[0, 0])]
            assert torch.equal(each.p4, expected.p4)
            assert torch.equal(each.features, expected.features)
            assert torch.equal(each.labels, expected.labels)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("ranks", "workers"), [(1, 1), (1, 3), (2, 1), (3, 2), (5, 4)])
def test_each_set_comes_once_over_all_ranks_and_workers(
    files, monkeypatch, shuffle, ranks, workers
):
    stream = make(files, shuffle=shuffle)
    found = shares(stream, monkeypatch, ranks, workers)
    everything = [n for batches in found.values() for n in numbers(batches)]
    assert Counter(everything) == Counter(range(JETS))
    for rank in range(ranks):
        stream._world = (rank, ranks)
        mine = sum(len(batches) for (r, _), batches in found.items() if r == rank)
        assert mine == len(stream)
    batches_of = Counter(rank for (rank, _), batches in found.items() for _ in batches)
    assert len(set(batches_of.values())) == 1


def test_drop_last(files):
    stream = make(files, drop_last=True)
    assert [len(batch) for batch in stream] == [8] * 12
    assert len(stream) == 12


def test_the_order_is_a_function_of_seed_and_epoch(files):
    def order(seed, epoch):
        stream = make(files, shuffle=True, seed=seed)
        stream.set_epoch(epoch)
        return numbers(stream)

    first = order(0, 0)
    assert order(0, 0) == first
    others = [order(0, 1), order(1, 0), order(1, 1)]
    assert len({tuple(o) for o in [first, *others]}) == 4
    assert all(sorted(o) == list(range(JETS)) for o in others)
    again = make(files, shuffle=True)
    assert numbers(again) == numbers(again) == first


@pytest.mark.slow
def test_shuffling_mixes_chunks_and_files(files):
    """Over many epochs each set is early as often as late, and neighbours part."""
    stream = make(files, shuffle=True, columns=COLUMNS.with_features(()))
    places = np.empty((30, JETS))
    for epoch in range(30):
        stream.set_epoch(epoch)
        places[epoch][numbers(stream)] = np.arange(JETS)
    # The mean of 30 places uniform over 103 has a standard deviation of 5.4.
    assert np.abs(places.mean(axis=0) - (JETS - 1) / 2).max() < 5 * 5.4
    apart = np.abs(np.diff(places, axis=1)).mean(axis=0)
    assert apart.min() > 5


def test_workers_and_ranks_draw_different_numbers(files, monkeypatch):
    found = shares(make(files, shuffle=True), monkeypatch, ranks=2, workers=2)
    assert all(numbers(batches) != sorted(numbers(batches)) for batches in found.values())


@pytest.mark.slow
def test_classes_that_go_by_file_are_mixed(tmp_path, write, jets):
    """With a plain shuffle of chunks, four chunks are of one class every eighth time."""
    for name in ("qcd", "top"):
        for i in range(4):
            write(tmp_path / f"{name}_{i}.root", jets([1] * 40, seed=i), clusters=[10, 20, 30])
    columns = COLUMNS.replace(
        label=None, classes=(), context={}, class_files={"qcd": "qcd*", "top": "top*"}
    ).with_features(())
    stream = ParticleStream(
        f"{tmp_path}/*.root", columns, batch_size=40, shuffle=True, step=10, buffer=4
    )
    for epoch in range(5):
        stream.set_epoch(epoch)
        tops = [int(batch.labels.sum()) for batch in stream]
        assert sum(tops) == 160
        assert min(tops) >= 10
        assert max(tops) <= 30


def test_no_more_than_a_few_chunks_are_held(files, monkeypatch):
    alive = weakref.WeakSet()
    most = 0
    original = stream_module.read_chunk

    def watched(*arguments):
        nonlocal most
        chunk, places = original(*arguments)
        alive.add(chunk.particles)
        most = max(most, len(alive))
        return chunk, places

    monkeypatch.setattr(stream_module, "read_chunk", watched)
    for shuffle, buffer in ((False, 4), (True, 2), (True, 4)):
        most = 0
        for batch in make(files, shuffle=shuffle, buffer=buffer):
            del batch
        assert most <= (buffer if shuffle else 1) + THREADS + 2


def test_at_most_so_many_sets(files):
    for most in (1, 10, 33, 60, 1000):
        stream = make(files, max_sets=most, shuffle=True)
        assert sorted(numbers(stream)) == list(range(min(most, JETS)))
        assert stream.sets == min(most, JETS)


def test_a_cut_is_counted_beforehand(files, monkeypatch):
    stream = make(files, columns=COLUMNS.replace(cut="number % 7 == 3"), shuffle=True, batch_size=4)
    expected = list(range(3, JETS, 7))
    assert stream.sets == len(expected)
    assert len(stream) == len(list(stream)) == -(-len(expected) // 4)
    found = shares(stream, monkeypatch, ranks=2, workers=2)
    assert sorted(n for batches in found.values() for n in numbers(batches)) == expected


def test_jets_of_events(tmp_path, write, monkeypatch):
    from hepml.io import Collection, Columns, JetIndex

    counts = np.random.default_rng(0).integers(0, 4, 40)
    total = int(counts.sum())
    jet = np.concatenate([np.arange(n) for n in counts]).astype(np.int32)
    events = {
        "Jet_pt": ak.unflatten(np.arange(total, dtype=np.float32), counts),
        "Cand_pt": ak.unflatten(np.arange(1, total + 1, dtype=np.float32), counts),
        "Cand_jet": ak.unflatten(jet, counts),
    }
    columns = Columns(
        Collection(
            {"pt": "Cand_pt", "eta": "0", "phi": "0", "mass": "0"},
            index=JetIndex("Jet_pt", "Cand_jet"),
        ),
        context={"number": "Jet_pt"},
    )
    path = write(tmp_path / "events.root", events, clusters=[10, 20, 30])
    stream = ParticleStream(path, columns, batch_size=5, shuffle=True, step=10)
    assert stream.sets == total
    found = shares(stream, monkeypatch, ranks=2, workers=3)
    batches = [batch for each in found.values() for batch in each]
    assert sorted(numbers(batches)) == list(range(total))
    assert all(torch.equal(batch.p4[:, 1], batch.context[:, 0] + 1) for batch in batches)


def test_bad_sets_leave_their_places_empty(tmp_path, write, jets, monkeypatch):
    branches = jets([3] * 60)
    branches["number"] = np.arange(60, dtype=np.int32)
    bad = [0, 9, 10, 33, *range(48, 56)]
    branches["label"] = branches["label"].copy()
    branches["label"][bad] = 7
    path = write(tmp_path / "a.root", branches, clusters=[20, 40])
    with pytest.raises(DataError, match=r"entry 0, column 'label'"):
        list(ParticleStream(path, COLUMNS, batch_size=8, step=20))
    stream = ParticleStream(path, COLUMNS, batch_size=8, step=20, bad="drop")
    with pytest.warns(UserWarning, match="dropped 12 bad sets: 12 label outside the classes"):
        batches = list(stream)
    # Places 48 to 55 are one batch, of which nothing is left.
    assert [len(batch) for batch in batches] == [7, 6, 8, 8, 7, 8, 4]
    assert numbers(batches) == [i for i in range(60) if i not in bad]
    assert stream.dropped == {"label outside the classes": 12}
    shuffled = ParticleStream(path, COLUMNS, batch_size=8, step=20, bad="drop", shuffle=True)
    with pytest.warns(UserWarning, match="dropped"):
        found = shares(shuffled, monkeypatch, ranks=2, workers=2)
    everything = [n for each in found.values() for n in numbers(each)]
    assert sorted(everything) == [i for i in range(60) if i not in bad]


def test_workers_that_share_a_chunk_share_its_bad_sets(tmp_path, write, jets, monkeypatch):
    branches = jets([3] * 60)
    branches["number"] = np.arange(60, dtype=np.int32)
    bad = {"label": [0, 13, 14, 31, 59], "part_px": [13, 29, 44]}
    branches["label"] = branches["label"].copy()
    branches["label"][bad["label"]] = 7
    px = ak.to_numpy(branches["part_px"]).copy()
    px[bad["part_px"], 1] = np.nan
    branches["part_px"] = ak.from_regular(px)
    path = write(tmp_path / "a.root", branches)
    for shuffle in (False, True):
        stream = ParticleStream(path, COLUMNS, batch_size=8, bad="drop", shuffle=shuffle)
        total = Counter()
        for worker in range(4):
            monkeypatch.setattr(stream_module, "get_worker_info", lambda w=worker: Worker(w, 4))
            left = sum(map(len, stream.batches()))
            share = [2 * 8, 2 * 8, 2 * 8, 12][worker]
            assert left == share - sum(stream.dropped.values())
            total.update(stream.dropped)
        assert total == {"NaN momentum": 3, "label outside the classes": 4}


def test_every_file_is_opened_at_construction(files, tmp_path, write):
    other = write(tmp_path / "other.root", {"x": np.zeros(2)})
    with pytest.raises(ColumnError, match=r"other\.root:tree, column 'part_energy'"):
        ParticleStream([files / "jets_a.root", other], COLUMNS, batch_size=2)


def test_rank_and_number_of_ranks_come_from_torch(files, monkeypatch):
    stream = make(files)
    assert stream.world == (0, 1)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    assert stream.world == (1, 2)
    assert numbers(stream)[0] == JETS // 2
    copy = pickle.loads(pickle.dumps(stream))
    monkeypatch.undo()
    assert copy.world == (1, 2)


def test_more_ranks_than_sets(files, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 200)
    with pytest.raises(InputError, match="a set for each of the 200 ranks or more, got 103 sets"):
        make(files)


def test_a_cut_that_nothing_passes(files):
    with pytest.raises(InputError, match="got 0 sets"):
        make(files, columns=COLUMNS.replace(cut="number < 0"))


@pytest.mark.parametrize("name", ["batch_size", "max_sets", "buffer", "step"])
def test_numbers_below_one_are_refused(files, name):
    with pytest.raises(InputError, match=rf"{name}: expected one .*got 0"):
        make(files, **{name: 0})


@pytest.mark.slow
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_real_workers_share_an_epoch_and_see_the_next(files, context):
    stream = make(files, shuffle=True)
    loader = DataLoader(
        stream,
        batch_size=None,
        num_workers=2,
        persistent_workers=True,
        multiprocessing_context=context,
    )
    assert len(loader) == 13
    orders = []
    for epoch in (0, 1, 0):
        stream.set_epoch(epoch)
        orders.append(numbers(loader))
        assert sorted(orders[-1]) == list(range(JETS))
    assert orders[0] == orders[2] != orders[1]
    del loader
