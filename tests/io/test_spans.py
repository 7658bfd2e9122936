"""Shares of the sets: complete, without overlap, and equally many batches for all."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepml.io._spans import Span, batch_bounds, pieces_between, shuffled


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 7), st.booleans())
def test_ranks_have_equally_many_batches_and_share_all_sets(sets, size, ranks, drop_last):
    if sets < ranks:
        return
    bounds = [batch_bounds(sets, size, r, ranks, drop_last=drop_last) for r in range(ranks)]
    sizes = [np.diff(b) for b in bounds]
    assert len({len(s) for s in sizes}) == 1
    assert all((s > 0).all() and (s <= size).all() for s in sizes)
    places = [p for b in bounds for p in range(b[0], b[-1])]
    assert len(places) == len(set(places))
    if drop_last or size == 1:
        assert all((s == size).all() for s in sizes)
        assert sets - len(places) < ranks * size
    else:
        assert sorted(places) == list(range(sets))


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=8), st.lists(st.integers(0, 70), max_size=4)
)
def test_pieces_between_places_cover_each_set_once(sizes, cuts):
    spans = [Span(0, 0, size, size) for size in sizes]
    order = np.random.default_rng(len(sizes)).permutation(len(sizes))
    edges = sorted({0, sum(sizes), *(min(cut, sum(sizes)) for cut in cuts)})
    covered = [
        (number, row)
        for first, last in pairwise(edges)
        for number, start, stop in pieces_between(spans, order, first, last)
        for row in range(start, stop)
    ]
    assert covered == [(number, row) for number in order for row in range(sizes[number])]


@given(st.lists(st.sampled_from([None, 0, 1]), max_size=12), st.integers(0, 5))
def test_shuffling_is_a_permutation(labels, seed):
    order = shuffled(labels, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(labels)))


def test_shuffling_spreads_each_label():
    labels = [0] * 50 + [1] * 50
    for seed in range(20):
        ordered = np.asarray(labels)[shuffled(labels, np.random.default_rng(seed))]
        share = ordered.reshape(10, 10).mean(axis=1)
        assert share.min() >= 0.3
        assert share.max() <= 0.7


def test_one_label_is_shuffled_without_a_pattern():
    """The mean place of each of ten chunks over 2,000 shuffles is the middle within five sigma."""
    random = np.random.default_rng(0)
    places = np.stack([np.argsort(shuffled([None] * 10, random)) for _ in range(2000)])
    np.testing.assert_allclose(places.mean(axis=0), 4.5, atol=5 * 2.87 / np.sqrt(2000))
    together = np.mean(np.abs(np.diff(places, axis=1)) == 1)
    assert together == pytest.approx(0.2, abs=0.02)
