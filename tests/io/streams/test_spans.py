"""Shares of the sets: complete, without overlap, and equally many batches for all."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepml.io.streams._spans import (
    Span,
    batch_bounds,
    dealt,
    drawn,
    parts_between,
    parts_dealt,
    pools_of,
)


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


@st.composite
def orders(draw):
    """Spans of some files, their parts dealt to pools, and the seed of the deal."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=8))
    files = sorted(draw(st.lists(st.integers(0, 3), min_size=len(sizes), max_size=len(sizes))))
    labels = draw(st.lists(st.sampled_from([None, 0, 1]), min_size=4, max_size=4))
    spans = [Span(file, 0, size, size) for file, size in zip(files, sizes, strict=True)]
    parts, pools = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    return spans, labels, parts, pools, draw(st.integers(0, 5))


def deal(spans, labels, parts, pools, seed):
    return parts_dealt(spans, labels, parts, pools, np.random.default_rng(seed))


@given(orders(), st.lists(st.integers(0, 70), max_size=4))
def test_parts_between_places_cover_each_set_once(order, cuts):
    spans, parts = order[0], deal(*order)
    total = sum(span.sets for span in spans)
    edges = sorted({0, total, *(min(cut, total) for cut in cuts)})
    covered = [
        (part.span, place)
        for first, last in pairwise(edges)
        for part in parts_between(parts, first, last)
        for place in range(part.start, part.stop)
    ]
    assert covered == [(p.span, place) for p in parts for place in range(p.start, p.stop)]
    assert sorted(covered) == [(i, j) for i, span in enumerate(spans) for j in range(span.sets)]


@given(orders(), st.integers(0, 5), st.integers(1, 6))
def test_pools_are_those_of_a_reader(order, first, number):
    parts = deal(*order)
    pools = pools_of(parts, first, first + number)
    assert [part for pool in pools for part in pool] == parts
    assert len(pools) <= number
    for pool in pools:
        numbers = {part.pool for part in pool}
        inside = numbers & set(range(first, first + number))
        assert len(inside) == 1 or not inside


@given(st.integers(1, 300), st.integers(1, 20), st.integers(0, 5))
def test_dealing_is_fair(size, pools, seed):
    """Of numbers that follow each other each pool has its share to within one at each end."""
    pool = dealt(size, pools, np.random.default_rng(seed))
    assert len(pool) == size
    for first, last in ((0, size), (size // 3, size), (size // 3, size // 2)):
        counts = np.bincount(pool[first:last], minlength=pools)
        assert len(counts) == pools
        assert np.abs(counts - (last - first) / pools).max() < 2


def test_dealing_has_no_favourites():
    """Over 2,000 deals each of ten numbers comes into each of five pools as often as others."""
    random = np.random.default_rng(0)
    pools = np.stack([dealt(10, 5, random) for _ in range(2000)])
    for pool in range(5):
        np.testing.assert_allclose((pools == pool).mean(axis=0), 0.2, atol=5 * 0.4 / 2000**0.5)


def test_labels_of_files_are_dealt_first():
    """Files of two classes in turns: every pool has as many of one as of the other."""
    spans = [Span(i, 0, 1, 1) for i in range(64)]
    labels = [i % 2 for i in range(64)]
    for seed in range(5):
        parts = parts_dealt(spans, labels, 1, 16, np.random.default_rng(seed))
        of_class = np.array([labels[spans[part.span].file] for part in parts])
        assert (of_class.reshape(16, 4).sum(axis=1) == 2).all()


@given(
    st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=30), min_size=1, max_size=12),
    st.integers(1, 1500),
)
def test_sets_are_drawn_evenly_over_files_and_places(files, sets):
    spans = [Span(f, 10 * i, 10 * i + n, n) for f, of in enumerate(files) for i, n in enumerate(of)]
    found = drawn(spans, sets)
    total = sum(span.sets for span in spans)
    assert sum(span.sets for span in found) == min(sets, total)
    assert {span._replace(sets=0) for span in found} <= {span._replace(sets=0) for span in spans}
    for f, sizes in enumerate(files):
        share = sum(span.sets for span in found if span.file == f) / min(sets, total)
        # To within a set, and a span where not all are used.
        assert abs(share - sum(sizes) / total) <= 2 / min(sets, total) + 0.3


def test_a_few_sets_are_drawn_from_few_spans_and_every_class_of_a_sorted_sample():
    spans = [Span(0, 100 * i, 100 * i + 100, 100) for i in range(1000)]
    found = drawn(spans, 200)
    assert len(found) == 64
    tenths = np.bincount(
        [10 * span.start // 100_000 for span in found], weights=[s.sets for s in found]
    )
    assert tenths.min() >= 18
    assert tenths.max() <= 22


@pytest.mark.parametrize("period", [2, 3, 5])
def test_classes_that_take_turns_are_all_drawn(period):
    spans = [Span(0, 100 * i, 100 * i + 100, 100) for i in range(640 * period // 2)]
    found = drawn(spans, 64)
    counts = np.bincount([span.start // 100 % period for span in found], minlength=period)
    # To within four standard deviations of a random draw.
    assert abs(counts / 64 - 1 / period).max() < 4 * (1 / period / 64) ** 0.5
