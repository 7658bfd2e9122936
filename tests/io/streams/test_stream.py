"""The stream: each set exactly once, in an order that only the stated numbers decide."""

import os
import pickle
import time
import weakref
from collections import Counter
from threading import Lock

import awkward as ak
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import hepml.io
import hepml.io.streams._stream as stream_module
from hepml.errors import ColumnError, DataError, InputError
from hepml.io import PRESETS, BatchStream, read
from hepml.io.streams._mixing import _size
from hepml.io.streams._prefetch import THREADS
from hepml.io.streams._prepare import check_prepare

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
    return BatchStream(f"{files}/*.root", columns, **{"batch_size": 8, "step": 10} | options)


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


# Enough for about 40 of the jets in `files`, which take 400 bytes each.
LITTLE = 0.016


@pytest.mark.slow
@pytest.mark.parametrize("memory", [2000, LITTLE])
def test_shuffling_mixes_chunks_and_files(files, memory):
    """Over many epochs each set is early as often as late, and neighbours part."""
    columns = COLUMNS.with_features(())
    stream = make(files, shuffle=True, columns=columns, shuffle_memory=memory, step=20)
    places = np.empty((30, JETS))
    for epoch in range(30):
        stream.set_epoch(epoch)
        places[epoch][numbers(stream)] = np.arange(JETS)
    # The mean of 30 places uniform over 103 has a standard deviation of 5.4.
    assert np.abs(places.mean(axis=0) - (JETS - 1) / 2).max() < 5 * 5.4
    apart = np.abs(np.diff(places, axis=1)).mean(axis=0)
    assert apart.min() > 15


def test_workers_and_ranks_draw_different_numbers(files, monkeypatch):
    found = shares(make(files, shuffle=True), monkeypatch, ranks=2, workers=2)
    assert all(numbers(batches) != sorted(numbers(batches)) for batches in found.values())


@pytest.fixture(scope="module")
def sorted_files(tmp_path_factory, write, jets):
    """1,000 jets of ten classes, class after class: in one file, and in a file for each class."""
    folder = tmp_path_factory.mktemp("sorted")
    branches = jets(np.random.default_rng(0).integers(1, 3, 1000))
    branches["label"] = np.repeat(np.arange(10, dtype=np.int8), 100)
    clusters = list(range(20, 1000, 20))
    one = write(folder / "one.root", branches, clusters=clusters)
    each = [
        write(
            folder / f"class_{i}.root",
            {name: values[100 * i : 100 * i + 100] for name, values in branches.items()},
            clusters=clusters[:4],
        )
        for i in range(10)
    ]
    return {"one": one, "each": each}


TEN = PRESETS["hepml"].with_features(()).replace(classes=tuple("abcdefghij"))
BY_FILE = TEN.replace(
    label=None,
    classes=(),
    class_files={name: f"class_{i}.root" for i, name in enumerate("abcdefghij")},
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "columns", "memory", "ranks", "workers"),
    [
        ("one", TEN, 2000, 1, 1),
        ("one", TEN, 0.1, 1, 1),
        ("each", BY_FILE, 0.1, 1, 1),
        ("each", TEN, 0.2, 2, 2),
    ],
    ids=["sorted file", "sorted file, little memory", "file by class", "workers and ranks"],
)
def test_batches_are_fair_samples_of_sorted_jets(
    sorted_files, monkeypatch, files, columns, memory, ranks, workers
):
    """The classes in a batch are distributed as in a draw without replacement from all jets."""
    stream = BatchStream(
        sorted_files[files],
        columns,
        batch_size=50,
        shuffle=True,
        shuffle_memory=memory,
        step=20,
        drop_last=True,
    )
    batches = [b for each in shares(stream, monkeypatch, ranks, workers).values() for b in each]
    counts = torch.stack([torch.bincount(batch.labels, minlength=10) for batch in batches])
    assert len(batches) == 20
    # The multivariate hypergeometric distribution: 9 degrees of freedom, less the share drawn. The
    # mean over 20 batches has a standard deviation of 0.9; the pools' own composition adds a bit.
    spread = ((counts - 5.0) ** 2).sum(dim=1) / 5
    assert float(spread.mean()) == pytest.approx(9 * (1 - 50 / 1000), abs=3)
    assert int((counts > 0).sum(dim=1).min()) >= 8


def test_the_memory_for_shuffling_is_kept(sorted_files, monkeypatch):
    """What is alive is what is delivered, what is read beforehand, and a little more."""
    alive = weakref.WeakSet()
    lock, most = Lock(), 0
    original = stream_module.read_slab

    def watched(*arguments):
        nonlocal most
        slab = original(*arguments)
        with lock:
            alive.add(slab.sets)
            most = max(most, sum(map(_size, alive)))
        return slab

    monkeypatch.setattr(stream_module, "read_slab", watched)
    for memory in (0.1, 2000):
        most = 0
        stream = BatchStream(
            sorted_files["one"], TEN, batch_size=20, shuffle=True, step=20, shuffle_memory=memory
        )
        for batch in stream:
            del batch
            time.sleep(0.005)
        assert most <= 1.3e6 * memory
    # All of the 1000 sets.
    assert most >= 0.15e6


def test_in_order_no_more_than_a_few_chunks_are_held(files, monkeypatch):
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
    for batch in make(files):
        del batch
    assert most <= 1 + THREADS + 2


@pytest.mark.slow
def test_how_often_files_are_read_is_known(sorted_files, monkeypatch):
    read = []
    original = stream_module.read_chunk

    def counted(bound, start, stop, *rest):
        read.append(stop - start)
        return original(bound, start, stop, *rest)

    monkeypatch.setattr(stream_module, "read_chunk", counted)
    for memory, workers, ranks in ((2000, 1, 1), (0.2, 2, 2)):
        stream = BatchStream(
            sorted_files["one"],
            TEN,
            batch_size=20,
            shuffle=True,
            shuffle_memory=memory,
            step=100,
        )
        stream._world = (0, ranks)
        expected = stream.reads(workers)
        read.clear()
        with monkeypatch.context() as patch:
            shares(stream, patch, ranks, workers)
        assert sum(read) / 1000 == pytest.approx(expected)
        assert (expected > 1) == (memory < 1)


def test_some_sets_are_drawn_evenly(files, sorted_files):
    for most in (1, 10, 33, 60, 1000):
        stream = make(files, max_sets=most, shuffle=True)
        found = numbers(stream)
        assert len(set(found)) == len(found) == stream.sets == min(most, JETS)
    for shuffle in (False, True):
        stream = BatchStream(
            sorted_files["one"], TEN, batch_size=100, max_sets=100, step=20, shuffle=shuffle
        )
        (batch,) = stream
        assert torch.bincount(batch.labels).tolist() == [10] * 10


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("run", [1, 100, 1000])
def test_some_sets_are_drawn_evenly_inside_a_cluster(
    tmp_path, write, jets, monkeypatch, run, shuffle
):
    """Two classes in one cluster, in runs of so many: 100 of the 2,000 are of both."""
    branches = jets([1] * 2000)
    branches["number"] = np.arange(2000, dtype=np.int32)
    branches["label"] = (branches["number"] // run % 2).astype(np.int32)
    path = write(tmp_path / "a.root", branches)
    columns = COLUMNS.replace(weights="number + 1")

    def make_stream():
        return BatchStream(path, columns, batch_size=8, max_sets=100, shuffle=shuffle)

    stream = make_stream()
    assert len(stream._spans) == 1
    found = [batch for batches in shares(stream, monkeypatch, 2, 2).values() for batch in batches]
    chosen = numbers(found)
    assert len(chosen) == len(set(chosen)) == 100
    # One of every 20 that follow each other.
    assert sorted(number // 20 for number in chosen) == list(range(100))
    labels = torch.bincount(torch.cat([batch.labels for batch in found]), minlength=2)
    assert labels.min() >= (30 if run == 1 else 50)
    assert stream.mean_weight == pytest.approx(np.mean(chosen) + 1)
    again = shares(make_stream(), monkeypatch, 2, 2).values()
    assert numbers(batch for batches in again for batch in batches) == chosen


def test_the_mean_weight_is_that_of_the_sets_used(files):
    columns = COLUMNS.replace(weights="number - 30", cut="number % 2 == 0")
    stream = make(files, columns=columns)
    assert stream.mean_weight == pytest.approx(np.mean(np.arange(0, JETS, 2) - 30.0))
    few = make(files, columns=columns, max_sets=20)
    weights = [w for batch in few for w in batch.weights.tolist()]
    assert few.mean_weight == pytest.approx(np.mean(weights))
    assert make(files).mean_weight == 1
    with pytest.raises(DataError, match=r"weights 'number - 60': expected a positive sum"):
        make(files, columns=columns.replace(weights="number - 60")).mean_weight  # noqa: B018


def test_weights_that_are_not_finite_have_no_part_in_the_mean(tmp_path, write, jets):
    branches = jets([1] * 10)
    branches["w"] = np.array([np.nan, np.inf, *range(8)])
    path = write(tmp_path / "a.root", branches)
    stream = BatchStream(path, COLUMNS.replace(weights="w"), batch_size=2, bad="drop")
    with pytest.warns(UserWarning, match="dropped 2 bad sets"):
        weights = [w for batch in stream for w in batch.weights.tolist()]
    assert stream.mean_weight == pytest.approx(np.mean(weights)) == pytest.approx(3.5)


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
    stream = BatchStream(path, columns, batch_size=5, shuffle=True, step=10)
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
        list(BatchStream(path, COLUMNS, batch_size=8, step=20))
    stream = BatchStream(path, COLUMNS, batch_size=8, step=20, bad="drop")
    with pytest.warns(UserWarning, match="dropped 12 bad sets: 12 label outside the classes"):
        batches = list(stream)
    # Places 48 to 55 are one batch, of which nothing is left.
    assert [len(batch) for batch in batches] == [7, 6, 8, 8, 7, 8, 4]
    assert numbers(batches) == [i for i in range(60) if i not in bad]
    assert stream.dropped == {"label outside the classes": 12}
    shuffled = BatchStream(path, COLUMNS, batch_size=8, step=20, bad="drop", shuffle=True)
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
        stream = BatchStream(path, COLUMNS, batch_size=8, bad="drop", shuffle=shuffle)
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
        BatchStream([files / "jets_a.root", other], COLUMNS, batch_size=2)


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
    with pytest.raises(InputError, match="sets that pass the cut 'number < 0', got none"):
        make(files, columns=COLUMNS.replace(cut="number < 0"))


def test_whether_there_are_so_many_classes(files):
    assert make(files).holds_classes(2)
    one = COLUMNS.replace(cut="label == 1")
    assert make(files, columns=one).holds_classes(1)
    assert not make(files, columns=one).holds_classes(2)
    assert not make(files, columns=COLUMNS.replace(label="0 * label")).holds_classes(2)
    named = COLUMNS.replace(label=None, classes={"low": "number < 50", "high": "number >= 50"})
    assert make(files, columns=named).holds_classes(2)
    assert not make(files, columns=named.replace(cut="number > 60")).holds_classes(2)
    filed = COLUMNS.replace(
        label=None, classes=(), class_files={each: f"jets_{each}.root" for each in "abc"}
    )
    assert make(files, columns=filed).holds_classes(3)
    assert not make(files, columns=filed.replace(cut="number < 50")).holds_classes(2)


@pytest.mark.parametrize("name", ["batch_size", "max_sets", "step", "shuffle_memory"])
def test_numbers_below_one_are_refused(files, name):
    least = "more than 0 megabytes" if name == "shuffle_memory" else "one "
    with pytest.raises(InputError, match=rf"{name}: expected {least}.*got 0"):
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


class Hardest:
    """The hardest particles of each set, and the process that chose them: no ParticleSet."""

    def __init__(self, particles):
        self.particles = particles

    def __call__(self, batch):
        assert len(batch) <= 8
        return {"sets": batch.hardest(self.particles), "process": os.getpid()}


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_are_prepared_after_they_are_shuffled(files, shuffle):
    plain = list(make(files, shuffle=shuffle))
    prepared = list(make(files, shuffle=shuffle, prepare=Hardest(2)))
    assert [batch["process"] for batch in prepared] == [os.getpid()] * 13
    for batch, own in zip(plain, prepared, strict=True):
        expected = batch.hardest(2)
        assert torch.equal(own["sets"].p4, expected.p4)
        assert len(batch.p4) > len(expected.p4)
        assert torch.equal(own["sets"].context, batch.context)


@pytest.mark.slow
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_batches_are_prepared_by_the_workers_that_read_them(files, context):
    stream = make(files, shuffle=True, prepare=Hardest(2))
    loader = DataLoader(stream, batch_size=None, num_workers=2, multiprocessing_context=context)
    batches = list(loader)
    assert len(loader) == len(batches) == 13
    processes = {batch["process"] for batch in batches}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert sorted(numbers(batch["sets"] for batch in batches)) == list(range(JETS))
    assert max(int(batch["sets"].counts.max()) for batch in batches) == 2


def test_what_cannot_prepare_batches_is_refused(files):
    with pytest.raises(InputError, match=r"prepare: expected a function.*got 3"):
        check_prepare(3)
    stream = make(files, prepare=lambda batch: batch)
    assert len(list(stream)) == 13
    with pytest.raises(InputError, match=r"prepare: expected what can be pickled.*define"):
        pickle.dumps(stream)


def test_the_old_name_says_what_it_is_called_now():
    with pytest.raises(
        AttributeError, match=r"hepml.io.ParticleStream is now hepml.io.BatchStream"
    ):
        hepml.io.ParticleStream  # noqa: B018
