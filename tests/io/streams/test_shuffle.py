"""Pools: indexing the chunks joined into one is the oracle."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hepml.data import ParticleSet, concatenate
from hepml.io.streams._shuffle import Pool


def chunk(counts, seed, optional=True):
    """A chunk of random sets."""
    random = torch.Generator().manual_seed(seed)
    offsets = torch.tensor([0, *np.cumsum(counts)])
    particles, sets = int(offsets[-1]), len(counts)

    def draw(*shape):
        return torch.rand(shape, generator=random)

    return ParticleSet(
        draw(particles, 4),
        offsets,
        draw(particles, 2),
        context=draw(sets, 3) if optional else None,
        labels=torch.randint(0, 5, (sets,), generator=random) if optional else None,
        weights=draw(sets) if optional else None,
    )


@given(
    st.lists(st.lists(st.integers(0, 4), max_size=5), min_size=1, max_size=3),
    st.booleans(),
    st.integers(0, 9),
)
def test_batches_are_those_of_the_joined_chunks(counts, optional, seed):
    chunks = [chunk(each, seed + i, optional) for i, each in enumerate(counts)]
    whole = concatenate(chunks)
    random = np.random.default_rng(seed)
    order = random.permutation(np.append(np.arange(len(whole)), [-1, -1]))
    pool = Pool(chunks, order)
    edges = np.sort(random.integers(0, len(order) + 1, 3))
    for start, stop in zip([0, *edges], [*edges, len(order)], strict=True):
        rows = order[start:stop]
        rows = rows[rows >= 0]
        # The sets of each chunk together, in their order.
        of_chunk = np.searchsorted(np.cumsum([len(each) for each in chunks]), rows, "right")
        expected = whole[torch.from_numpy(rows[np.argsort(of_chunk, kind="stable")])]
        taken = pool.take(int(start), int(stop))
        for name in ("p4", "offsets", "features", "context", "labels", "weights"):
            mine, right = getattr(taken, name), getattr(expected, name)
            assert (mine is None) == (right is None) == (name[0] in "clw" and not optional)
            assert mine is None or torch.equal(mine, right)


def test_what_is_taken_shares_no_memory_with_the_chunks():
    only = chunk([2, 3], 0)
    taken = Pool([only], np.array([0, 1])).take(0, 2)
    assert torch.equal(taken.p4, only.p4)
    assert taken.p4.data_ptr() != only.p4.data_ptr()


def test_types_stay():
    taken = Pool([chunk([2], 0), chunk([1, 4], 1)], np.array([2, 0])).take(0, 2)
    assert taken.labels.dtype == torch.int64
    assert taken.offsets.dtype == torch.int64
    assert taken.p4.dtype == torch.float32
    assert taken.counts.tolist() == [2, 4]


def test_a_pool_beyond_its_order_is_an_error():
    with pytest.raises(IndexError):
        Pool([chunk([2], 0)], np.array([0])).take(0, 2)
