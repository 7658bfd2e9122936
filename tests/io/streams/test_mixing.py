"""Mixing: the composition of pools and batches, without reading anything."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from hepml.data import ParticleSet
from hepml.io import PRESETS, read
from hepml.io.chunks._chunk import Chunk
from hepml.io.formats._files import Location
from hepml.io.streams._mixing import (
    _size,
    mixing,
    pool_of,
    read_slab,
    room_for,
    slabs_of,
)
from hepml.io.streams._spans import Part, Span, parts_between, parts_dealt, pools_of

CLASSES = 10


def test_what_fits_is_one_pool_and_more_is_several_of_half_the_memory():
    assert mixing(1000, 100, readers=1, room=1000).pools == 1
    assert mixing(1000, 100, readers=2, room=500).pools == 1
    assert mixing(1001, 100, readers=1, room=1000).pools == 3
    assert mixing(10_000, 1000, readers=1, room=1000).pools == 20
    assert mixing(10, 10, readers=1, room=0).pools == 20


def test_spans_are_parted_only_where_a_pool_would_have_few():
    assert mixing(10_000, 1000, readers=1, room=1000).parts == 1
    assert mixing(10_000, 64, readers=1, room=1000).parts == 10
    # Of few spans each pool has its share of each.
    assert mixing(10_000, 20, readers=1, room=1000).parts == 20
    assert mixing(10_000, 10, readers=4, room=10_000).parts == 4


def compositions(spans, labels_of, *, readers, pools, batch, epochs):
    """For each batch of each reader, how many sets it has of each class."""
    total = sum(span.sets for span in spans)
    share = -(-total // readers)
    plan = mixing(total, len(spans), readers, share if pools == 1 else 2 * share // pools)
    for epoch in range(epochs):
        random = np.random.default_rng(epoch)
        labels = [None] * len(spans)
        order = parts_dealt(spans, labels, plan.parts, readers * plan.pools, random)
        for reader in range(readers):
            first, last = (total * r // readers for r in (reader, reader + 1))
            own = (reader * plan.pools, (reader + 1) * plan.pools)
            left = np.zeros(0, np.int64)
            for pool in pools_of(parts_between(order, first, last), *own):
                held = np.concatenate([labels_of(span, epoch)[a:b] for span, a, b, _ in pool])
                left = np.concatenate([left, random.permutation(held)])
                while len(left) >= batch:
                    yield np.bincount(left[:batch], minlength=CLASSES)
                    left = left[batch:]


@pytest.mark.parametrize("pools", [1, 8, 20])
@pytest.mark.parametrize("readers", [1, 3])
@pytest.mark.parametrize("clusters", [10, 37, 1000])
def test_batches_of_sorted_jets_are_draws_without_replacement(pools, readers, clusters):
    """160,000 jets of ten classes, class after class, in batches of 512."""
    jets, batch = 160_000, 512
    edges = np.linspace(0, jets, clusters + 1).astype(int).tolist()
    spans = [Span(0, a, b, b - a) for a, b in pairwise(edges)]

    def labels_of(span, epoch):
        start, stop = spans[span].start, spans[span].stop
        random = np.random.default_rng([epoch, span])
        return random.permutation(np.arange(start, stop) * CLASSES // jets)

    counts = np.array(
        list(compositions(spans, labels_of, readers=readers, pools=pools, batch=batch, epochs=2))
    )
    chi_squared = ((counts - batch / CLASSES) ** 2).sum(axis=1) / (batch / CLASSES)
    # The multivariate hypergeometric distribution has a mean of 9, less the share of the pool that
    # a batch takes. Pools that get parts of some of 1000 clusters only, about 32 of them, have one
    # too many or too few of some classes.
    assert 7 < chi_squared.mean() < (25 if clusters == 1000 and pools * readers > 20 else 10)
    # Of 51 expected, with a deviation of 7 by chance.
    assert counts.min() >= 15


def sets(count, first=0):
    """Sets of one particle each, whose energies number them through."""
    p4 = torch.zeros(count, 4)
    p4[:, 0] = torch.arange(first, first + count)
    return ParticleSet(p4, torch.arange(count + 1))


def test_slabs_hold_the_parts_they_are_asked_for_and_nothing_else():
    def read(span):
        row_of = np.arange(10)
        row_of[[2, 7]] = -1, -2
        row_of[row_of >= 0] = np.arange(8)
        chunk = Chunk(
            sets(8, 10 * span), "file", "tree", 0, 10, 10, np.arange(8), bad={"a": [2], "b": [7]}
        )
        return chunk, row_of

    def order(_, count):
        return np.arange(count)[::-1]

    parts = [Part(1, 0, 4), Part(0, 0, 10), Part(1, 8, 10)]
    spans = [each for slab in slabs_of(parts) for each in slab]
    assert spans == [[Part(0, 0, 10)], [Part(1, 0, 4), Part(1, 8, 10)]]
    slab = read_slab(read, order, spans)
    # All eight of the first span; of the second its places 9, 8, 7, 6 and 1, 0, of which 7 is bad.
    assert slab.sets.p4[:, 0].tolist() == [*range(8), 17, 16, 15, 11, 10]
    assert slab.rows.tolist() == [7, 6, -1, 5, 4, 3, 2, -1, 1, 0, 8, 9, -1, 10, 11, 12]
    assert slab.dropped == {"a": 1, "b": 2}

    pool, places = pool_of([slab, slab], np.random.default_rng(0))
    assert places == 32
    taken = sorted(pool.take(0, 32).p4[:, 0].tolist())
    assert taken == sorted(2 * slab.sets.p4[:, 0].tolist())


def test_many_spans_are_joined_to_few_slabs():
    slabs = slabs_of([Part(i, 0, 1) for i in range(100)])
    assert len(slabs) <= 16
    assert [parts[0].span for slab in slabs for parts in slab] == list(range(100))


def test_the_memory_of_a_set_is_seen_in_the_file(small):
    path, _ = small
    everything = read(path, PRESETS["hepml"])
    room = room_for([Location(path)], PRESETS["hepml"], 1e5)
    assert room == pytest.approx(1e5 * len(everything) / _size(everything), rel=0.2)
    assert room_for([Location(path)], PRESETS["hepml"], 1e9) is None


def test_the_memory_of_a_set_is_seen_where_few_pass_the_cut(tmp_path, write, jets):
    """None of the sets that are looked at passes."""
    branches = jets([4] * 2000)
    branches["number"] = np.arange(2000, dtype=np.int32)
    location = Location(write(tmp_path / "a.root", branches))
    columns = PRESETS["hepml"]
    everything = room_for([location], columns, 1e5)
    assert everything is not None
    assert room_for([location], columns.replace(cut="number == 0"), 1e5) == everything
